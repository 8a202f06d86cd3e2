// Writes docs/idt-delivery.md and docs/fred-delivery.md from the steps that the mechanisms' packages export, and from
// what deliveries on their flat machines read and write. `--check` writes nothing and fails if a page is not what it would
// write. Works on the built packages: run `pnpm build` first.
import * as core from '../packages/core/dist/index.js'
import * as fred from '../packages/fred/dist/index.js'
import * as idt from '../packages/idt/dist/index.js'
import { generatedPage } from './generated-page.mjs'

const STAGES = ['entry point', 'stack', 'frame', 'shadow stack', 'registers']

generatedPage('docs/idt-delivery.md', idtPage(), 'pnpm build, then pnpm delivery-docs')
generatedPage('docs/fred-delivery.md', fredPage(), 'pnpm build, then pnpm delivery-docs')

function header(source) {
  return `<!-- Written by .ci/delivery-docs.mjs from ${source}; edit that. -->\n`
}

function idtPage() {
  return `${header('packages/idt/src/delivery-steps.ts')}
# IDT delivery, step by step

What happens between an event and the first instruction of its handler, in 64-bit mode, in the order in which the model does it:
the first check that fails decides. A fault is an event of its own: it is delivered in the state before the first one, becomes #DF
with it by their classes, and ends in shutdown while #DF is delivered. Until the last check has passed no register changes; bytes
that were pushed stay in memory.

In error codes *gate* is vector × 8 + 2, *selector* that of the gate’s code segment, *TR* that of the TSS. EXT, bit 0, is added to
each: 1 while an interrupt, an NMI, an exception or INT1 is delivered, 0 for INT n, INT3 and INTO. The error code of #PF is its own.

A test breaks each check, and every two of them together: \`packages/idt/src/steps.test.ts\`.

${stepTable(idt.DELIVERY_STEPS)}

The steps about the TSS apply to a stack from there: IST n whenever the gate names one, from ring 0 too; else RSP of the new ring
when the ring changes. Otherwise the frame goes on the current stack. It is aligned down to 16 in any case. The frame is pushed with
the privilege of the handler, from SS down, so that #PF reports its highest quadword.

## What one delivery reads and writes

${accessTable(idtCases())}

${disputesNote()}
`
}

function fredPage() {
  return `${header('packages/fred/src/delivery/delivery-steps.ts')}
# FRED delivery, step by step

What happens between an event and the first instruction at the entry point, in the order in which the model does it. Faults are
handled as under the IDT, with one difference: whatever event was being delivered, a fault that does not become #DF is marked
nested in its frame. EXT, bit 0, is added to each error code as under the IDT, which the specification leaves open.

A test breaks each check, and every two of them together: \`packages/fred/src/delivery/steps.test.ts\`.

${stepTable(fred.DELIVERY_STEPS)}

The frame is pushed as a supervisor write whatever CPL was, from its last quadword down, so that #PF reports the last one.

## The frame

${frameTable()}

## Beside the IDT

${STAGES.map(beside).join('\n')}
| | IDT | FRED |
| --- | --- | --- |
| checks that can fail | ${count(idt)} | ${count(fred)} |
| faults they raise | ${faultsOf(idt)} | ${faultsOf(fred)} |

## What one delivery reads and writes

On the flat machines of the two packages, without shadow stacks except where the row says so (A15). A read or write is one access,
mostly of 8 bytes.

| event | IDT reads | IDT writes | FRED reads | FRED writes |
| --- | ---: | ---: | ---: | ---: |
${bothTable()}

${disputesNote()}
`
}

function disputesNote() {
  return 'Where manuals and recordings disagree, [disputed.md](disputed.md) says what the model does.'
}

function stepTable(steps) {
  const rows = steps.map((step, i) => `| ${i + 1} | ${step.stage} | ${step.text} | ${faultOf(step)} | ${step.manual} |`)
  return `| | stage | what must hold, or is done | otherwise | manual |\n| ---: | --- | --- | --- | --- |\n${rows.join('\n')}`
}

function faultOf({ fault }) {
  if (fault === undefined) return ''
  const name = core.vectorName(fault.vector)
  return fault.errorCode === undefined ? name : `${name}(${fault.errorCode})`
}

/** The steps of one stage, side by side. */
function beside(stage) {
  const list = ({ DELIVERY_STEPS }) =>
    DELIVERY_STEPS.map((step, i) => ({ ...step, number: i + 1 }))
      .filter((step) => step.stage === stage)
      .map((step) => `${step.number}. ${step.text}${step.fault ? `: else ${faultOf(step)}` : ''}`)
  const title = `${stage[0].toUpperCase()}${stage.slice(1)}`
  return `### ${title}

| IDT | FRED |
| --- | --- |
| ${list(idt).join('<br>')} | ${list(fred).join('<br>')} |
`
}

