import type { ArgsDef } from 'citty'

/** What every command takes that boots a host on a machine and reads it back. */
export const hostArguments = {
  cpu: {
    type: 'string',
    default: 'panther-lake',
    valueHint: 'MODEL',
    description: 'a CPU model, with edits: panther-lake,-lkgs',
  },
  host: { type: 'string', default: 'xen', valueHint: 'NAME', description: 'the host that boots' },
  revision: { type: 'string', valueHint: 'NAME', description: 'of the host: rfc or upstream' },
  option: { type: 'string', valueHint: 'NAME=VALUE', description: 'an option of the host (may be repeated)' },
  json: { type: 'boolean', description: 'print one JSON object' },
  plugin: {
    type: 'string',
    valueHint: 'MODULE',
    description: 'load a plugin: a path or a package (may be repeated)',
  },
} as const satisfies ArgsDef
