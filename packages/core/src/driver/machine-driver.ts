import { pendInterrupt, pendNmi } from '../event/pending.js'
import { step } from '../instruction/step.js'
import type { Machine } from '../machine/machine.js'
import type { Snapshot } from '../machine/snapshot.js'
import { pageFlags } from '../memory/access.js'
import { PAGE_SIZE, type PhysicalMemory } from '../memory/physical.js'
import {
  CR0,
  CR2,
  CR4,
  CR8,
  DR6,
  DR7,
  EFER,
  GDTR,
  GPR,
  IDTR,
  RIP,
  type SegmentNumber,
  STATUS,
  TABLE_LIMIT,
} from '../state/registers.js'
import { BLOCKED_BY_MOV_SS, BLOCKED_BY_NMI, BLOCKED_BY_STI } from '../state/status.js'
import {
  CONTROL_NAMES,
  type ControlName,
  type Driver,
  GPR_NAMES,
  type InitialState,
  type Injection,
  type Outcome,
  type Registers,
  SEGMENT_NAMES,
} from './driver.js'

const CONTROL_SLOTS: Readonly<Record<ControlName, number>> = {
  cr0: CR0,
  cr2: CR2,
  cr4: CR4,
  cr8: CR8,
  efer: EFER,
  dr6: DR6,
  dr7: DR7,
}

/** The model behind the {@link Driver} port: CPU 0 of a machine that nobody else uses. */
export function machineDriver(machine: Machine): Driver {
  const { cpu } = machine
  const pristine: Snapshot = machine.snapshot()
  const space = machine.space(0n)

  return {
    load(state: InitialState): void {
      machine.restore(pristine)
      for (const { address, count, flags } of state.pages) space.map(address, pageFlags(flags), count)
      for (const { address, bytes } of state.memory) writePhysical(machine.memory, address, bytes)
      for (const [n, name] of GPR_NAMES.entries()) cpu.setGpr(n, state.gpr[name])
      for (const [n, name] of SEGMENT_NAMES.entries()) cpu.setSegment(n as SegmentNumber, state.segments[name])
      for (const name of CONTROL_NAMES) cpu.set64(CONTROL_SLOTS[name], state.control[name])
      for (const [slot, table] of [[GDTR, state.gdtr] as const, [IDTR, state.idtr] as const]) {
        cpu.set64(slot, table.base)
        cpu.words[slot + TABLE_LIMIT] = table.limit
      }
      for (const [index, value] of state.msr) {
        const msr = machine.msrs.get(index)
        if (msr) cpu.set64(msr.slot, value)
      }
      cpu.rip = state.rip
      cpu.rflags = state.rflags
      cpu.ssp = state.ssp ?? 0n
      cpu.words[STATUS] =
        (state.blocking.nmi ? BLOCKED_BY_NMI : 0) |
        (state.blocking.sti ? BLOCKED_BY_STI : 0) |
        (state.blocking.movss ? BLOCKED_BY_MOV_SS : 0)
      cpu.setCpl(state.cpl)
      cpu.refresh()
    },

    inject(injection: Injection): void {
      if (injection.type === 'nmi') pendNmi(cpu)
      else pendInterrupt(cpu, injection.vector)
    },

    run(limit: number, executed?: (mnemonic: string) => void): Outcome {
      const release = executed && observeMnemonics(machine, executed)
      try {
        for (let count = 0; count < limit; count++) {
          step(cpu)
          if (cpu.isShutdown) return 'shutdown'
          if (cpu.halted) {
            cpu.words[RIP] = cpu.startLo
            cpu.words[RIP + 1] = cpu.startHi
            return 'halted'
          }
        }
        return 'running'
      } finally {
        release?.()
      }
    },

    read(): Registers {
      const status = cpu.words[STATUS]!
      const msr = new Map<number, bigint>()
      for (const { index, slot } of machine.msrs.all()) msr.set(index, cpu.get64(slot))
      return {
        gpr: Object.fromEntries(GPR_NAMES.map((name, n) => [name, cpu.get64(GPR + 2 * n)])) as Registers['gpr'],
        rip: cpu.rip,
        rflags: cpu.rflags,
        cpl: cpu.cpl,
        segments: Object.fromEntries(
          SEGMENT_NAMES.map((name, n) => [name, cpu.segment(n as SegmentNumber)]),
        ) as Registers['segments'],
        gdtr: { base: cpu.get64(GDTR), limit: cpu.words[GDTR + TABLE_LIMIT]! },
        idtr: { base: cpu.get64(IDTR), limit: cpu.words[IDTR + TABLE_LIMIT]! },
        control: Object.fromEntries(
          CONTROL_NAMES.map((name) => [name, cpu.get64(CONTROL_SLOTS[name])]),
        ) as Registers['control'],
        msr,
        ssp: cpu.ssp,
        blocking: {
          nmi: (status & BLOCKED_BY_NMI) !== 0,
          sti: (status & BLOCKED_BY_STI) !== 0,
          movss: (status & BLOCKED_BY_MOV_SS) !== 0,
        },
      }
    },

    readMemory: (address, length) => space.read(address, length),
  }
}

/** Tells the mnemonics of instructions that begin; a driver has no other use for the trace. */
function observeMnemonics(machine: Machine, executed: (mnemonic: string) => void): () => void {
  return machine.observe({ instruction: (_cpu, insn) => executed(insn.mnemonic) })
}

/** Writes bytes where an identity mapping has them, whether their pages are mapped or not. */
function writePhysical(memory: PhysicalMemory, address: bigint, bytes: Uint8Array): void {
  let done = 0
  while (done < bytes.length) {
    const at = BigInt.asUintN(64, address + BigInt(done))
    const offset = Number(at & 0xfffn)
    const count = Math.min(PAGE_SIZE - offset, bytes.length - done)
    memory.writable(memory.indexOf(Number(at >> 12n))).bytes.set(bytes.subarray(done, done + count), offset)
    done += count
  }
}
