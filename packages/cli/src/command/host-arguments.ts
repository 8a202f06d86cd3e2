import type { ArgsDef } from 'citty'
import { JSON_OPTION } from './json-option.js'
import { PLUGIN_OPTION } from './plugin-options.js'

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
  ...JSON_OPTION,
  ...PLUGIN_OPTION,
} as const satisfies ArgsDef
