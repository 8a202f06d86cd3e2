import type { Cpu } from '../cpu/cpu.js'
import {
  type CpuEvent,
  eventName,
  externalInterrupt,
  instructionEvent,
  isInstructionEvent,
  nmi,
  PRIVILEGED_SOFTWARE_EXCEPTION,
  SOFTWARE_EXCEPTION,
  SOFTWARE_INTERRUPT,
} from '../event/event.js'
import { Fault, faultEvent } from '../event/fault.js'
import type { Machine } from '../machine/machine.js'
import { PAGE_SHADOW_STACK, PAGE_WRITABLE } from '../memory/access.js'
import { RIP } from '../state/registers.js'
import { ContractError, hexOf } from './contract.js'

/** One event of each kind that an instruction or a device can cause under any mechanism. */
export const CONTRACT_EVENTS: readonly CpuEvent[] = [
  externalInterrupt(0x20),
  nmi(),
  ...[0, 1, 6, 8, 18].map((vector) => faultEvent(new Fault(vector), false)),
  faultEvent(new Fault(13, 0x18), false),
  faultEvent(new Fault(14, 2, 0x1000), false),
  instructionEvent(SOFTWARE_INTERRUPT, 0x80, 2),
  instructionEvent(PRIVILEGED_SOFTWARE_EXCEPTION, 1, 1),
  instructionEvent(SOFTWARE_EXCEPTION, 3, 1),
]

/** Puts RIP where the event reports it, as core does before a delivery. */
export function placeRip(cpu: Cpu, event: CpuEvent): void {
  cpu.startLo = cpu.words[RIP]!
  cpu.startHi = cpu.words[RIP + 1]!
  if (isInstructionEvent(event.type)) cpu.rip = BigInt.asUintN(64, cpu.rip + BigInt(event.length))
}

/**
 * Asks the active mechanism to deliver, as core does, and gives the Fault that it threw, or null where it committed.
 *
 * @throws ContractError for anything else that it throws
 */
export function attempt(cpu: Cpu, event: CpuEvent): Fault | null {
  cpu.ext = event.type === SOFTWARE_INTERRUPT || event.type === SOFTWARE_EXCEPTION ? 0 : 1
  cpu.delivering = true
  try {
    cpu.mechanism!.deliver(cpu, event)
    return null
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown
    const what = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : `${typeof thrown}, of another core?`
    throw new ContractError(`${eventName(event)}: deliver() threw something that is no Fault: ${what}`)
  } finally {
    cpu.delivering = false
    cpu.ext = 0
  }
}

/** What core derives from the registers, and what would be stale if a delivery had changed them for a moment. */
export const derivedOf = (cpu: Cpu): readonly unknown[] => [
  cpu.user,
  cpu.codeSize,
  cpu.alignmentChecked,
  cpu.endbranchTracking,
  cpu.supervisorShadowStack,
  cpu.userShadowStack,
  cpu.mechanism,
]

/** The pages that a delivery reads or writes, as lowest addresses. The machine is as it was afterwards. */
export function pagesOf(machine: Machine, cpu: Cpu, event: CpuEvent): readonly bigint[] {
  const pages = new Set<bigint>()
  const note = (_cpu: Cpu, lo: number, hi: number, bytes: number): void => {
    const address = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
    pages.add(address & ~0xfffn)
    pages.add((address + BigInt(bytes - 1)) & ~0xfffn)
  }
  const before = machine.snapshot()
  const unobserve = machine.observe({ loaded: note, stored: note })
  try {
    placeRip(cpu, event)
    attempt(cpu, event)
  } finally {
    unobserve()
    machine.restore(before)
  }
  return [...pages].sort((a, b) => (a < b ? -1 : 1))
}

/** Something that stands in the way of a delivery. */
export interface Damage {
  /** `page 0x1000 not present`. */
  readonly name: string
  apply(cpu: Cpu): void
}

/** What can be wrong with the pages that a delivery needs, and with the stack pointer. */
export function damagesFor(pages: readonly bigint[]): readonly Damage[] {
  const withFlags =
    (page: bigint, change: (flags: number) => number) =>
    ({ space }: Cpu): void => {
      const physical = space.physicalAt(page)
      if (physical !== null) space.map(page, change(space.flagsAt(page)), 1, physical)
    }
  return [
    ...pages.flatMap((page) => [
      { name: `page ${hexOf(page)} not present`, apply: ({ space }: Cpu) => space.unmap(page) },
      { name: `page ${hexOf(page)} read-only`, apply: withFlags(page, (flags) => flags & ~PAGE_WRITABLE) },
      {
        name: `page ${hexOf(page)} no shadow stack, or one`,
        apply: withFlags(page, (flags) => flags ^ PAGE_SHADOW_STACK),
      },
    ]),
    ...[0n, 4n, 1n << 62n].map((rsp) => ({
      name: `RSP ${hexOf(rsp)}`,
      apply: (cpu: Cpu) => {
        cpu.rsp = rsp
      },
    })),
  ]
}
