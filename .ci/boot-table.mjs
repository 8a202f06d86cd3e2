// Writes docs/xen-boot.md: its tables are what `trapframe boot` reads back from machines that ran the boot, one for each
// combination. `--check` writes nothing and fails if the page is not what it would write. Works on the built packages: run
// `pnpm build` first.
import { readBoot } from '../packages/cli/dist/index.js'
import * as core from '../packages/core/dist/index.js'
import { fred } from '../packages/fred/dist/index.js'
import { idt } from '../packages/idt/dist/index.js'
import { isa } from '../packages/isa/dist/index.js'
import { interruptBoot, xen } from '../packages/xen/dist/index.js'
import { generatedPage } from './generated-page.mjs'

/** CPUs by what CPUID enumerates, as edits of a preset. */
const HARDWARE = [
  ['FRED, LKGS', ''],
  ['FRED', ',-lkgs'],
  ['LKGS', ',-fred'],
  ['neither', ',-fred,-lkgs'],
]
const VENDORS = [
  ['Intel', 'panther-lake'],
  ['AMD', 'zen6'],
]
const FRED_OPTIONS = ['', 'fred=1', 'fred=0', 'no-fred']
const SHIM_OPTIONS = ['', 'pv-shim']
const PV_OPTIONS = ['', 'pv=32']

/** Events that meet a boot. */
const EVENTS = {
  nmi: ['An NMI', core.pendNmi],
  pf: [
    'A page fault',
    (cpu) => core.raise(cpu, { kind: 'hardwareException', vector: 14, errorCode: 0, eventData: 0xdead_b000n }),
  ],
}

const code = (text) => `\`${text}\``
const hex = (value) => `0x${value.toString(16)}`
const total = () => [...seen.values()].reduce((sum, count) => sum + count, 0)

/** Logs that occurred in the tables, with how often. */
const seen = new Map()

generatedPage('docs/xen-boot.md', page(), 'pnpm build, then pnpm boot-table')

function page() {
  return `<!-- Written by .ci/boot-table.mjs; edit that. -->

# Xen's boot

A machine that boots Xen runs Xen's boot: assembly from the loader's last instruction to the idle loop of every CPU, with C functions
as single steps in between. It parses the command line in memory, executes CPUID, decides, prints, and programs each CPU by the
instructions that do it: LGDT, LIDT, LTR, WRMSR, MOV CR4, SETSSBSY, RSTORSSP. \`trapframe boot\` prints what a machine that ran
it decided and what it left behind; every table on this page is read back in the same way.

\`\`\`sh
trapframe boot --cpu panther-lake,-lkgs --cmdline "fred=1" --revision upstream
trapframe boot --cpu zen6 --cmdline "pv-shim" --json
\`\`\`

The JSON has \`delivery\`, \`reasons\`, \`log\`, \`pv32\`, \`cr4\`, \`cr4Bits\`, \`msrs\`, \`tables\`, \`tss\`, \`programmed\` and \`setUps\`; 64-bit
values are text, such as \`"0xffff82d040200000"\`.

## IDT or FRED (X2)

Two revisions: \`rfc\`, as the design document has it, and \`upstream\`, as Xen's sources had it in 2026. They differ in three ways:
LKGS is needed or not; FRED is the default wherever it is available, or on AMD only; \`pv-shim\` keeps the IDT always, or unless the
command line asks for FRED. \`pv=32\` has no say in it: rows that say nothing of it hold with and without.

Booleans are written as Xen reads them: \`fred\`, \`fred=1\`, \`on\`, \`yes\`, \`true\`, \`enable\`, \`no-fred\`, \`fred=0\` and so on; the last
one wins, and a value that is none of these leaves the option unset without a word. The RFC spells the shim's option
\`pvshim\`; both are understood.

${['rfc', 'upstream'].map((revision) => `### ${revision}\n\n${decisions(revision)}`).join('\n\n')}

## The log

Xen's own lines in Xen's order, one list for each that occurs in the tables above:

${logs()}

## PV32 (X3)

32-bit guests need ring 1. FRED has none, and CET does not work there. So PV32 is on only under the IDT without CET: \`pv=32\` asks for
what is the default anyway, and wins over neither. On the CPUs above CET is always there; here it is switched on and off.

${pv32()}

## What is programmed where

In this order, on the first CPU of a \`panther-lake\` with the RFC's revision. The stages are labels that scenarios can name.

${['idt', 'fred'].map((delivery) => `### ${delivery.toUpperCase()}\n\n${programmed(delivery)}`).join('\n\n')}

An AP begins at \`ap_start\` with a stack, a GDT of its own and everything decided, and runs the same code from \`init_delivery\` on:
under FRED its MSRs, then CR4.FRED, then the null IDT and the minimal TSS.

## The two set-ups side by side (A17)

${setUps()}

## An event at every instruction (X1)

An event meets the boot of one CPU at each of its instruction boundaries, each time in a boot of its own. *boots* means: to the idle
loop, in the state in which it comes there undisturbed.

${['nmi', 'pf'].flatMap((event) => ['idt', 'fred'].map((delivery) => interrupted(event, delivery))).join('\n\n')}

Before LIDT nothing can be handled. From there on the early IDT delivers: no gate names an interrupt stack, so it needs no TSS, and TR
and LDTR are null. It lasts until the other tables are loaded, or until MOV to CR4 sets CR4.FRED. Shadow stacks leave a gap
(A9): from the WRMSR that turns them on to SETSSBSY or RSTORSSP there is no SSP, so an event that needs the one that is there becomes
#DF. Another CPU has no early IDT: \`scenarios/xen/boot-other-cpu.yaml\`.

## In scenarios

\`start: boot\` begins a run before the first instruction of Xen; an injection at a stage's label, such as \`boot_cmdline\`, meets it
there, and \`code\` puts other instructions in the place of a stage's own. \`scenarios/xen/boot-*.yaml\` do both. The variables of the boot are
labels too: \`opt_fred\`, \`opt_pv32\`, \`command_line\`. The stages:

${stages()}

## What is simpler than Xen

- The first CPU keeps the stack that it starts with. Xen moves to another one at the end of its boot and sets its tables up again.
- In memory lies only the entry code of the delivery that is decided for, with everything patched in that depends on features; before the
  decision the IDT's entry code without those patches is used. Xen has both, and patches late.
- An AP is started by a write to its registers in the place of INIT and SIPI, and begins in 64-bit mode.
- \`pv-shim\` stands for the option alone. A build that is nothing but the shim leaves CET out, and so keeps PV32.
`
}

