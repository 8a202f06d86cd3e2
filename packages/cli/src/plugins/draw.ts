import { type Paint, pad, width, wrap } from '../terminal/style.js'
import type { Inventory } from './inventory.js'

/** What slots hold, in words; one that is not here has its name. */
const KINDS: Readonly<Record<string, string>> = {
  'core/decoder': 'decoder',
  'core/mechanisms': 'delivery mechanisms',
  'core/hosts': 'hosts',
  'core/cpu-models': 'CPU models',
  'core/observers': 'observers',
  'core/interrupt-controller': 'interrupt controller',
  'core/devices': 'devices',
  'core/happenings': 'happenings',
  'explore/invariants': 'invariants',
  'explore/events': 'events of explore',
  'explore/containments': 'containments',
  'cli/setups': 'setup verbs',
  'cli/injections': 'inject verbs',
  'cli/expectations': 'expect verbs',
  'cli/delivery-views': 'views of deliveries',
  'cli/delivery-explainers': 'explained deliveries',
  'cli/instruction-explainers': 'explained instructions',
  'cli/vector-formats': 'vector formats',
  'cli/panic-decoders': 'panic decoders',
  'cli/reporters': 'reporters',
}

/** More names than this are counted, and the first ones shown. */
const MOST = 24

/** Each plugin with what it contributes, and last the ones that do not fit, with the reason. */
export function drawPlugins(plugins: readonly Inventory[], columns: number, paint: Paint): string {
  const rows = plugins.flatMap(({ contributes }) => contributes.map(({ kind }) => KINDS[kind] ?? kind))
  const left = Math.max(0, ...rows.map(width)) + 4
  const wide = Math.max(40, columns)
  const parts = plugins.map(({ plugin, from, requires, options, contributes, problem }) => {
    const mark = problem === null ? '' : ` ${paint('bad', '✗ does not fit')}`
    const facts = [from, ...(requires.length > 0 ? [`requires ${requires.join(', ')}`] : []), ...optionsText(options)]
    const lines = [`${paint('strong', plugin)}  ${paint('faint', facts.join(' · '))}${mark}`]
    for (const { kind, names } of contributes) {
      const more = names.length > MOST ? `, … ${names.length} in all` : ''
      const [first, ...others] = wrap(names.slice(0, MOST).join(', ') + more, wide - left)
      lines.push(`  ${paint('accent', pad(KINDS[kind] ?? kind, left - 2))}${first}`)
      for (const line of others) lines.push(' '.repeat(left) + line.trimStart())
    }
    if (contributes.length === 0) lines.push('  nothing')
    if (problem !== null) {
      lines.push(`  ${paint('bad', problem.message)}`)
      if (problem.hint !== null) lines.push(`  ${problem.hint}`)
    }
    return lines.join('\n')
  })
  const bad = plugins.filter(({ problem }) => problem !== null).length
  const sum = `${plugins.length} plugins${bad === 0 ? '' : `, ${bad} of which do${bad === 1 ? 'es' : ''} not fit`}`
  return `${parts.join('\n\n')}\n\n${sum}\n`
}

function optionsText(options: unknown): readonly string[] {
  const text = JSON.stringify(options, (_key, value) => (typeof value === 'bigint' ? `${value}` : value))
  return text === undefined || text === 'null' || text === '{}' ? [] : [`options ${text}`]
}
