import {
  ARITHMETIC_FLAGS,
  BLOCKED_BY_NMI,
  type Cpu,
  CR0_AM,
  CR0_EM,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR3,
  CR4_PAE,
  CS,
  DS,
  ES,
  FS,
  GS,
  type HostRoutine,
  IDTR,
  type Machine,
  RFLAGS_FIXED,
  type SegmentNumber,
  SS,
  STATUS,
  TABLE_LIMIT,
} from '@trapframe/core'
import { CRASH_KERNEL, CRASH_KERNEL_32, endOf, IDENTITY_CR3, RELOC_STACK } from './memory/layout.js'

const COMPAT_CODE = 8
const COMPAT_DATA = 16
const ALL_DATA: readonly (readonly [string, SegmentNumber])[] = [
  ['DS', DS],
  ['ES', ES],
  ['FS', FS],
  ['GS', GS],
  ['SS', SS],
]

/**
 * What of a CPU's state is not as an image is promised to find it; empty where everything is. CR0 has PG and PE and none of
 * WP, AM, TS and EM; CR4 is PAE alone, so that CET, PCID and FRED are off; the IDT is null; interrupts are off and NMIs are
 * not blocked; RFLAGS is 2 but for the arithmetic flags; the page tables map memory to itself, and the stack is one of theirs. A 64-bit image starts in
 * 64-bit mode; a 32-bit one in compatibility mode with flat segments, and would turn paging off next, which is not modelled.
 */
export function arrivalFaults(cpu: Cpu, image: '64-bit' | '32-bit'): readonly string[] {
  const faults: string[] = []
  const want = (holds: boolean, what: string): void => void (holds || faults.push(what))
  const cr0 = Number(cpu.cr0 & 0xffff_ffffn)
  const set = (CR0_PG | CR0_PE) >>> 0
  const clear = CR0_WP | CR0_AM | CR0_TS | CR0_EM
  want((cr0 & set) >>> 0 === set && (cr0 & clear) === 0, `CR0 is ${cr0.toString(16)}`)
  want(cpu.cr4 === BigInt(CR4_PAE), `CR4 is ${cpu.cr4.toString(16)}`)
  want(cpu.get64(CR3) === IDENTITY_CR3, `CR3 is ${cpu.get64(CR3).toString(16)}`)
  want(cpu.get64(IDTR) === 0n && cpu.words[IDTR + TABLE_LIMIT] === 0, 'there is an IDT')
  want((cpu.rflags & ~BigInt(ARITHMETIC_FLAGS)) === BigInt(RFLAGS_FIXED), `RFLAGS is ${cpu.rflags.toString(16)}`)
  want((cpu.words[STATUS]! & BLOCKED_BY_NMI) === 0, 'NMIs are blocked')
  want(cpu.rsp > RELOC_STACK.linear && cpu.rsp <= endOf(RELOC_STACK), `RSP is ${cpu.rsp.toString(16)}`)
  want(cpu.cpl === 0, `CPL is ${cpu.cpl}`)
  if (image === '64-bit') {
    want(cpu.codeSize === 64, `the code has ${cpu.codeSize} bits`)
  } else {
    want(cpu.codeSize === 32, `the code has ${cpu.codeSize} bits`)
    want(cpu.segment(CS).selector === COMPAT_CODE, `CS is ${cpu.segment(CS).selector.toString(16)}`)
    for (const [name, n] of ALL_DATA) {
      const { selector, base } = cpu.segment(n)
      want(selector === COMPAT_DATA && base === 0n, `${name} is ${selector.toString(16)}`)
    }
  }
  return faults
}

/** What stands in for the crash kernel: says how control came, and halts. The bytes are the same in 32-bit code. */
export const CRASH_KERNEL_CODE = Uint8Array.of(0x90, 0xf4, 0xeb, 0xfd)

/** Binds the stand-in to the entries of both kinds of image. */
export function bindCrashKernel(machine: Machine): void {
  const bind = (address: bigint, image: '64-bit' | '32-bit'): void => {
    const routine: HostRoutine = {
      name: image === '64-bit' ? 'crash_kernel' : 'crash_kernel_32',
      run(_machine, cpu) {
        const faults = arrivalFaults(cpu, image)
        const how = faults.length === 0 ? 'as documented' : `but ${faults.join(', ')}`
        cpu.machine.log(`Crash kernel, ${image}: entered on CPU ${cpu.id}, ${how}`, cpu)
        cpu.rip += 1n
      },
    }
    machine.bindRoutine(address, routine)
  }
  bind(CRASH_KERNEL.linear, '64-bit')
  bind(CRASH_KERNEL_32, '32-bit')
}
