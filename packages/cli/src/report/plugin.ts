import { definePlugin, type Plugin } from '@trapframe/core'
import { GITHUB } from './github.js'
import { JSON_LINES } from './json-lines.js'
import { JSON_OBJECT } from './json-object.js'
import { JUNIT } from './junit.js'
import { PRETTY } from './pretty-reporter.js'
import { REPORTERS, type ReporterKind } from './reporter.js'
import { TAP } from './tap.js'

/** The reporters that the command knows by itself, in the order of listings. */
export const OWN_REPORTERS: Readonly<Record<string, ReporterKind>> = {
  pretty: PRETTY,
  jsonl: JSON_LINES,
  json: JSON_OBJECT,
  junit: JUNIT,
  tap: TAP,
  github: GITHUB,
}

/** Puts them where those of others are: into the slot. */
export function reporters(): Plugin {
  return definePlugin({
    name: 'reporters',
    setup(host) {
      for (const [name, kind] of Object.entries(OWN_REPORTERS)) host.add(REPORTERS, name, kind)
    },
  })
}