function boot(cpu, cmdline, revision) {
  return readBoot({ cpu, cmdline: cmdline.filter(Boolean).join(' '), revision })
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** For each hardware, option and shim: the delivery and the reasons on both vendors' CPUs. */
function decisions(revision) {
  const rows = []
  for (const [hardware, edit] of HARDWARE) {
    for (const option of FRED_OPTIONS) {
      for (const shim of SHIM_OPTIONS) {
        const results = PV_OPTIONS.map((pv) =>
          VENDORS.flatMap(([, preset]) => {
            const { delivery, reasons, log } = boot(`${preset}${edit}`, [option, shim, pv], revision)
            note(log)
            return [delivery.toUpperCase(), reasons.join('; ')]
          }),
        )
        const same = results.every((cells) => String(cells) === String(results[0]))
        PV_OPTIONS.forEach((pv, n) => {
          if (same && n > 0) return
          const words = [option, shim, same ? '' : pv].filter(Boolean).map(code)
          rows.push([hardware, words.join(' ') || '(empty)', ...results[n]])
        })
      }
    }
  }
  return table(['CPUID has', 'command line', ...VENDORS.flatMap(([vendor]) => [vendor, 'because'])], rows)
}

function note(log) {
  const text = log.join('\n')
  seen.set(text, (seen.get(text) ?? 0) + 1)
}

function logs() {
  const lists = [...seen].sort(([a], [b]) => (a < b ? -1 : 1))
  return lists.map(([text, count]) => `\`\`\`text\n${text}\n\`\`\`\n\n${count} of ${total()} boots`).join('\n\n')
}

function pv32() {
  const rows = []
  for (const fredOption of ['fred=0', 'fred=1']) {
    for (const cet of ['', 'cet=0', 'cet=no-shstk', 'cet=no-ibt']) {
      for (const pv of ['', 'pv=32', 'pv=no-32']) {
        const { pv32, log } = boot('panther-lake', [fredOption, cet, pv], 'rfc')
        const lines = log.filter((line) => line.includes('PV32')).map((line) => code(line.trim()))
        rows.push([
          [fredOption, cet, pv].filter(Boolean).map(code).join(' '),
          pv32 ? 'on' : 'off',
          lines.join(', ') || '–',
        ])
      }
    }
  }
  return table(['command line', 'PV32', 'in the log'], rows)
}

/** Addresses of code by their labels: code moves whenever it is changed. */
function programmed(delivery) {
  const labels = [...machineWithXen(delivery).boot.labels].filter(([name]) => name !== 'syscall_entry')
  const text = (value) => code(labels.find(([, address]) => address === value)?.[0] ?? hex(value))
  const { programmed } = boot('panther-lake', [`fred=${delivery === 'fred' ? 1 : 0}`], 'rfc')
  const rows = programmed.map(({ stage, what, value, limit }) => [
    code(stage),
    what,
    value === undefined ? 'in memory' : `${text(value)}${limit === undefined ? '' : `, limit ${code(hex(limit))}`}`,
  ])
  return table(['stage', 'what', 'value'], rows)
}

function setUps() {
  const columns = []
  for (const revision of ['rfc', 'upstream']) {
    const { setUps } = boot('panther-lake', [], revision)
    if (revision === 'rfc') columns.push(['IDT', setUps.idt])
    columns.push([`FRED, ${revision}`, setUps.fred])
  }
  const rows = [
    ['IDT, in bytes', ({ tables }) => tables.idt],
    ['TSS, in bytes that can be reached', ({ tables }) => tables.tss],
    ['shadow-stack table, in bytes', ({ tables }) => tables.shadowStackTable],
    ['gates', ({ descriptors }) => descriptors.gates],
    ['code segments that gates name', ({ descriptors }) => descriptors.codeSegments],
    ['MSRs written', ({ msrs }) => msrs.length],
    ['addresses at which an event may enter', ({ entryPoints }) => entryPoints],
    ['stacks', ({ stacks }) => stacks],
    ['shadow stacks', ({ shadowStacks }) => shadowStacks],
    ['shadow-stack tokens', ({ tokens }) => tokens],
    ['pointers that are poison', ({ poisonedPointers }) => poisonedPointers],
  ]
  const counts = table(
    ['one CPU, `panther-lake`', ...columns.map(([name]) => name)],
    rows.map(([what, of]) => [what, ...columns.map(([, setUp]) => of(setUp))]),
  )
  const lists = columns.map(([name, { msrs }]) => `- ${name}: ${msrs.map(code).join(', ')}`)
  return `${counts}\n\nThe MSRs, in the order in which they are written first (IA32_PL0_SSP is IA32_FRED_SSP0 too):\n\n${lists.join('\n')}`
}

function machineWithXen(delivery) {
  const machine = core.createMachine({ cpu: 'panther-lake', plugins: [isa(), idt(), fred(), xen()] })
  return { machine, boot: machine.boot('xen', { delivery }) }
}

/** Neighbouring instructions with the same outcome are one row. */
function interrupted(event, delivery) {
  const [name, raise] = EVENTS[event]
  const { machine, boot } = machineWithXen(delivery)
  const groups = []
  for (const one of interruptBoot(machine, boot, raise)) {
    const outcome = [one.mechanism?.toUpperCase() ?? 'nobody', one.delivered.join(', ') || '–', one.end]
    const last = groups.at(-1)
    if (String(last?.outcome) === String(outcome)) {
      last.to = one.stage
      last.count++
    } else {
      groups.push({ from: one.stage, to: one.stage, count: 1, outcome })
    }
  }
  const rows = groups.map(({ from, to, count, outcome }) => [
    from === to ? code(from) : `${code(from)} … ${code(to)}`,
    count,
    ...outcome,
  ])
  return `### ${name}, ${delivery.toUpperCase()}\n\n${table(['stages', 'instructions', 'delivered through', 'as', 'the boot'], rows)}`
}

function stages() {
  const { boot } = machineWithXen('fred')
  const named = [...boot.labels].filter(
    ([name]) => /^(boot|ap|init)_[a-z0-9_]+$/.test(name) && name !== 'init_functions',
  )
  const names = named.sort(([, a], [, b]) => (a < b ? -1 : 1)).map(([name]) => code(name))
  return `${names.join(', ')}.`
}
