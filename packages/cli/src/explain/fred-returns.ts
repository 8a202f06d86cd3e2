import {
  type Cpu,
  type Decoded,
  type DeliveryStep,
  PL0_SSP,
  VECTOR_CP,
  VECTOR_GP,
  VECTOR_PF,
  VECTOR_SS,
  VECTOR_UD,
} from '@trapframe/core'
import { CONFIG_CSL, IA32_FRED_CONFIG } from '@trapframe/fred'
import type { Explainer, Names, Plan } from './explanation.js'
import { imageWords, seeImage } from './frame-image.js'
import { flagsChange, hex, wordsOf } from './words.js'

const ALLOWED = 0
const POPPED = 1
const IMAGE = 2
const SHADOW = 3
const LOADED = 4
const FLAGS = 5
const BITS = 6
/** ERETS: the stack level; ERETU: GS base. */
const LAST = 7

const common = (manual: string): readonly [DeliveryStep, DeliveryStep] => [
  { stage: 'frame', text: 'the frame above its error code can be read', fault: { vector: VECTOR_PF }, manual },
  {
    stage: 'registers',
    text: 'STI blocking, a pending single step and the unblocking of NMIs are as the bits of the SS image say',
    manual,
  },
]

function steps(
  manual: string,
  parts: Readonly<Record<'allowed' | 'image' | 'shadow' | 'loaded' | 'last', string>>,
): DeliveryStep[] {
  const [popped, bits] = common(manual)
  const gp = { vector: VECTOR_GP, errorCode: '0' }
  return [
    { stage: 'entry point', text: parts.allowed, fault: { vector: VECTOR_UD }, manual },
    popped,
    { stage: 'frame', text: parts.image, fault: gp, manual },
    { stage: 'shadow stack', text: parts.shadow, fault: { vector: VECTOR_CP, errorCode: '2' }, manual },
    { stage: 'registers', text: parts.loaded, manual },
    { stage: 'registers', text: 'RFLAGS is loaded', manual },
    bits,
    { stage: 'registers', text: parts.last, manual },
  ]
}

const ERETS_STEPS = steps('SDM 2 ERETS', {
  allowed: 'FRED is on, and CPL is 0',
  image: 'RIP is canonical, CS and SS are the current ones, no reserved bit is set (A16)',
  shadow: 'shadow stacks: CS and linear RIP there are the popped ones, and a level that is left is empty (A6)',
  loaded: 'RIP and RSP are loaded; CS and SS stay',
  last: 'the stack level becomes the lower of the current one and the frame’s',
})

const ERETU_STEPS = steps('SDM 2 ERETU', {
  allowed: 'FRED is on, CPL is 0, and the stack level is 0',
  image: 'CS and SS have RPL 3 and are IA32_STAR’s or pass IRET’s checks, no reserved bit is set (A16)',
  shadow: 'shadow stacks: SSP is back where IA32_PL0_SSP says that the stack starts (A6)',
  loaded: 'RIP, RSP, CS and SS are loaded, CPL becomes 3',
  last: 'GS base and IA32_KERNEL_GS_BASE change places (A1)',
})

const config = (cpu: Cpu): bigint => {
  const msr = cpu.machine.msrs.get(IA32_FRED_CONFIG)
  return msr === undefined ? 0n : cpu.get64(msr.slot)
}

const levelOf = (cpu: Cpu): number => Number(config(cpu)) & CONFIG_CSL

function explainer(title: string, list: readonly DeliveryStep[], toUser: boolean): Explainer<Decoded> {
  return {
    title,
    steps: list,
    plan(cpu: Cpu, _insn: Decoded, names: Names): Plan {
      const { rflags, gsBase } = cpu
      const image = seeImage(cpu, cpu.rsp + 8n)
      const level = levelOf(cpu)
      const shadow = cpu.supervisorShadowStack
      const ss = image === null ? 0 : Number((image.ss >> 16n) & 7n)
      const bits = [
        (ss & 1) !== 0 && 'STI blocking',
        (ss & 2) !== 0 && 'software event',
        (ss & 4) !== 0 && 'NMI',
      ].filter(Boolean)
      return {
        idle: new Set(shadow ? [] : [SHADOW]),
        words: wordsOf([
          [ALLOWED, toUser ? `CPL ${cpu.cpl}, stack level ${level}` : `CPL ${cpu.cpl}`],
          [POPPED, imageWords(image, cpu.rsp, names)],
          [SHADOW, toUser ? `SSP ${hex(cpu.ssp)}, IA32_PL0_SSP ${hex(cpu.get64(PL0_SSP))}` : `SSP ${hex(cpu.ssp)}`],
          [BITS, bits.length === 0 ? 'none of them is set' : `${bits.join(', ')} set`],
        ]),
        failedAt({ vector }) {
          if (vector === VECTOR_UD) return ALLOWED
          if (vector === VECTOR_CP) return SHADOW
          if (vector === VECTOR_PF || vector === VECTOR_SS) return image === null || !shadow ? POPPED : SHADOW
          return toUser && level !== 0 ? ALLOWED : IMAGE
        },
        after(now) {
          const to = levelOf(now)
          return wordsOf([
            [
              LOADED,
              `RIP ${names.address(now.rip)}, RSP ${hex(now.rsp)}, CPL ${now.cpl}${now.shadowStack ? `, SSP ${hex(now.ssp)}` : ''}`,
            ],
            [FLAGS, flagsChange(rflags, now.rflags)],
            [
              LAST,
              toUser
                ? `GS base ${hex(gsBase)} → ${hex(now.gsBase)}`
                : `stack level ${level === to ? to : `${level} → ${to}`}`,
            ],
          ])
        },
      }
    },
  }
}

/** ERETS in words: the return from an event in ring 0. */
export const ERETS = explainer('ERETS', ERETS_STEPS, false)
/** ERETU in words: the return to ring 3. */
export const ERETU = explainer('ERETU', ERETU_STEPS, true)