function count({ DELIVERY_STEPS }) {
  return DELIVERY_STEPS.filter(({ fault }) => fault !== undefined).length
}

function faultsOf({ DELIVERY_STEPS }) {
  const vectors = new Set(DELIVERY_STEPS.flatMap(({ fault }) => (fault === undefined ? [] : [fault.vector])))
  return [...vectors]
    .sort((a, b) => a - b)
    .map(core.vectorName)
    .join(', ')
}

/** Where things lie in the frame, read back from a frame that was delivered and the constants of the package. */
function frameTable() {
  const rows = [
    [fred.FRAME_ERROR_CODE, 'error code, 0 where the event has none'],
    [
      fred.FRAME_RIP,
      'RIP: the instruction itself for faults, the next one for INT n, INT1, INT3, INTO, SYSCALL and SYSENTER',
    ],
    [
      fred.FRAME_CS,
      `CS; bits ${fred.CS_CSL_SHIFT + 1}:${fred.CS_CSL_SHIFT} the stack level before, ` +
        `bit ${bit(fred.CS_WAIT_FOR_ENDBRANCH)} an ENDBRANCH was awaited`,
    ],
    [fred.FRAME_RFLAGS, 'RFLAGS; RF is 1 for exceptions but #DB, 0 for what an instruction asked for'],
    [fred.FRAME_RSP, 'RSP'],
    [
      fred.FRAME_SS,
      `SS; bit ${bit(fred.SS_STI_BLOCKING)} STI blocking, ${bit(fred.SS_SOFTWARE_EVENT)} INT n, SYSCALL or SYSENTER, ` +
        `${bit(fred.SS_NMI)} NMI; 39:32 vector, ${32 + fred.SS_TYPE_SHIFT + 3}:${32 + fred.SS_TYPE_SHIFT} type, ` +
        `${32 + bit(fred.SS_ENCLAVE)} enclave, ${32 + bit(fred.SS_64BIT_MODE)} 64-bit mode, ` +
        `${32 + bit(fred.SS_NESTED)} nested, 63:${32 + fred.SS_LENGTH_SHIFT} instruction length`,
    ],
    [
      fred.FRAME_EVENT_DATA,
      'event data: the address of #PF, the conditions of #DB, the components of an XFD #NM; else 0',
    ],
    [fred.FRAME_RESERVED, '0'],
  ]
  return `| offset | content |\n| ---: | --- |\n${rows.map(([offset, what]) => `| +${offset} | ${what} |`).join('\n')}`
}

function bit(mask) {
  return 31 - Math.clz32(mask)
}

/** What `event` costs on the flat machine of a mechanism. */
function accesses(mechanism, { site, event, shadowStacks = false }) {
  const plugin = mechanism === 'idt' ? idt.idt() : fred.fred()
  const machine = core.createMachine({ cpu: 'panther-lake', plugins: [plugin] })
  machine.boot(`flat-${mechanism}`, { options: { shadowStacks } }).sites[site].enter(machine.cpu)
  return core.countAccesses(machine, () => core.raise(machine.cpu, event))
}

function idtCases() {
  return cases().map(([name, setup]) => [name, accesses('idt', setup)])
}

function cases() {
  const pf = { kind: 'hardwareException', vector: 14, errorCode: 4 }
  return [
    ['INT 80h in ring 3', { site: 'guest', event: { kind: 'softwareInterrupt', vector: 0x80 } }],
    ['interrupt in ring 3', { site: 'guest', event: { kind: 'externalInterrupt', vector: 0x30 } }],
    ['#PF in ring 3', { site: 'guest', event: pf }],
    ['#PF in ring 0', { site: 'host', event: pf }],
    ['NMI in ring 0, on its own stack', { site: 'host', event: { kind: 'nmi' } }],
    ['#PF in ring 3, shadow stacks', { site: 'guest', event: pf, shadowStacks: true }],
    ['#PF in ring 0, shadow stacks', { site: 'host', event: pf, shadowStacks: true }],
  ]
}

function cell({ count, bytes }) {
  return count === 0 ? '0' : `${count} (${bytes} bytes)`
}

function accessTable(rows) {
  const lines = rows.map(([name, { read, written }]) => `| ${name} | ${cell(read)} | ${cell(written)} |`)
  return `On the flat machine of the package; a table’s accessed bits are set already (A15).

| event | reads | writes |
| --- | ---: | ---: |
${lines.join('\n')}

The reads are both halves of the gate, the descriptor of CS and, where the stack changes, the TSS; with shadow stacks the token, which
is read and written.`
}

function bothTable() {
  return cases()
    .map(([name, setup]) => {
      const [under, beside] = [accesses('idt', setup), accesses('fred', setup)]
      return `| ${name} | ${cell(under.read)} | ${cell(under.written)} | ${cell(beside.read)} | ${cell(beside.written)} |`
    })
    .join('\n')
}
