import {
  ACCESS_DB,
  ACCESS_L,
  type Boot,
  type Cpu,
  CS,
  codeAccess64,
  DS,
  dataAccess,
  ES,
  GPR_NAMES,
  type GprName,
  type Machine,
  PAGE_EXECUTABLE,
  PAGE_WRITABLE,
  SS,
} from '@trapframe/core'
import { assemble } from '@trapframe/isa'
import { cpuInfoLayout, deliveryOf, guestVcpuInfo } from '@trapframe/xen'
import { readDomainCrash } from '../guest/domain-crash.js'
import { type EntryPoint, entryPointAt } from '../guest/entry-points.js'
import { ANCHORS, mapGuestMemory, WORK_STACK_TOP } from '../guest/memory.js'
import type { Stop } from '../guest/pv-guest.js'
import { vcpuInfoOffset } from '../state/vcpu-info.js'
import { switchToCompat } from './address-size.js'
import { FLAT_RING1_CS, FLAT_RING1_SS, FLAT_RING3_SS } from './selectors.js'

const FLAT = { base: 0n, limit: 0xffff_ffff }
const KERNEL_EFLAGS = 0x202n
const STEP_LIMIT = 5_000
const SHIM = 'pv-shim cet=0'
/** The hypercall by which a guest's kernel returns. */
const HYPERCALL_IRET = 23

/** Code of the guest's kernel: in pages that are not user pages, which only a ring below 3 can use. */
export const KERNEL_CODE = 0x1e_0000n
const KERNEL_CODE_PAGES = 2
/** Its stack for what it does itself, and a page for arguments. */
const KERNEL_DATA = 0x1e_8000n
const KERNEL_DATA_PAGES = 2
export const KERNEL_ARGUMENTS = KERNEL_DATA
/** The stack that ring 3 is left for. */
export const RING1_STACK = KERNEL_DATA + 0x2000n

/** What `iret` of a 32-bit guest goes on with. */
export interface CompatIretFrame {
  readonly eip: bigint
  readonly cs: number
  readonly eflags?: bigint
  /** Of ring 3. */
  readonly esp?: bigint
  readonly ss?: number
}

/**
 * A small 32-bit PV guest under PVShim, driven from outside: its kernel's code, in ring 1, and its user code are given to it as
 * assembly, piece by piece, and run until Xen enters a handler or the piece is done.
 */
export class Pv32Guest {
  readonly machine: Machine
  readonly cpu: Cpu
  readonly boot: Boot
  readonly log: string[] = []

  /** Boots Xen on a machine, makes its guest a 32-bit one and puts the CPU into the guest's kernel. */
  constructor(machine: Machine, { cmdline = SHIM }: { readonly cmdline?: string } = {}) {
    this.machine = machine
    this.cpu = machine.cpu
    this.boot = machine.boot('xen', { cmdline })
    machine.observe({ log: (_, text) => this.log.push(text) })
    const space = machine.space(0n)
    mapGuestMemory(space)
    space.map(KERNEL_CODE, PAGE_EXECUTABLE, KERNEL_CODE_PAGES)
    space.map(KERNEL_DATA, PAGE_WRITABLE, KERNEL_DATA_PAGES)
    const answer = switchToCompat(machine, this.boot)
    if (answer.result !== 0 && 'reason' in answer) throw new Error(answer.reason)
    this.boot.sites.guest!.enter(this.cpu)
    this.toRing1()
    this.writeByte(this.shared('evtchn_upcall_mask'), 1)
  }

  /** Ring 1, flat segments, the kernel's own stack: as a new vCPU starts. */
  toRing1(): void {
    const { cpu } = this
    const code = (codeAccess64(1) & ~ACCESS_L) | ACCESS_DB
    cpu.setSegment(CS, { ...FLAT, selector: FLAT_RING1_CS, access: code })
    cpu.setSegment(SS, { ...FLAT, selector: FLAT_RING1_SS, access: dataAccess(1) })
    // A return to ring 3 takes away what is for ring 1 alone; these do for both.
    for (const n of [DS, ES] as const) cpu.setSegment(n, { ...FLAT, selector: FLAT_RING3_SS, access: dataAccess(3) })
    cpu.setCpl(1)
    cpu.setCodeSize()
    cpu.rflags = KERNEL_EFLAGS
    cpu.rsp = WORK_STACK_TOP
  }

