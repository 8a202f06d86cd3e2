import {
  BLOCKED_BY_NMI,
  type Cpu,
  HALTED,
  type HostRoutine,
  type Machine,
  RDI,
  resetCpu,
  STATUS,
} from '@trapframe/core'
import { functionLabel } from '../entry/functions.js'
import { trampolines } from '../entry/trampoline.js'
import { IST_VECTORS, VECTOR_INT82 } from '../entry/vectors.js'
import { idtPage, stackOf } from '../layout/memory.js'
import { writeTokens } from '../setup/cet.js'
import { rewriteGates, writeGdt, writeIdt, writeMinimalTss, writeTss } from '../setup/tables.js'
import { parseCommandLine } from './command-line.js'
import { chooseDelivery, chooseProtection, deliveryLine, limitPv32 } from './decision.js'
import { readFacts, writeOptions } from './facts.js'
import type { Image } from './image.js'
import { readCommandLine, readVariable, writeVariable } from './init-data.js'

/** One of the boot's C functions. What it finds out goes to the variables in memory. */
type InitFunction = (cpu: Cpu, image: Image) => void

const print = (cpu: Cpu, lines: readonly string[]): void => {
  for (const line of lines) cpu.machine.log(line, cpu)
}

const flag = (cpu: Cpu, name: Parameters<typeof readVariable>[1]): boolean => readVariable(cpu.space, name) === 1

const INIT_FUNCTIONS: Readonly<Record<string, InitFunction>> = {
  cmdline_parse: ({ space }) => writeOptions(space, parseCommandLine(readCommandLine(space))),

  choose_delivery(cpu, { revision }) {
    const { delivery, pv32, log } = chooseDelivery(readFacts(cpu.space, revision))
    writeOptions(cpu.space, { fred: delivery === 'fred', pv32 })
    print(cpu, log)
  },

  report_delivery: (cpu) => print(cpu, [deliveryLine(flag(cpu, 'opt_fred') ? 'fred' : 'idt')]),

  write_idt_tables(cpu, { text, info }) {
    writeTss(cpu, info)
    writeIdt(cpu.space, idtPage(cpu.id).linear, text, { ist: 'none', pv32: flag(cpu, 'opt_pv32') })
  },

  enable_ist: (cpu, { text, ist }) => rewriteGates(cpu, IST_VECTORS, text, { ist, pv32: false }),

  write_minimal_tss: (cpu, { info }) => writeMinimalTss(cpu, info),

  choose_protection(cpu, { revision }) {
    const { log, ...protection } = chooseProtection(readFacts(cpu.space, revision))
    writeOptions(cpu.space, protection)
    print(cpu, log)
  },

  limit_pv32(cpu, { text }) {
    const protection = { shadowStacks: flag(cpu, 'opt_shstk'), ibt: flag(cpu, 'opt_ibt') }
    const { pv32, log } = limitPv32(flag(cpu, 'opt_pv32'), protection)
    writeOptions(cpu.space, { pv32 })
    print(cpu, log)
    if (!flag(cpu, 'opt_fred')) rewriteGates(cpu, [VECTOR_INT82], text, { ist: 'none', pv32 })
  },

  write_stubs(cpu, { text, info }) {
    const { page, bytes, lstar, cstar } = trampolines(cpu.id, flag(cpu, 'opt_ibt'), text, info)
    cpu.space.write(page.linear, bytes)
    writeVariable(cpu.space, 'stub_lstar', lstar)
    writeVariable(cpu.space, 'stub_cstar', cstar)
  },

  write_tokens: (cpu) => writeTokens(cpu),

  cpu_up(cpu, { init }) {
    const next = cpu.machine.cpus[cpu.words[RDI]!]!
    writeGdt(cpu.space, next.id)
    writeVariable(cpu.space, 'next_cpu', next.id)
    writeVariable(cpu.space, 'next_stack', stackOf(next.id).linear)
    resetCpu(next)
    next.rip = init.get('ap_start')!
  },
}

/** What those that program something write to memory. */
export const WRITTEN_BY: Readonly<Record<string, string>> = {
  write_idt_tables: 'IDT, TSS, shadow-stack table',
  enable_ist: 'IST of the gates',
  write_minimal_tss: 'TSS: RSP0, no I/O bitmap',
  write_stubs: 'SYSCALL trampolines',
  write_tokens: 'shadow-stack tokens',
}

/** Names of the boot's C functions. */
export const INIT_FUNCTION_NAMES: readonly string[] = Object.keys(INIT_FUNCTIONS)

/** Binds the boot's C functions to their places. */
export function bindInitFunctions(machine: Machine, image: Image): void {
  for (const [name, run] of Object.entries(INIT_FUNCTIONS)) {
    const routine: HostRoutine = {
      name,
      run(_machine, cpu) {
        run(cpu, image)
        // Behind its place stands a RET.
        cpu.rip += 1n
      },
    }
    machine.bindRoutine(image.init.get(functionLabel(name))!, routine)
  }
}

/** A CPU that waits to be started: nothing wakes it but `cpu_up`. */
export function park(cpu: Cpu): void {
  resetCpu(cpu)
  cpu.words[STATUS] = HALTED | BLOCKED_BY_NMI
}
