import {
  BLOCKED_BY_STI,
  type Cpu,
  type CpuEvent,
  CS_SELECTOR,
  EXTERNAL_INTERRUPT,
  type Fault,
  HARDWARE_EXCEPTION,
  NMI,
  OTHER_EVENT,
  PL0_SSP,
  SOFTWARE_INTERRUPT,
  SS_SELECTOR,
  STAR,
  STATUS,
  savedRflags,
  VECTOR_DF,
  VECTOR_GP,
  VECTOR_SS,
} from '@trapframe/core'
import {
  CONFIG_CSL,
  CONFIG_INTERRUPT_LEVEL_SHIFT,
  CONFIG_RED_ZONE,
  DELIVERY_STEPS,
  FRAME_BYTES,
  IA32_FRED_CONFIG,
  IA32_FRED_RSP0,
  IA32_FRED_SSP1,
  IA32_FRED_STKLVLS,
} from '@trapframe/fred'
import type { Explainer, Names, Plan } from './explanation.js'
import { flagsChange, hex, wordsOf } from './words.js'

// Steps of DELIVERY_STEPS by their numbers from 0.
const ENTRY = 0
const LEVEL = 1
const STACK = 2
const SSP_BIT = 3
const FRAME_PLACE = 4
const FRAME_WRITE = 5
const SHADOW_PLACE = 6
const SHADOW_WRITE = 7
const SEGMENTS = 8
const GS = 9
const LOADED = 10
const FLAGS = 11
const BLOCKING = 13

/** FRED delivery in words, by the steps of `@trapframe/fred`. */
export const FRED_DELIVERY: Explainer<CpuEvent> = {
  title: 'FRED delivery',
  steps: DELIVERY_STEPS,
  plan: (cpu, event, names) => new FredPlan(cpu, event, names),
}

class FredPlan implements Plan {
  readonly idle = new Set<number>()
  readonly words: ReadonlyMap<number, string>
  readonly #names: Names
  readonly #event: CpuEvent
  readonly #frame: bigint
  readonly #before: { readonly rflags: bigint; readonly gsBase: bigint; readonly level: number }

  constructor(cpu: Cpu, event: CpuEvent, names: Names) {
    this.#names = names
    this.#event = event
    const config = msr(cpu, IA32_FRED_CONFIG)
    const fromRing3 = cpu.cpl === 3
    const current = fromRing3 ? 0 : Number(config) & CONFIG_CSL
    const asked = askedLevel(cpu, event, fromRing3, config)
    const level = Math.max(current, asked.level)
    const switches = fromRing3 || level > current
    const redZone = BigInt(Number(config) & CONFIG_RED_ZONE)
    const top = switches ? msr(cpu, IA32_FRED_RSP0 + level) & -64n : (cpu.rsp - redZone) & -64n
    this.#frame = BigInt.asUintN(64, top - BigInt(FRAME_BYTES))
    this.#before = { rflags: cpu.rflags, gsBase: cpu.gsBase, level: current }
    const shadow = cpu.supervisorShadowStack
    if (!(shadow && switches)) this.idle.add(SSP_BIT)
    if (!shadow || fromRing3) this.idle.add(SHADOW_PLACE).add(SHADOW_WRITE)
    if (!fromRing3) this.idle.add(SEGMENTS).add(GS)

    const page = BigInt.asUintN(64, config & ~0xfffn)
    const entry = page + (fromRing3 ? 0n : 256n)
    const ssp = level === 0 ? cpu.get64(PL0_SSP) : msr(cpu, IA32_FRED_SSP1 + level - 1)
    const name = level === 0 ? 'IA32_PL0_SSP' : `IA32_FRED_SSP${level}`
    this.words = wordsOf([
      [ENTRY, `IA32_FRED_CONFIG ${hex(config)}, from ring ${fromRing3 ? 3 : 0}: ${names.address(entry)}`],
      [LEVEL, `${asked.words}${fromRing3 ? '' : `; current level ${current}`}: level ${level}`],
      [
        STACK,
        switches
          ? `IA32_FRED_RSP${level}: ${hex(msr(cpu, IA32_FRED_RSP0 + level))}`
          : `the level stays, and so does the stack: RSP ${hex(cpu.rsp)}${redZone === 0n ? '' : ` less a red zone of ${redZone} bytes`}, aligned down to 64: ${hex(BigInt.asUintN(64, top))}`,
      ],
      [SSP_BIT, `${name}: ${hex(ssp)}`],
      [FRAME_WRITE, this.#frameWords(cpu)],
      [SEGMENTS, `IA32_STAR[47:32] = ${hex(cpu.words[STAR + 1]! & 0xffff)}`],
    ])
  }

  #frameWords(cpu: Cpu): string {
    const { type, vector, hasErrorCode, errorCode, dataLo, dataHi, length, nested } = this.#event
    const data = (BigInt(dataHi >>> 0) << 32n) | BigInt(dataLo >>> 0)
    const bits = [
      `type ${type} vector ${vector}`,
      ...(length > 0 ? [`length ${length}`] : []),
      ...(type === NMI ? ['NMI bit'] : []),
      ...(type === SOFTWARE_INTERRUPT || type === OTHER_EVENT ? ['software-event bit'] : []),
      ...(nested ? ['nested bit'] : []),
      ...((cpu.words[STATUS]! & BLOCKED_BY_STI) === 0 ? [] : ['STI blocking']),
    ]
    const fields = [
      `event data ${hex(data)}`,
      `SS ${hex(cpu.words[SS_SELECTOR]! & 0xffff)} (${bits.join(', ')})`,
      `RSP ${hex(cpu.rsp)}`,
      `RFLAGS ${hex(savedRflags(cpu, this.#event))}`,
      `CS ${hex(cpu.words[CS_SELECTOR]! & 0xffff)} (level ${this.#before.level})`,
      `RIP ${this.#names.address(cpu.rip)}`,
      `error code ${hasErrorCode ? hex(errorCode) : 0}`,
    ]
    return `64 bytes at ${this.#names.stack(this.#frame)}, from the top down: ${fields.join(', ')}`
  }

