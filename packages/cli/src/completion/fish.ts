import type { CompletedCommand, Taken } from './commands.js'

/** The completion for fish: as a file of its `completions` folder, or sourced. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const lines = [
    '# fish completion for trapframe',
    '#   trapframe completion fish | source',
    'complete -c trapframe -f',
  ]
  for (const { name, summary } of commands) {
    lines.push(`complete -c trapframe -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`)
  }
  for (const { name, options, operands } of commands) {
    const here = `complete -c trapframe -n ${quoted(`__fish_seen_subcommand_from ${name}`)}`
    for (const { name: option, short, summary, takes } of options) {
      const spelling = `-l ${option}${short === undefined ? '' : ` -s ${short}`}`
      lines.push(`${here} ${spelling}${takes === 'nothing' ? '' : ` -r ${offer(takes)}`} -d ${quoted(summary)}`)
    }
    if (operands !== 'nothing' && operands !== 'text') lines.push(`${here} ${offer(operands)}`)
  }
  return `${lines.join('\n')}\n`
}

function offer(taken: Taken): string {
  if (taken === 'file') return '-F'
  return typeof taken === 'string' ? '-f' : `-f -a ${quoted(taken.join(' '))}`
}

const quoted = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`
