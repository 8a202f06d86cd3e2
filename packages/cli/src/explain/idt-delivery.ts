import {
  type Cpu,
  type CpuEvent,
  CS_SELECTOR,
  dplOf,
  type Fault,
  IDTR,
  isCode,
  isConforming,
  isNull,
  NMI,
  PL0_SSP,
  SEGMENT_BASE,
  SEGMENT_LIMIT,
  SOFTWARE_EXCEPTION,
  SOFTWARE_INTERRUPT,
  SS_SELECTOR,
  savedRflags,
  segmentSlot,
  TABLE_LIMIT,
  TR,
  tssIstOffset,
  tssRspOffset,
  VECTOR_GP,
  VECTOR_NP,
  VECTOR_PF,
  VECTOR_SS,
  VECTOR_TS,
} from '@trapframe/core'
import {
  DELIVERY_STEPS,
  decodeGate,
  FRAME_BYTES,
  GATE_BYTES,
  type Gate,
  IA32_INTERRUPT_SSP_TABLE_ADDR,
} from '@trapframe/idt'
import { isFresh, seeSegment } from './descriptor.js'
import type { Explainer, Names, Plan } from './explanation.js'
import { canonical, flagsChange, hex, peek, wordsOf } from './words.js'

// Steps of DELIVERY_STEPS by their numbers from 0, in the manual's order.
const GATE_LIMIT = 0
const GATE_READ = 1
const GATE_TYPE = 2
const GATE_DPL = 3
const GATE_PRESENT = 4
const NULL_SELECTOR = 5
const TABLE = 6
const DESCRIPTOR_READ = 7
const CODE = 8
const CODE_PRESENT = 9
const TSS_LIMIT = 10
const TSS_READ = 11
const POINTER = 12
const SSP_TABLE = 13
const FRAME_PLACE = 14
const FRAME_WRITE = 15
const TARGET = 16
const ACCESSED = 17
const TOKEN_ALIGNED = 18
const TOKEN_WRITE = 19
const TOKEN_FREE = 20
const SHADOW_PUSH = 21
const INNER_SS = 22
const LOADED = 23
const FLAGS = 24
const GS_BASE_STAYS = 25
const ENDBRANCH = 26
const BLOCKING = 27

/** IDT delivery in words, by the steps of `@trapframe/idt`. */
export const IDT_DELIVERY: Explainer<CpuEvent> = {
  title: 'IDT delivery',
  steps: DELIVERY_STEPS,
  plan: (cpu, event, names) => new IdtPlan(cpu, event, names),
}

/** What can be seen of a delivery before it begins: gate, code segment, stack. Later parts are null where earlier ones are. */
class IdtPlan implements Plan {
  readonly idle = new Set<number>()
  readonly words: ReadonlyMap<number, string>
  readonly #cpu: Cpu
  readonly #event: CpuEvent
  readonly #names: Names
  readonly #gateAddress: bigint
  readonly #gateInTable: boolean
  readonly #gate: Gate | null
  /** The descriptor's address; null where there is none to look for. */
  readonly #descriptor: bigint | null = null
  readonly #outsideTable: boolean = false
  readonly #tssPlace: bigint | null = null
  readonly #pointer: bigint | null
  readonly #sspTable: bigint | null = null
  readonly #token: bigint | null = null
  readonly #before: { readonly rflags: bigint; readonly gsBase: bigint }

