import {
  BLOCKED_BY_NMI,
  type Cpu,
  type Decoded,
  type DeliveryStep,
  NT,
  STATUS,
  VECTOR_CP,
  VECTOR_GP,
  VECTOR_NP,
  VECTOR_PF,
  VECTOR_SS,
} from '@trapframe/core'
import { seeSegment } from './descriptor.js'
import type { Explainer, Names, Plan } from './explanation.js'
import { imageWords, seeImage } from './frame-image.js'
import { canonical, flagsChange, hex, wordsOf } from './words.js'

const MANUAL = 'SDM 2A IRET'
const UNBLOCK = 0
const NESTED_TASK = 1
const POPPED = 2
const CODE = 3
const STACK = 4
const TARGET = 5
const SHADOW = 6
const LOADED = 7
const FLAGS = 8
const GS = 9

const STEPS: readonly DeliveryStep[] = [
  { stage: 'registers', text: 'NMIs unblock, even if a later check fails', manual: 'SDM 3C 28.2.3' },
  { stage: 'registers', text: 'NT is 0', fault: { vector: VECTOR_GP, errorCode: '0' }, manual: MANUAL },
  { stage: 'frame', text: 'RIP, CS, RFLAGS, RSP and SS can be popped', fault: { vector: VECTOR_PF }, manual: MANUAL },
  {
    stage: 'entry point',
    text: 'CS names code whose DPL fits the popped RPL, not below CPL, present',
    fault: { vector: VECTOR_GP, errorCode: 'selector' },
    manual: 'SDM 3A 5.8.6',
  },
  {
    stage: 'stack',
    text: 'SS is writable data of the same privilege, or null where that is allowed',
    fault: { vector: VECTOR_GP, errorCode: 'selector' },
    manual: 'SDM 3A 5.8.6',
  },
  { stage: 'entry point', text: 'RIP is canonical', fault: { vector: VECTOR_GP, errorCode: '0' }, manual: MANUAL },
  {
    stage: 'shadow stack',
    text: 'shadow stacks: CS and linear RIP there are the popped ones',
    fault: { vector: VECTOR_CP, errorCode: '2' },
    manual: 'SDM 1 17.2.3',
  },
  { stage: 'registers', text: 'CS, SS, RIP and RSP are loaded', manual: MANUAL },
  { stage: 'registers', text: 'RFLAGS is loaded: IF as IOPL allows, IOPL at CPL 0 alone', manual: MANUAL },
  { stage: 'registers', text: 'GS base stays: SWAPGS is software’s', manual: MANUAL },
]

/** IRET in long mode, in words. */
export const IRET: Explainer<Decoded> = {
  title: 'IRET',
  steps: STEPS,
  plan(cpu: Cpu, insn: Decoded, names: Names): Plan {
    const wide = insn.operandSize === 8
    const image = wide ? seeImage(cpu, cpu.rsp) : null
    const cs = image === null ? null : Number(image.cs & 0xffffn)
    const ss = image === null ? null : Number(image.ss & 0xffffn)
    const code = cs === null || (cs & 0xfffc) === 0 ? null : seeSegment(cpu, cs)
    const shadow = cpu.supervisorShadowStack || cpu.userShadowStack
    const { rflags, gsBase } = cpu
    return {
      idle: new Set(shadow ? [] : [SHADOW]),
      words: wordsOf([
        [UNBLOCK, (cpu.words[STATUS]! & BLOCKED_BY_NMI) === 0 ? 'NMIs were not blocked' : 'NMIs were blocked'],
        [
          POPPED,
          wide ? imageWords(image, cpu.rsp, names) : `${3 * insn.operandSize} bytes and more at RSP ${hex(cpu.rsp)}`,
        ],
        [CODE, code === null || cs === null ? null : `${code.words}; from ring ${cpu.cpl} to ring ${cs & 3}`],
        [STACK, ss === null ? null : `SS ${hex(ss)}${(ss & 0xfffc) === 0 ? ', null' : ''}`],
      ]),
      failedAt({ vector, errorCode }) {
        if (vector === VECTOR_PF || (vector === VECTOR_SS && errorCode === 0)) return POPPED
        if (vector === VECTOR_SS) return STACK
        if (vector === VECTOR_NP) return CODE
        if (vector === VECTOR_CP) return SHADOW
        if (vector !== VECTOR_GP) return POPPED
        if ((Number(rflags) & NT) !== 0) return NESTED_TASK
        if (errorCode !== 0) return cs !== null && errorCode === (cs & 0xfffc) ? CODE : STACK
        if (cs !== null && (cs & 0xfffc) === 0) return CODE
        return image !== null && !canonical(cpu, image.rip) ? TARGET : STACK
      },
      after: (now) =>
        wordsOf([
          [
            LOADED,
            `RIP ${names.address(now.rip)}, CPL ${now.cpl}, RSP ${hex(now.rsp)}${shadow ? `, SSP ${hex(now.ssp)}` : ''}`,
          ],
          [FLAGS, flagsChange(rflags, now.rflags)],
          [GS, `GS base ${hex(gsBase)}`],
        ]),
    }
  },
}
