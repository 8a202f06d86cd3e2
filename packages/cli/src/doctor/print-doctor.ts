import { EXIT_FAILED, EXIT_OK, type ExitCode } from '../command/exit.js'
import { toJson } from '../report/json.js'
import { type Paint, pad, painter, wrap } from '../terminal/style.js'
import type { Terminal } from '../terminal/terminal.js'
import { type DoctorRequest, examine } from './examine.js'
import type { Finding, Health } from './finding.js'

const MARKS: Readonly<Record<Health, string>> = { good: '✓', bad: '✗', note: '·' }

/** Tells whether the installation is sound. The exit code is 1 where it is not. */
export async function printDoctor(
  terminal: Terminal,
  { json, ...request }: DoctorRequest & { readonly json: boolean },
): Promise<ExitCode> {
  const findings = await examine(terminal, request)
  const sound = findings.every(({ health }) => health !== 'bad')
  const { out } = terminal
  out.write(json ? toJson({ sound, findings }) : draw(findings, out.columns ?? 100, painter(out)))
  return sound ? EXIT_OK : EXIT_FAILED
}

function draw(findings: readonly Finding[], columns: number, paint: Paint): string {
  const left = Math.max(...findings.map(({ what }) => what.length))
  const indent = ' '.repeat(left + 4)
  const lines = findings.flatMap(({ what, health, message, hint }) => {
    const mark = paint(health === 'note' ? 'faint' : health, MARKS[health])
    const [first, ...more] = wrap(message, Math.max(40, columns - left - 4))
    const hints =
      hint === undefined
        ? []
        : wrap(hint, Math.max(40, columns - left - 6)).map((line) => `${indent}  ${line.trimStart()}`)
    return [`${mark} ${pad(what, left)}  ${first}`, ...more.map((line) => indent + line.trimStart()), ...hints]
  })
  const bad = findings.filter(({ health }) => health === 'bad').length
  const sum = bad === 0 ? paint('good', 'all is well') : paint('bad', `${bad} thing${bad === 1 ? '' : 's'} to mend`)
  return `${lines.join('\n')}\n\n${sum}\n`
}
