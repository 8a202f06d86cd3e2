// Writes docs/xen-poison.md and docs/xen-interleave.md: the first from the table that @trapframe/xen derives from a machine,
// the second with what `trapframe interleave` prints. `--check` writes nothing and fails if a page is not what it would
// write. Works on the built packages: run `pnpm build` first.
import { spawnSync } from 'node:child_process'
import { poisonTable } from '../packages/xen/dist/index.js'
import { generatedPage } from './generated-page.mjs'

const AGAIN = 'pnpm build, then pnpm xen-docs'
const SCENARIO = 'scenarios/xen/syscall-interleaved.yaml'

/** The poisoned pointers, as columns: what each is, by the name of its rows. */
const COLUMNS = [
  ['SL1, SL2', ['SL1', 'SL2']],
  ['SSP1, SSP2 alone', ['SSP1', 'SSP2']],
  ['IST5', ['IST5']],
  ['shadow-stack table alone', ['ISST[5]']],
  ['RSP1', ['RSP1']],
]

generatedPage('docs/xen-poison.md', poisonPage(), AGAIN)
generatedPage('docs/xen-interleave.md', interleavePage(), AGAIN)

function header() {
  return '<!-- Written by .ci/xen-docs.mjs; edit that. -->'
}

function poisonPage() {
  return `${header()}

# Poisoned stack pointers

Stack pointers that Xen does not use must not lead anywhere. Under the IDT they are an address that is not canonical,
8600_1111_1111_1111h (X6). FRED checks its MSRs when they are written: WRMSR of that address is #GP(0) (A14). There the two pointers of
an unused level change places instead (X5): RSP leads into a shadow stack, or into the guard page that it is without CET; SSP leads
into an ordinary stack. A push meets a page that refuses it.

The table says what becomes of an event that is sent there by mistake: by a level in IA32_FRED_STKLVLS or IA32_FRED_CONFIG, by an IST
index in a gate, or by a gate whose code segment belongs to ring 1. It is derived, not written: \`poisonTable()\` of
[\`@trapframe/xen\`](../packages/xen) boots Xen, sends each event there, and lets the machine and Xen's code run to their end. Events of
one row behave alike everywhere. A cell has the fault that the first event meets, what is delivered then and on which stack, and how it ends.

${poisonMarkdown()}

What the columns stand for: SL1 and SL2 by the RFC; Xen's own code of 2026 has only SL1 to poison, and there it is the same. SSP1 and SSP2: the
level's RSP is good, its SSP alone is poison. Shadow-stack table: the IST entry is good, the entry of the table that goes with it is
poison. RSP1: an event from ring 3; the other events come from Xen's own code. With and without shadow stacks each RSP's column is the same.

## What follows

- The RFC says that any use escalates to #DF. By the fault classes that holds for a first #PF (and #VE, which is of its class). Every other
  event, contributory ones too, is followed by a nested #PF on the level that #PF itself has, which is 0. Its frame says that it is
  nested, Xen's dispatch treats that as fatal, and so nothing is lost but the neatness.
- Under the IDT the fault is #SS, or #GP for the shadow-stack table. Both are contributory: with a contributory exception or a #PF
  before it they are #DF, on a stack of its own. After any other event #SS is delivered like any other fault: fatal where
  Xen's own code was interrupted, and taken for the guest's where a guest was.
- #DF itself sent to a poisoned stack is a shutdown: nothing is left to report it.
- In no case does anything run on a poisoned stack.

INT n, SYSCALL and SYSENTER have stack level 0 under FRED whatever is programmed, and so no row.
`
}

function poisonMarkdown() {
  const table = poisonTable()
  const rows = new Map()
  for (const event of new Set(table.map((row) => row.event))) {
    const cells = COLUMNS.map(([, places]) =>
      cell(table.filter((row) => row.event === event && places.includes(row.place))),
    )
    const key = cells.join(' | ')
    rows.set(key, [...(rows.get(key) ?? []), event])
  }
  const line = (cells) => `| ${cells.join(' | ')} |`
  const heads = ['first event', ...COLUMNS.map(([name]) => name)]
  return [
    line(heads),
    line(heads.map(() => '---')),
    ...[...rows].map(([cells, events]) => line([events.join(', '), cells])),
  ].join('\n')
}

