import { type Boot, type Cpu, GPR_NAMES, type GprName, type Machine, RFLAGS_FIXED, RIP } from '@trapframe/core'
import { type CpuInfoLayout, cpuInfoLayout, TF_KERNEL_MODE, vcpuOf } from '@trapframe/xen'
import { type DomainCrash, readDomainCrash } from './domain-crash.js'
import { ENTRY_POINTS_END, type EntryPoint, entryPointAt } from './entry-points.js'
import { IRET_HYPERCALL, type Piece, pieceAt, placeKernel, setResumption } from './kernel.js'
import { ANCHORS, ENTRY_POINTS, mapGuestMemory, WORK_STACK_TOP } from './memory.js'

/** The frame that an iret hypercall takes from the guest's stack, low to high. */
export const IRET_FRAME = ['rax', 'r11', 'rcx', 'flags', 'rip', 'cs', 'rflags', 'rsp', 'ss'] as const
export type IretFrame = Readonly<Record<(typeof IRET_FRAME)[number], bigint>>

/** Where a guest that was let go stopped. */
export type Stop =
  /** Xen entered the guest's kernel; nothing of its handler has run. */
  | { readonly kind: 'entry'; readonly entry: EntryPoint }
  /** A piece of the kernel has come to its end. */
  | { readonly kind: 'done' }
  | { readonly kind: 'crash'; readonly crash: DomainCrash }
  /** Neither: Xen itself has stopped, or nothing came of it for too long. */
  | { readonly kind: 'stuck'; readonly why: string }

/** What the guest stopped at is not what its driver needs. */
export class GuestStopped extends Error {
  readonly stop: Stop
  constructor(doing: string, stop: Stop) {
    super(`${doing}: ${describeStop(stop)}`)
    this.name = 'GuestStopped'
    this.stop = stop
  }
}

/** A stop in words. */
export function describeStop(stop: Stop): string {
  switch (stop.kind) {
    case 'entry':
      return stop.entry.kind === 'trap'
        ? `the guest's handler of vector 0x${stop.entry.vector.toString(16)} was entered`
        : `the guest's ${stop.entry.name} callback was entered`
    case 'done':
      return 'the code came to its end'
    case 'crash':
      return `domain crash: ${stop.crash.reason}`
    case 'stuck':
      return stop.why
  }
}

/** Steps that anything a guest asks for takes at most. */
const STEP_LIMIT = 20_000
/** RFLAGS of the guest's kernel at work: interrupts are always on in a PV guest. */
const KERNEL_RFLAGS = 0x200n | BigInt(RFLAGS_FIXED)

/** Where a guest is booted on. */
export interface PvGuestOptions {
  /** Which Xen: `upstream`, or `rfc`. */
  readonly revision: 'rfc' | 'upstream'
  readonly delivery: 'idt' | 'fred'
  /** More words for Xen's command line. */
  readonly cmdline?: string
}

/**
 * A small PV guest, driven from outside: its driver chooses what its kernel does next, and the kernel does it by real guest
 * code in ring 3, with hypercalls and faults that go through Xen. All state is the machine's: snapshots hold it.
 */
export class PvGuest {
  readonly machine: Machine
  readonly cpu: Cpu
  readonly boot: Boot
  readonly layout: CpuInfoLayout
  /** What Xen has logged since the guest was booted or {@link forgetLog} was called. */
  readonly log: string[] = []
  /** Steps that anything the guest does takes at most. */
  stepLimit = STEP_LIMIT
  /** Told after every step that {@link run} has made. */
  afterStep: ((cpu: Cpu) => void) | null = null

  /** Boots Xen on a machine with one CPU, and puts the guest into its memory. Its kernel runs, and has asked for nothing. */
  constructor(machine: Machine, { revision, delivery, cmdline = '' }: PvGuestOptions) {
    this.machine = machine
    this.cpu = machine.cpu
    const words = `fred=${delivery === 'fred' ? 1 : 0} ${cmdline}`.trim()
    this.boot = machine.boot('xen', { cmdline: words, options: { revision } })
    this.layout = cpuInfoLayout('together', delivery)
    machine.observe({ log: (_, text) => this.log.push(text) })
    const space = machine.space(0n)
    mapGuestMemory(space)
    placeKernel(space)
    this.boot.sites.guest!.enter(this.cpu)
  }

  forgetLog(): void {
    this.log.length = 0
  }

  /** Puts the code under test into its page, at `code`. @throws RangeError when it does not fit */
  placeCode(bytes: Uint8Array): void {
    if (bytes.length > 0x800) throw new RangeError(`${bytes.length} bytes of code do not fit into half a page`)
    this.cpu.space.write(ANCHORS.code, bytes)
  }

  /** Sets general registers; the others keep their values. */
  setRegisters(registers: Partial<Readonly<Record<GprName, bigint>>>): void {
    for (const [name, value] of Object.entries(registers)) {
      this.cpu.setGpr(GPR_NAMES.indexOf(name as GprName), BigInt.asUintN(64, value))
    }
  }

