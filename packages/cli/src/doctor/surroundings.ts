import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Terminal } from '../terminal/terminal.js'
import type { Finding } from './finding.js'
import type { Installed } from './packages.js'
import { satisfies } from './range.js'

/** Node.js, against what the package asks for. */
export function examineNode({ manifest }: Installed, version = process.version): Finding {
  const wanted = manifest.engines?.node ?? '*'
  if (satisfies(version, wanted))
    return { what: 'Node.js', health: 'good', message: `${version}, and ${wanted} is needed` }
  const hint = 'take a newer one from https://nodejs.org'
  return { what: 'Node.js', health: 'bad', message: `${version} is too old: ${wanted} is needed`, hint }
}

/** Colours, width and progress, as reports here have them. */
export function examineTerminal({ out, err, environment }: Terminal): Finding {
  const set = ['FORCE_COLOR', 'NO_COLOR', 'NODE_DISABLE_COLORS', 'TERM', 'CI'].flatMap((name) =>
    environment[name] === undefined ? [] : [`${name}=${environment[name]}`],
  )
  const parts = [
    out.color ? 'colours' : 'no colours',
    `${out.columns ?? 80} columns`,
    err.live ? 'progress' : 'no progress',
    ...(set.length > 0 ? [`by ${set.join(', ')}`] : []),
  ]
  return { what: 'terminal', health: 'note', message: parts.join(', ') }
}

/** Programs that nothing needs but what stands beside them. */
const PROGRAMS: readonly (readonly [what: string, names: readonly string[], use: string])[] = [
  [
    'Chromium',
    ['chromium', 'chromium-browser', 'google-chrome'],
    "trapframe's own tests of the page that --html writes",
  ],
  ['Redis', ['redis-server', 'valkey-server'], "trapframe's own tests of queues"],
]

export function examinePrograms(environment: Terminal['environment']): readonly Finding[] {
  return PROGRAMS.map(([what, names, use]) => {
    const path = names.flatMap((name) => locate(name, environment.PATH ?? '') ?? [])[0]
    const message = path === undefined ? `not here; only ${use} need it` : `${path}; only ${use} need it`
    return { what, health: 'note', message }
  })
}

function locate(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