/** One text for all rows of a cell: revisions and shadow stacks must make no difference to it. */
function cell(rows) {
  const texts = new Set(
    rows.map(({ faults, delivered, stack, ending }) => {
      const met = faults.map((fault) => fault.replace(/ during .*/, '').replace(/\[000[01]\]/, '')).join(', ')
      return delivered === null ? `${met} → shutdown` : `${met} → ${delivered} on ${stack}: ${shortly(ending)}`
    }),
  )
  if (texts.size !== 1) throw new Error(`one cell of the poison table, several outcomes: ${[...texts].join('; ')}`)
  return [...texts][0]
}

function shortly(ending) {
  if (ending.startsWith('FATAL TRAP')) return 'fatal trap'
  return ending.startsWith('DOUBLE FAULT') ? 'fatal double fault' : ending
}

function interleavePage() {
  return `${header()}

# Interleavings

FRED's claim is that no event finds the CPU without a good stack (A1, X7): then NMI, #DB and #MC need no stacks of their own. It is
a statement about every instruction between an entry and its exit, and can be tried at every one of them:

\`\`\`
trapframe interleave SCENARIO [--events nmi,db,mc] [--json]
\`\`\`

The command runs each cell of a scenario once undisturbed and notes every boundary between two instructions of ring 0. Then it
runs the cell again for each event and each boundary, from the beginning, with the event pending at that boundary and nowhere else.
Entry and exit are Xen's instructions as bytes; the invariants of [\`@trapframe/explore\`](../packages/explore) watch.

| column | counts |
| --- | --- |
| boundaries | runs: one for each instruction of ring 0 that the undisturbed run executes |
| good stack | the event's frame lies on a stack of its CPU |
| bad stack | it does not; in whose memory it lies |
| frame clobbered | a live frame lost bytes that its handler still needs; whose frame it is |
| ended otherwise | the run did not end in the registers, and with the words of the host, that it ends in undisturbed; how it did. \`running\`: not within the limit of steps |

Events are those of \`inject\` that need no more than their name. What a scenario injects itself stays: so a machine check can meet the handler
of the first. With \`--json\` every boundary where something is wrong is listed, with RSP and the frame's address.

## The SYSCALL path (X7)

[\`${SCENARIO}\`](../${SCENARIO}), a system call without SMAP and CET, which would stop the push and hide the frame:

\`\`\`text
${interleaving()}
\`\`\`

- **A second machine check.** While IA32_MCG_STATUS.MCIP is set it shuts the CPU down before anything is delivered, whatever delivers.
  Xen's handler clears the bit as the last thing it does, in \`do_machine_check\`; what is left of the way back is the window.
- **IDT with IST.** Always a good stack. But in that window a second #MC starts at the top of the same stack: at each of its
  instructions the first frame is lost, and the return goes round in a circle.
- **IDT without IST.** The frame lies in the guest's memory while RSP is the guest's: at the beginning of the way in and at the end of the
  way out. With a machine check at the first of these instructions, its whole handler runs there, and every further event too.
- **FRED**, in both revisions: no boundary without a good stack, and nothing is clobbered, with no event on a stack of its own (\`rfc\`) or
  with #MC on level 2 (\`upstream\`).
`
}

function interleaving() {
  const { stdout, stderr, status } = spawnSync('node', ['packages/cli/dist/bin.js', 'interleave', SCENARIO], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', COLUMNS: '120' },
  })
  if (status !== 0) throw new Error(`trapframe interleave ended with ${status}: ${stderr}`)
  return stdout
    .split('\n')
    .map((line) => line.replace(/^ {2}/, ''))
    .join('\n')
    .trim()
}