  constructor(cpu: Cpu, event: CpuEvent, names: Names) {
    this.#cpu = cpu
    this.#event = event
    this.#names = names
    this.#before = { rflags: cpu.rflags, gsBase: cpu.gsBase }
    const oldCpl = cpu.cpl
    const offset = event.vector * GATE_BYTES
    this.#gateInTable = offset + GATE_BYTES - 1 <= cpu.words[IDTR + TABLE_LIMIT]!
    this.#gateAddress = BigInt.asUintN(64, cpu.get64(IDTR) + BigInt(offset))
    const bytes = this.#gateInTable ? peek(cpu, this.#gateAddress, GATE_BYTES) : null
    const gate = bytes === null ? null : decodeGate(new Uint8Array(bytes.buffer))
    this.#gate = gate
    const segment = gate === null || isNull(gate.selector) ? null : seeSegment(cpu, gate.selector)
    this.#descriptor = segment?.address ?? null
    this.#outsideTable = segment !== null && !segment.inTable
    const access = segment?.access ?? null
    const dpl = access === null ? oldCpl : dplOf(access)
    const inward = access !== null && dpl < oldCpl && !isConforming(access)
    const ist = gate?.ist ?? 0
    const switches = inward || ist !== 0
    const cpl = inward ? dpl : oldCpl
    const shadow = cpl === 3 ? cpu.userShadowStack : cpu.supervisorShadowStack

    const source = ist === 0 ? `RSP${dpl}` : `IST${ist}`
    if (switches) {
      const field = ist === 0 ? tssRspOffset(dpl) : tssIstOffset(ist)
      const tr = segmentSlot(TR)
      this.#tssPlace = BigInt.asUintN(64, cpu.get64(tr + SEGMENT_BASE) + BigInt(field))
      const covered = field + 7 <= cpu.words[tr + SEGMENT_LIMIT]! >>> 0
      this.#pointer = covered ? (peek(cpu, this.#tssPlace, 8)?.getBigUint64(0, true) ?? null) : null
    } else {
      this.#pointer = cpu.rsp
    }
    if (shadow && switches) {
      if (ist === 0) this.#token = cpu.get64(PL0_SSP + 2 * dpl)
      else {
        const msr = cpu.machine.msrs.get(IA32_INTERRUPT_SSP_TABLE_ADDR)
        this.#sspTable = msr === undefined ? null : BigInt.asUintN(64, cpu.get64(msr.slot) + BigInt(ist << 3))
        this.#token = this.#sspTable === null ? null : (peek(cpu, this.#sspTable, 8)?.getBigUint64(0, true) ?? null)
      }
    }

    const idle = (condition: boolean, ...steps: number[]): void => {
      if (condition) for (const step of steps) this.idle.add(step)
    }
    idle(event.type !== SOFTWARE_INTERRUPT && event.type !== SOFTWARE_EXCEPTION, GATE_DPL)
    idle(!switches, TSS_LIMIT, TSS_READ, POINTER)
    idle(!(shadow && ist !== 0), SSP_TABLE)
    idle(!isFresh(access), ACCESSED)
    idle(!(shadow && switches), TOKEN_ALIGNED, TOKEN_WRITE, TOKEN_FREE)
    idle(!shadow || (inward && oldCpl === 3), SHADOW_PUSH)
    idle(!inward, INNER_SS)
    idle(!cpu.endbranchTracking && cpl === oldCpl, ENDBRANCH)

    const ring = inward ? `from ring ${oldCpl} to ring ${dpl}` : `ring ${oldCpl} stays`
    const from = ist === 0 ? `the ring changes, so RSP comes from ${source} of the TSS` : `the gate names ${source}`
    const top = this.#pointer
    this.words = wordsOf([
      [
        GATE_LIMIT,
        this.#gateInTable ? null : `gate ${event.vector} is beyond IDTR’s limit ${hex(cpu.words[IDTR + TABLE_LIMIT]!)}`,
      ],
      [GATE_READ, bytes === null ? `gate ${event.vector} at ${hex(this.#gateAddress)}` : null],
      [
        GATE_TYPE,
        bytes !== null && gate === null ? `gate ${event.vector} is neither an interrupt nor a trap gate` : null,
      ],
      [GATE_DPL, gate === null ? null : `gate ${event.vector} has DPL ${gate.dpl}, CPL is ${oldCpl}`],
      [
        GATE_PRESENT,
        gate &&
          `gate ${event.vector} at ${hex(this.#gateAddress)}: ${gate.type} gate, ${gate.present ? 'present' : 'not present'}, ${ist === 0 ? 'no IST' : `IST ${ist}`}`,
      ],
      [segment?.access != null && isCode(segment.access) ? CODE_PRESENT : CODE, segment && `${segment.words}; ${ring}`],
      [POINTER, switches ? `${from}, ${hex(this.#tssPlace!)}: ${top === null ? 'out of reach' : hex(top)}` : null],
      [
        SSP_TABLE,
        this.#sspTable === null
          ? null
          : `entry ${ist} at ${hex(this.#sspTable)}: ${this.#token === null ? 'not mapped' : hex(this.#token)}`,
      ],
      [
        FRAME_PLACE,
        switches ? null : `neither IST nor a change of rings: the frame goes on the current stack, RSP ${hex(cpu.rsp)}`,
      ],
      [FRAME_WRITE, top === null ? null : this.#frameWords(top)],
      [TARGET, gate && `the handler is ${names.address(gate.offset)}`],
      [TOKEN_FREE, this.#token === null ? null : this.#tokenWords(this.#token)],
    ])
  }

  #frameWords(top: bigint): string {
    const { rip, rsp, words } = this.#cpu
    const bytes = FRAME_BYTES + (this.#event.hasErrorCode ? 8 : 0)
    const at = BigInt.asUintN(64, (top & ~15n) - BigInt(bytes))
    const fields = [
      `SS ${hex(words[SS_SELECTOR]! & 0xffff)}`,
      `RSP ${hex(rsp)}`,
      `RFLAGS ${hex(savedRflags(this.#cpu, this.#event))}`,
      `CS ${hex(words[CS_SELECTOR]! & 0xffff)}`,
      `RIP ${this.#names.address(rip)}`,
      ...(this.#event.hasErrorCode ? [`error code ${hex(this.#event.errorCode)}`] : []),
    ]
    return `${bytes} bytes at ${this.#names.stack(at)}, from the top down: ${fields.join(', ')}`
  }

  #tokenWords(at: bigint): string {
    const token = peek(this.#cpu, at, 8)?.getBigUint64(0, true)
    if (token === undefined) return `token at ${hex(at)}, not mapped`
    const state = token === at ? 'free' : token === (at | 1n) ? 'busy' : 'not its own address'
    return `token at ${hex(at)} is ${hex(token)}: ${state}`
  }

  failedAt(fault: Fault): number {
    switch (fault.vector) {
      case VECTOR_TS:
        return TSS_LIMIT
      case VECTOR_NP:
        return (fault.errorCode & 2) !== 0 ? GATE_PRESENT : CODE_PRESENT
      case VECTOR_SS:
        return !this.idle.has(POINTER) && this.#pointer !== null && !canonical(this.#cpu, this.#pointer)
          ? POINTER
          : FRAME_PLACE
      case VECTOR_PF:
        return this.#pageFaultAt(fault)
      case VECTOR_GP:
        return this.#protectionAt(fault)
      default:
        return SHADOW_PUSH
    }
  }

  #protectionAt({ errorCode }: Fault): number {
    if ((errorCode & 2) !== 0) return !this.#gateInTable ? GATE_LIMIT : this.#gate === null ? GATE_TYPE : GATE_DPL
    if ((errorCode & 0xfffc) !== 0) return this.#outsideTable ? TABLE : CODE
    if (this.#gate !== null && isNull(this.#gate.selector)) return NULL_SELECTOR
    if (this.#gate !== null && !canonical(this.#cpu, this.#gate.offset)) return TARGET
    return this.#token !== null && (this.#token & 7n) !== 0n ? TOKEN_ALIGNED : TOKEN_FREE
  }

  /** Whose address it is: the parts of a delivery lie apart. */
  #pageFaultAt({ dataLo, dataHi, errorCode }: Fault): number {
    const at = (BigInt(dataHi >>> 0) << 32n) | BigInt(dataLo >>> 0)
    const within = (start: bigint | null, bytes: bigint): boolean => start !== null && at >= start && at < start + bytes
    const writes = (errorCode & 2) !== 0
    if (this.#token !== null && within(this.#token & ~7n, 8n)) return TOKEN_WRITE
    if ((errorCode & 0x40) !== 0) return SHADOW_PUSH
    if (!writes && within(this.#gateAddress, 16n)) return GATE_READ
    if (within(this.#descriptor, 8n)) return writes ? ACCESSED : DESCRIPTOR_READ
    if (!writes && within(this.#tssPlace, 8n)) return TSS_READ
    if (!writes && within(this.#sspTable, 8n)) return SSP_TABLE
    return FRAME_WRITE
  }

  after(cpu: Cpu): ReadonlyMap<number, string> {
    const { rflags, gsBase } = this.#before
    const shadow = cpu.shadowStack ? `, SSP ${hex(cpu.ssp)}` : ''
    return wordsOf([
      [SHADOW_PUSH, this.idle.has(SHADOW_PUSH) ? null : `CS, linear RIP and the old SSP at ${hex(cpu.ssp)}`],
      [INNER_SS, this.idle.has(INNER_SS) ? null : `SS ${hex(cpu.words[SS_SELECTOR]! & 0xffff)}`],
      [
        LOADED,
        `CS ${hex(cpu.words[CS_SELECTOR]! & 0xffff)}, CPL ${cpu.cpl}, RSP ${hex(cpu.rsp)}, RIP ${this.#names.address(cpu.rip)}${shadow}`,
      ],
      [FLAGS, flagsChange(rflags, cpu.rflags)],
      [GS_BASE_STAYS, `GS base ${hex(gsBase)} stays`],
      [BLOCKING, this.#event.type === NMI ? 'further NMIs are blocked until IRET' : null],
    ])
  }
}