  failedAt(fault: Fault): number {
    if (fault.vector === VECTOR_SS) return FRAME_PLACE
    if (fault.vector === VECTOR_GP) return this.idle.has(SSP_BIT) ? SHADOW_PLACE : SSP_BIT
    const at = (BigInt(fault.dataHi >>> 0) << 32n) | BigInt(fault.dataLo >>> 0)
    return at >= this.#frame && at < this.#frame + BigInt(FRAME_BYTES) ? FRAME_WRITE : SHADOW_WRITE
  }

  after(cpu: Cpu): ReadonlyMap<number, string> {
    const { rflags, gsBase, level } = this.#before
    const now = Number(msr(cpu, IA32_FRED_CONFIG)) & CONFIG_CSL
    const shadow = cpu.supervisorShadowStack ? `, SSP ${hex(cpu.ssp)}` : ''
    return wordsOf([
      [SHADOW_WRITE, this.idle.has(SHADOW_WRITE) ? null : `CS, linear RIP and the old SSP at ${hex(cpu.ssp)}`],
      [
        SEGMENTS,
        this.idle.has(SEGMENTS)
          ? null
          : `CS ${hex(cpu.words[CS_SELECTOR]! & 0xffff)}, SS ${hex(cpu.words[SS_SELECTOR]! & 0xffff)}, CPL 0`,
      ],
      [GS, this.idle.has(GS) ? null : `GS base ${hex(gsBase)} → ${hex(cpu.gsBase)}`],
      [
        LOADED,
        `RIP ${this.#names.address(cpu.rip)}, RSP ${hex(cpu.rsp)}, stack level ${level === now ? now : `${level} → ${now}`}${shadow}`,
      ],
      [FLAGS, flagsChange(rflags, cpu.rflags)],
      [BLOCKING, this.#event.type === NMI ? 'further NMIs are blocked until a return with the frame’s NMI bit' : null],
    ])
  }
}

const msr = (cpu: Cpu, index: number): bigint => {
  const found = cpu.machine.msrs.get(index)
  return found === undefined ? 0n : cpu.get64(found.slot)
}

/** The level that an event asks for, and why (A10, A11). */
function askedLevel(cpu: Cpu, event: CpuEvent, fromRing3: boolean, config: bigint): { level: number; words: string } {
  const { type, vector, nested } = event
  if (fromRing3 && !nested && (type !== HARDWARE_EXCEPTION || vector !== VECTOR_DF)) {
    return { level: 0, words: 'from ring 3' }
  }
  if (type === EXTERNAL_INTERRUPT) {
    const level = (Number(config & 0xfffn) >>> CONFIG_INTERRUPT_LEVEL_SHIFT) & 3
    return { level, words: `IA32_FRED_CONFIG[10:9] is ${level} for interrupts` }
  }
  if (type === SOFTWARE_INTERRUPT || type === OTHER_EVENT)
    return { level: 0, words: 'INT n, SYSCALL and SYSENTER ask for 0' }
  const low = 2 * (vector & 31)
  const level = Number((msr(cpu, IA32_FRED_STKLVLS) >> BigInt(low)) & 3n)
  return { level, words: `IA32_FRED_STKLVLS[${low + 1}:${low}] is ${level} for vector ${vector}` }
}
