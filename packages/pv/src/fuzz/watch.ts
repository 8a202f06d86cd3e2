import {
  type Cpu,
  FS_BASE,
  GS_BASE,
  IF,
  IOPL,
  KERNEL_GS_BASE,
  PAGE_SIZE,
  PAGE_USER,
  RFLAGS,
  RIP,
  type Snapshot,
  VM,
} from '@trapframe/core'
import { gdtBase, guestUserRegs, LDT_SELECTOR, PER_CPU, vcpuOf } from '@trapframe/xen'
import type { PvGuest } from '../guest/pv-guest.js'
import { FOREIGN } from '../promise/scheduling.js'
import { HYPERVISOR_VIRT_END, HYPERVISOR_VIRT_START } from '../virtual-range.js'

/** What no guest may bring about. */
export class Violation extends Error {
  /** The delivery of the hypervisor that it has happened to. */
  readonly delivery: 'idt' | 'fred'
  constructor(what: string, { boot }: PvGuest) {
    super(what)
    this.name = 'Violation'
    this.delivery = boot.delivery === 'fred' ? 'fred' : 'idt'
  }
}

const PAGE = BigInt(PAGE_SIZE)
const HIGH_START = Number(HYPERVISOR_VIRT_START >> 32n)
const HIGH_END = Number(HYPERVISOR_VIRT_END >> 32n)
const STACK_MASK = ~0x7fffn
/** Steps of Xen on behalf of one event of a guest, at most. */
const LONGEST_IN_XEN = 3000
const BASES = [
  ['FS', FS_BASE],
  ['GS', GS_BASE],
  ['the other GS', KERNEL_GS_BASE],
] as const

/**
 * Looks over a hypervisor's shoulder while a guest runs: after every step that nobody is in ring 0 outside of Xen's code, that the
 * guest has not got hold of flags that are Xen's, and that no base is another vCPU's; and when asked, that Xen has not panicked,
 * and that none of its memory and nothing of another CPU has changed but what a guest's doings do change.
 */
export class Watch {
  readonly #guest: PvGuest
  readonly #before: Snapshot
  readonly #guarded: readonly number[]
  readonly #gdt: number
  readonly #others: readonly (readonly [Cpu, Int32Array])[]
  #inXen = 0

  /** @param before the state that every case starts from */
  constructor(guest: PvGuest, before: Snapshot) {
    this.#guest = guest
    this.#before = before
    const { cpu, machine } = guest
    this.#gdt = this.#frameAt(gdtBase(cpu.id) + BigInt(LDT_SELECTOR))
    const own = [
      pages(vcpuOf(cpu, 'guest', guest.layout).address, 2),
      pages(guestUserRegs(cpu, guest.layout).address & STACK_MASK, 8),
      pages(PER_CPU.linear, PER_CPU.pages),
    ].flat()
    const exempt = new Set(own.map((page) => this.#frameAt(page)))
    const host = (guest.boot.areas?.host ?? []).flatMap(({ address, bytes }) => pages(address, bytes / PAGE_SIZE))
    const frames = new Set(host.filter((page) => !this.#isGuests(page)).map((page) => this.#frameAt(page)))
    this.#guarded = [...frames].filter((frame) => !exempt.has(frame))
    this.#others = machine.cpus.filter((other) => other !== cpu).map((other) => [other, other.words.slice()] as const)
  }

  /** To be told of every step. @throws Violation */
  readonly afterStep = (cpu: Cpu): void => {
    const { words } = cpu
    if (cpu.cpl === 3) {
      this.#inXen = 0
      const flags = words[RFLAGS]!
      if ((flags & (IF | IOPL | VM)) !== IF)
        throw this.#violation(`the guest runs with RFLAGS 0x${(flags >>> 0).toString(16)}`)
      for (const [name, slot] of BASES) {
        if ((words[slot + 1]! & 0xffff) === FOREIGN) throw this.#violation(`${name} base is that of another vCPU`)
      }
      return
    }
    const high = words[RIP + 1]! >>> 0
    if (cpu.cpl !== 0) throw this.#violation(`ring ${cpu.cpl} at 0x${cpu.rip.toString(16)}`)
    if (high < HIGH_START || high >= HIGH_END)
      throw this.#violation(`ring 0 at 0x${cpu.rip.toString(16)}, outside of Xen's code`)
    if (++this.#inXen > LONGEST_IN_XEN) throw this.#violation('Xen does not come back to the guest')
  }

  #violation(what: string): Violation {
    return new Violation(what, this.#guest)
  }

  /** To be called before a case. */
  begin(): void {
    this.#inXen = 0
  }

  /** To be called after a case. @throws Violation */
  check(): void {
    const panic = this.#guest.log.findIndex((line) => line.startsWith('Panic on CPU'))
    if (panic >= 0) throw this.#violation(`Xen panics: ${this.#guest.log.slice(panic + 1, panic + 3).join(' ')}`)
    this.#checkMemory()
    this.#checkMappings()
    for (const [cpu, words] of this.#others) {
      if (cpu.words.some((word, i) => word !== words[i])) throw this.#violation(`CPU ${cpu.id} has changed`)
    }
  }

  #checkMemory(): void {
    const { memory } = this.#guest.machine
    for (const index of this.#guarded) {
      const [now, before] = [memory.frames[index]!, this.#before.frames[index]]
      if (now === before || before === undefined) continue
      for (let i = 0; i < now.words.length; i++) {
        if (now.words[i] === before.words[i] || (index === this.#gdt && isXensToWrite(i))) continue
        const at = BigInt(memory.pageNumber(index)) * PAGE + BigInt(4 * i)
        throw this.#violation(`Xen's memory has changed, physical 0x${at.toString(16)}`)
      }
    }
  }

  /** Of the pages in Xen's range none may become a guest's to use. */
  #checkMappings(): void {
    const now = this.#guest.machine.space(0n).share()
    const before = this.#before.tables.get(0n)
    if (now === before) return
    for (const [page, entry] of now) {
      if (before?.get(page) === entry || BigInt(page) * PAGE < HYPERVISOR_VIRT_START) continue
      if ((entry & PAGE_USER) !== 0) throw this.#violation(`page 0x${page.toString(16)} of Xen's range is the guest's`)
    }
  }

  #frameAt(linear: bigint): number {
    const space = this.#guest.machine.space(0n)
    return this.#guest.machine.memory.indexOf(Number((space.physicalAt(linear) ?? 0n) / PAGE))
  }

  #isGuests(linear: bigint): boolean {
    const { cpu } = this.#guest
    const physical = cpu.space.physicalAt(linear)
    return physical !== null && (cpu.space.flagsAt(physical & ~(PAGE - 1n)) & PAGE_USER) !== 0
  }
}

const pages = (linear: bigint, count: number): bigint[] => {
  const first = linear & ~(PAGE - 1n)
  return Array.from({ length: count }, (_, i) => first + BigInt(i) * PAGE)
}

const LDT_WORD = (LDT_SELECTOR & 0xfff) / 4
/** In Xen's page of the GDT: the LDT's descriptor, and second halves of descriptors, where the CPU sets accessed bits. */
const isXensToWrite = (word: number): boolean => (word >= LDT_WORD && word < LDT_WORD + 4) || word % 2 === 1
