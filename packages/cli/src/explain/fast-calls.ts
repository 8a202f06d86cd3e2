import {
  type Cpu,
  CS_SELECTOR,
  type Decoded,
  type DeliveryStep,
  EFER_SCE,
  FMASK,
  RCX,
  RDX,
  STAR,
  VECTOR_GP,
  VECTOR_UD,
} from '@trapframe/core'
import type { Explainer, Names, Plan } from './explanation.js'
import { flagsChange, hex, wordsOf } from './words.js'

const CHECKS = 0
const TARGET = 1
const STACK = 2
const SEGMENTS = 3
const FLAGS = 4
const GS = 5

/** What the four instructions say about each of their steps, before and after. */
interface FastCall {
  readonly title: string
  readonly manual: string
  readonly steps: readonly [checks: string, target: string, stack: string, segments: string, flags: string]
  readonly fault: number
  before(cpu: Cpu, names: Names): readonly [checks: string, target: string | null, stack: string]
}

const fastCall = ({ title, manual, steps, fault, before }: FastCall): Explainer<Decoded> => {
  const [checks, target, stack, segments, flags] = steps
  const list: readonly DeliveryStep[] = [
    {
      stage: 'entry point',
      text: checks,
      fault: { vector: fault, ...(fault === VECTOR_GP ? { errorCode: '0' } : {}) },
      manual,
    },
    { stage: 'entry point', text: target, manual },
    { stage: 'stack', text: stack, manual },
    { stage: 'registers', text: segments, manual },
    { stage: 'registers', text: flags, manual },
    { stage: 'registers', text: 'GS base stays: SWAPGS is software’s', manual },
  ]
  return {
    title,
    steps: list,
    plan(cpu: Cpu, _insn: Decoded, names: Names): Plan {
      const { rflags } = cpu
      const [found, from, on] = before(cpu, names)
      return {
        idle: new Set(),
        words: wordsOf([
          [CHECKS, found],
          [TARGET, from],
          [STACK, on],
        ]),
        failedAt: () => CHECKS,
        after: (now) =>
          wordsOf([
            [TARGET, `${from === null ? '' : `${from}: `}RIP ${names.address(now.rip)}`],
            [STACK, `RSP ${hex(now.rsp)}${on === '' ? '' : `, ${on}`}`],
            [SEGMENTS, `CS ${hex(now.words[CS_SELECTOR]! & 0xffff)}, CPL ${now.cpl}`],
            [FLAGS, flagsChange(rflags, now.rflags)],
            [GS, `GS base ${hex(now.gsBase)}`],
          ]),
      }
    },
  }
}

const sce = (cpu: Cpu): string => `EFER.SCE is ${(cpu.efer & BigInt(EFER_SCE)) === 0n ? 0 : 1}, CPL ${cpu.cpl}`
const star = (cpu: Cpu): string => hex(cpu.words[STAR + 1]! >>> 0)

/** SYSCALL where it is no event: no stack is switched and no frame pushed. */
export const SYSCALL = fastCall({
  title: 'SYSCALL',
  manual: 'SDM 2B SYSCALL',
  fault: VECTOR_UD,
  steps: [
    'EFER.SCE is 1',
    'RIP comes from IA32_LSTAR; RCX keeps the old one',
    'no stack is switched and no frame pushed: RSP stays the caller’s',
    'CS and SS become the fixed segments of IA32_STAR[47:32], CPL 0',
    'RFLAGS loses the bits of IA32_FMASK; R11 keeps the old one',
  ],
  before: (cpu, names) => [
    `${sce(cpu)}, IA32_STAR[63:32] is ${star(cpu)}, IA32_FMASK ${hex(cpu.get64(FMASK))}`,
    null,
    `the caller’s: ${names.pointer(cpu.rsp)}`,
  ],
})

/** SYSRET: RSP is what software loaded. */
export const SYSRET = fastCall({
  title: 'SYSRET',
  manual: 'SDM 2B SYSRET',
  fault: VECTOR_GP,
  steps: [
    'EFER.SCE is 1, CPL is 0, and RCX is canonical where the vendor checks it here',
    'RIP comes from RCX',
    'RSP stays: what software has loaded',
    'CS and SS become the fixed segments of IA32_STAR[63:48], CPL 3',
    'RFLAGS comes from R11',
  ],
  before: (cpu, names) => [`${sce(cpu)}, RCX ${hex(cpu.get64(RCX))}`, null, names.pointer(cpu.rsp)],
})

/** SYSENTER where it is no event. */
export const SYSENTER = fastCall({
  title: 'SYSENTER',
  manual: 'SDM 2B SYSENTER',
  fault: VECTOR_GP,
  steps: [
    'IA32_SYSENTER_CS is not null',
    'RIP comes from IA32_SYSENTER_EIP',
    'RSP comes from IA32_SYSENTER_ESP',
    'CS and SS become fixed segments of ring 0, CPL 0',
    'VM and IF are cleared, and nothing else: NT and TF stay the caller’s',
  ],
  before: (cpu) => [`IA32_SYSENTER_CS is ${hex(namedMsr(cpu, 'IA32_SYSENTER_CS'))}`, null, ''],
})

/** SYSEXIT: RIP from RDX, RSP from RCX. */
export const SYSEXIT = fastCall({
  title: 'SYSEXIT',
  manual: 'SDM 2B SYSEXIT',
  fault: VECTOR_GP,
  steps: [
    'IA32_SYSENTER_CS is not null, CPL is 0, and RCX and RDX are canonical',
    'RIP comes from RDX',
    'RSP comes from RCX',
    'CS and SS become fixed segments of ring 3, CPL 3',
    'RFLAGS stays',
  ],
  before: (cpu) => [`CPL ${cpu.cpl}, RDX ${hex(cpu.get64(RDX))}, RCX ${hex(cpu.get64(RCX))}`, null, ''],
})

const namedMsr = (cpu: Cpu, name: string): bigint => {
  const msr = cpu.machine.msrs.byName(name)
  return msr === undefined ? 0n : cpu.get64(msr.slot)
}