  register(name: GprName): bigint {
    return this.cpu.gpr(GPR_NAMES.indexOf(name))
  }

  setRegisters(registers: Partial<Readonly<Record<GprName, bigint>>>): void {
    for (const [name, value] of Object.entries(registers)) this.cpu.setGpr(GPR_NAMES.indexOf(name as GprName), value)
  }

  /** Address of a field that the guest shares with Xen. */
  shared(name: Parameters<typeof vcpuInfoOffset>[0]): bigint {
    return guestVcpuInfo(0).linear + BigInt(vcpuInfoOffset(name, true))
  }

  /** Doublewords of memory. */
  words(address: bigint, count: number): number[] {
    const bytes = this.cpu.space.read(address, 4 * count)
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    return Array.from({ length: count }, (_, i) => view.getUint32(4 * i, true))
  }

  setWords(address: bigint, ...values: readonly (number | bigint)[]): void {
    const words = Uint32Array.from(values, (value) => Number(BigInt.asUintN(32, BigInt(value))))
    this.cpu.space.write(address, new Uint8Array(words.buffer))
  }

  writeByte(address: bigint, value: number): void {
    this.cpu.space.write(address, Uint8Array.of(value))
  }

  /** Runs code of the guest's kernel to its end, or to what comes before. */
  kernel(source: string, registers: Partial<Readonly<Record<GprName, bigint>>> = {}): Stop {
    const end = this.#place(source, KERNEL_CODE)
    this.setRegisters(registers)
    this.cpu.rip = KERNEL_CODE
    return this.run(end)
  }

  /** A hypercall of the kernel: its result, signed. @throws Error when it does not come back */
  hypercall(number: number, ...args: readonly (number | bigint)[]): number {
    const [rbx = 0n, rcx = 0n, rdx = 0n, rsi = 0n, rdi = 0n] = args.map(BigInt)
    const stop = this.kernel('int 0x82', { rax: BigInt(number), rbx, rcx, rdx, rsi, rdi })
    if (stop.kind !== 'done') throw new Error(`hypercall ${number}: ${stop.kind}`)
    return Number(BigInt.asIntN(32, this.register('rax')))
  }

  /** Puts user code into its page; the address behind it. */
  placeUser(source: string): bigint {
    return this.#place(source, ANCHORS.code)
  }

  /** The kernel goes on elsewhere by its iret hypercall; runs to the next stop. */
  iret({ eip, cs, eflags = KERNEL_EFLAGS, esp = ANCHORS.ustack, ss = 0 }: CompatIretFrame, rax = 0n): Stop {
    const at = WORK_STACK_TOP - 0x40n
    this.setWords(at, rax, eip, cs, eflags, esp, ss)
    return this.kernel(`mov esp, ${at}\nmov eax, ${HYPERCALL_IRET}\nint 0x82`)
  }

  /** Runs until Xen enters a handler, until `end` is reached, or until the domain or Xen is at its end. */
  run(end: bigint | null = null): Stop {
    const { machine, cpu, log } = this
    const logged = log.length
    let level = cpu.cpl
    for (let i = 0; i < STEP_LIMIT; i++) {
      const result = machine.step()
      const now = cpu.cpl
      if (now !== 0 && cpu.rip === end) return { kind: 'done' }
      const entry: EntryPoint | null = now === 1 && level === 0 ? entryPointAt(cpu.rip) : null
      if (entry !== null) return { kind: 'entry', entry }
      if (log.length > logged) {
        const crash = readDomainCrash(cpu, log.slice(logged), cpuInfoLayout('together', deliveryOf(cpu)))
        if (crash !== null) return { kind: 'crash', crash }
      }
      if (result === 'idle') return { kind: 'stuck', why: `Xen has stopped: ${log.slice(-3).join(' ')}` }
      level = now
    }
    return { kind: 'stuck', why: `nothing came of it in ${STEP_LIMIT} steps` }
  }

  #place(source: string, origin: bigint): bigint {
    const { bytes } = assemble(source, { origin, codeSize: 32 })
    this.cpu.space.write(origin, bytes)
    return origin + BigInt(bytes.length)
  }
}