  register(name: GprName): bigint {
    return this.cpu.gpr(GPR_NAMES.indexOf(name))
  }

  /** Whether the guest's kernel runs, not its user code. */
  get inKernelMode(): boolean {
    return (vcpuOf(this.cpu, 'guest', this.layout).get('flags') & TF_KERNEL_MODE) !== 0n
  }

  /** Lets the kernel run a piece of its code, on the stack that it is on. Needs the CPU in the guest's kernel. */
  call(piece: Piece, registers: Partial<Readonly<Record<GprName, bigint>>> = {}): Stop {
    const [start, end] = pieceAt(piece)
    this.setRegisters(registers)
    this.cpu.rip = start
    return this.run(end)
  }

  /** The same, for what must come to its end. @throws GuestStopped when it does not */
  complete(piece: Piece, registers: Partial<Readonly<Record<GprName, bigint>>> = {}): void {
    const stop = this.call(piece, registers)
    if (stop.kind !== 'done') throw new GuestStopped(piece.replaceAll('_', ' '), stop)
  }

  /** A hypercall of the kernel; the result in RAX, signed. @throws GuestStopped when it does not come back */
  hypercall(number: number, ...args: readonly bigint[]): bigint {
    const [rdi = 0n, rsi = 0n, rdx = 0n, r10 = 0n, r8 = 0n] = args
    this.complete('hypercall', { rax: BigInt(number), rdi, rsi, rdx, r10, r8 })
    return BigInt.asIntN(64, this.register('rax'))
  }

  /** Puts the kernel on to its work stack, with nothing on it and plain flags. */
  toWorkStack(): void {
    this.cpu.rsp = WORK_STACK_TOP
    this.cpu.rflags = KERNEL_RFLAGS
  }

  /** An iret hypercall of the kernel with this frame on its work stack, and these other registers; runs to the next stop. */
  iret(frame: IretFrame, registers: Partial<Readonly<Record<GprName, bigint>>> = {}): Stop {
    const { cpu } = this
    this.setRegisters(registers)
    this.toWorkStack()
    for (const [i, name] of IRET_FRAME.entries()) cpu.space.write64(cpu.rsp + BigInt(8 * i), frame[name])
    this.setRegisters({ rax: frame.rax })
    cpu.rip = IRET_HYPERCALL
    return this.run()
  }

  /** Lets the handler that was just entered return by an iret hypercall, `skip` bytes further on; runs to the next stop. */
  resume(skip = 0n, flags = 0n, end: bigint | null = null): Stop {
    setResumption(this.cpu.space, skip, flags)
    return this.run(end)
  }

  /** Runs until Xen enters the guest's kernel, until `end` is reached, or until nothing more can come. */
  run(end: bigint | null = null): Stop {
    const { machine, cpu, log } = this
    const { words } = cpu
    const from = Number(ENTRY_POINTS)
    const to = Number(ENTRY_POINTS_END)
    const endLo = end === null ? -1 : Number(end)
    const logged = log.length
    let level = cpu.cpl
    for (let i = 0; i < this.stepLimit; i++) {
      const result = machine.step()
      this.afterStep?.(cpu)
      const now = cpu.cpl
      const rip = words[RIP]!
      if (now === 3 && words[RIP + 1] === 0) {
        if (rip === endLo) return { kind: 'done' }
        if (level !== 3 && rip >= from && rip < to && this.inKernelMode) {
          const entry = entryPointAt(cpu.rip)
          if (entry !== null) return { kind: 'entry', entry }
        }
      }
      if (log.length > logged) {
        const crash = readDomainCrash(cpu, log.slice(logged), this.layout)
        if (crash !== null) return { kind: 'crash', crash }
      }
      if (result === 'idle') return { kind: 'stuck', why: this.#whyIdle() }
      level = now
    }
    return { kind: 'stuck', why: `nothing came of it in ${this.stepLimit} steps: RIP 0x${cpu.rip.toString(16)}` }
  }

  /** How the guest ended, where it can be told that it did. */
  stopped(): Stop {
    const crash = readDomainCrash(this.cpu, this.log, this.layout)
    return crash === null ? { kind: 'stuck', why: this.#whyIdle() } : { kind: 'crash', crash }
  }

  /** Does something and takes it back: the machine and the log are as before. */
  peek<T>(look: () => T): T {
    const before = this.machine.snapshot()
    const logged = this.log.length
    try {
      return look()
    } finally {
      this.machine.restore(before)
      this.log.length = logged
    }
  }

  #whyIdle(): string {
    const panic = this.log.findIndex((line) => line.startsWith('Panic on CPU'))
    const lines = this.log.slice(panic < 0 ? -1 : panic, panic < 0 ? undefined : panic + 2)
    return `Xen has stopped${lines.length > 0 ? `: ${lines.join(' ')}` : ''}`
  }
}
