// Finds out what a PV guest can see of the delivery: runs random guest programs on Xen as it is (revision `upstream`) under both
// deliveries, and writes docs/pv-differences.md with the smallest program that was found for each kind of difference. The same
// seed finds the same. Before that it holds revision `rfc` to its promise with as many programs. `--check` writes nothing and fails if the page is not what it would write. `--programs N` and `--seed N`
// search longer or elsewhere, and print instead of writing. Works on the built packages: run `pnpm build` first.
import { parseArgs } from 'node:util'
import {
  KINDS,
  printDifferences,
  printProgram,
  searchBrokenPromise,
  searchKinds,
} from '../packages/pv/dist/testing/index.js'
import { generatedPage } from './generated-page.mjs'
import { comparison } from './pv-machines.mjs'

const PROGRAMS = 6000
const SEED = 1

const { values } = parseArgs({
  options: { check: { type: 'boolean' }, programs: { type: 'string' }, seed: { type: 'string' } },
})
const programs = Number(values.programs ?? PROGRAMS)
const seed = Number(values.seed ?? SEED)

for (const cpu of ['panther-lake', 'zen6']) holdToPromise(cpu)

const found = new Map([
  ...search('panther-lake', (kind) => kind.amdOnly !== true),
  ...search('zen6', (kind) => kind.amdOnly === true),
])
const text = page()
const missing = KINDS.filter((kind) => found.get(kind) === null)
if (values.programs !== undefined || values.seed !== undefined) console.log(text)
else generatedPage('docs/pv-differences.md', text, 'pnpm build, then node .ci/pv-differences.mjs')
for (const { number, about } of missing) console.error(`not found among ${programs} programs: kind ${number}, ${about}`)
if (missing.length > 0) process.exitCode = 1

/** Revision `rfc` shows nothing but what the CPU itself shows. */
function holdToPromise(cpu) {
  const broken = searchBrokenPromise(comparison(cpu, 'rfc'), { seed, programs })
  if (broken === null) return
  const rows = printDifferences(broken.divergence).map((row) => row.join(' | '))
  console.error(`revision rfc on ${cpu} breaks its promise:\n${[...printProgram(broken.program), ...rows].join('\n')}`)
  process.exitCode = 1
}

function search(cpu, wanted) {
  return searchKinds(comparison(cpu, 'upstream'), { seed, programs }, KINDS.filter(wanted))
}

function page() {
  return `<!-- Written by .ci/pv-differences.mjs, which finds these programs; edit that. -->

# What a PV guest can see of the delivery

A PV guest on Xen runs in ring 3 and was never meant to see whether its host takes events by the IDT or by FRED. It can: recordings
of a real Xen show 14 kinds of differences, and this page shows the smallest guest program for each. Nobody wrote these programs.
They are what is left of random ones that the two deliveries answered differently, after everything was taken away that the difference does
not need: ${programs} programs at most for each of several seeds, under \`fred=0\` and \`fred=1\` of revision \`upstream\`, on
the CPU preset \`panther-lake\`, kind 14 on \`zen6\`. Compared is all that the guest's kernel can see whenever it is entered: frame, registers,
selectors, what Xen tells it, memory.

In revision \`rfc\` the same programs show nothing but what the CPU itself shows (${byTheCpu()}), which no hypervisor can take back: a
test holds the model to that. What Xen decides about a kind is in \`Differences\` of the package \`@trapframe/xen\`; how a kind is told from what is seen stands in
\`packages/pv/src/promise/kinds.ts\`.

Every program starts by an iret hypercall and ends at \`int 0xf1\`. Names such as \`code\` and \`kstack\` are places in the guest's memory. Kinds 1 and 2
accompany most others, for the end of each program is itself an INT n.

${[...found].sort(byNumber).map(section).join('\n')}`
}

function byTheCpu() {
  const kinds = KINDS.filter((kind) => kind.byTheCpu === true).map(({ number }) => number)
  return `kinds ${kinds.join(', ')}; of kind 4 only how far RIP goes back`
}

function byNumber([a], [b]) {
  return a.number - b.number
}

function section([kind, finding]) {
  const notes = [
    kind.byTheCpu ? 'The CPU shows it.' : '',
    kind.unrecorded ? 'The recordings do not have it: this search found it.' : '',
    kind.amdOnly ? 'Only where SYSCALL works in compatibility mode, as on AMD’s CPUs.' : '',
  ].filter((note) => note !== '')
  const heading = `## Kind ${kind.number}: ${kind.about}\n`
  const body = finding === null ? `Not found among ${programs} programs.\n` : example(finding)
  return [heading, ...(notes.length > 0 ? [`${notes.join(' ')}\n`] : []), body].join('\n')
}

function example({ program, divergence }) {
  const rows = printDifferences(divergence).map(([name, idt, fred]) => `| \`${name}\` | ${idt} | ${fred} |`)
  return `\`\`\`asm
${printProgram(program).join('\n')}
\`\`\`

| seen at entry ${divergence.moment.index + 1} | IDT | FRED |
| --- | --- | --- |
${rows.join('\n')}
`
}
