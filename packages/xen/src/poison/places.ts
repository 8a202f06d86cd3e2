import { type Cpu, readMsr, tssIstOffset, writeMsr } from '@trapframe/core'
import { CONFIG_INTERRUPT_LEVEL_SHIFT, IA32_FRED_CONFIG, IA32_FRED_RSP0, IA32_FRED_STKLVLS } from '@trapframe/fred'
import { GATE_BYTES } from '@trapframe/idt'
import type { Revision } from '../boot/decision.js'
import { gdtBase, idtPage, stackOf, tssPage } from '../layout/memory.js'
import { IST_DB, IST_NMI, istTop } from '../layout/stack.js'
import { type FirstEvent, INTERRUPT_VECTOR } from './events.js'

/** A poisoned stack pointer, and how an event is sent there by mistake: what the poison is against (X5, X6). */
export interface PoisonedPlace {
  readonly name: string
  readonly delivery: 'idt' | 'fred'
  readonly revisions: readonly Revision[]
  /** It matters only with shadow stacks. */
  readonly shadowStacksOnly?: boolean
  /** Where the event comes from. */
  readonly from: 'host' | 'guest'
  send(cpu: Cpu, event: FirstEvent): void
}

const LEVEL_BITS = 3n

/** The event's vector, or all maskable interrupts, on a stack level. */
const onLevel =
  (level: number) =>
  (cpu: Cpu, { vector }: FirstEvent): void => {
    if (vector === null) {
      const shift = BigInt(CONFIG_INTERRUPT_LEVEL_SHIFT)
      writeMsr(cpu, IA32_FRED_CONFIG, readMsr(cpu, IA32_FRED_CONFIG) | (BigInt(level) << shift))
      return
    }
    const shift = BigInt(2 * vector)
    const others = readMsr(cpu, IA32_FRED_STKLVLS) & ~(LEVEL_BITS << shift)
    writeMsr(cpu, IA32_FRED_STKLVLS, others | (BigInt(level) << shift))
  }

const gateOf = (cpu: Cpu, { vector }: FirstEvent): bigint =>
  idtPage(cpu.id).linear + BigInt((vector ?? INTERRUPT_VECTOR) * GATE_BYTES)

/** Where a gate has its selector and its IST index. */
const GATE_SELECTOR = 2n
const GATE_IST = 4n

/** The event's gate, with a free IST index. */
const throughIst =
  (index: number) =>
  (cpu: Cpu, event: FirstEvent): void =>
    cpu.space.write(gateOf(cpu, event) + GATE_IST, Uint8Array.of(index))

/** A place in Xen's page of the GDT that is free, for 64-bit code of ring 1 or 2. */
const FREE_DESCRIPTOR = 0xe0a0
const CODE64 = 0x00af_9b00_0000_ffffn
const DPL_SHIFT = 45n

/** The event's gate, without IST, and with a code segment of a ring whose RSP nobody uses. */
const intoRing =
  (ring: number) =>
  (cpu: Cpu, event: FirstEvent): void => {
    const base = gdtBase(cpu.id) + BigInt(FREE_DESCRIPTOR)
    cpu.space.write64(base, CODE64 | (BigInt(ring) << DPL_SHIFT))
    const selector = FREE_DESCRIPTOR | ring
    cpu.space.write(gateOf(cpu, event) + GATE_IST, Uint8Array.of(0))
    cpu.space.write(gateOf(cpu, event) + GATE_SELECTOR, Uint8Array.of(selector & 0xff, selector >> 8))
  }

/** The level's RSP mended, so that its SSP alone is poison. */
const onLevelWithRsp =
  (level: number, index: number) =>
  (cpu: Cpu, event: FirstEvent): void => {
    writeMsr(cpu, IA32_FRED_RSP0 + level, istTop(stackOf(cpu.id).linear, index))
    onLevel(level)(cpu, event)
  }

/** The IST entry mended, so that its entry of the shadow-stack table alone is poison. */
const throughIstWithRsp =
  (index: number, good: number) =>
  (cpu: Cpu, event: FirstEvent): void => {
    const { linear } = tssPage(cpu.id)
    cpu.space.write64(linear + BigInt(tssIstOffset(index)), istTop(stackOf(cpu.id).linear, good))
    throughIst(index)(cpu, event)
  }

/** Every poisoned pointer: two levels by the RFC, one in Xen's own code, the free IST entries, and the rings in between. */
export const POISONED_PLACES: readonly PoisonedPlace[] = [
  { name: 'SL1', delivery: 'fred', revisions: ['rfc', 'upstream'], from: 'host', send: onLevel(1) },
  { name: 'SL2', delivery: 'fred', revisions: ['rfc'], from: 'host', send: onLevel(2) },
  {
    name: 'SSP1',
    delivery: 'fred',
    revisions: ['rfc'],
    shadowStacksOnly: true,
    from: 'host',
    send: onLevelWithRsp(1, IST_DB),
  },
  {
    name: 'SSP2',
    delivery: 'fred',
    revisions: ['rfc'],
    shadowStacksOnly: true,
    from: 'host',
    send: onLevelWithRsp(2, IST_NMI),
  },
  { name: 'IST5', delivery: 'idt', revisions: ['rfc'], from: 'host', send: throughIst(5) },
  {
    name: 'ISST[5]',
    delivery: 'idt',
    revisions: ['rfc'],
    shadowStacksOnly: true,
    from: 'host',
    send: throughIstWithRsp(5, IST_DB),
  },
  { name: 'RSP1', delivery: 'idt', revisions: ['rfc'], from: 'guest', send: intoRing(1) },
]
