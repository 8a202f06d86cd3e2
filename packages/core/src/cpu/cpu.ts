import type { DeliveryMechanism } from '../event/mechanism.js'
import type { CodeSize } from '../instruction/decoded.js'
import type { DispatchTable } from '../instruction/dispatch.js'
import type { Machine } from '../machine/machine.js'
import { type PagingControls, permissionTable, USER } from '../memory/access.js'
import type { AddressSpace } from '../memory/address-space.js'
import { finishDeviceAccess, WATCH_DEVICE } from '../memory/device.js'
import { WATCH_BREAKPOINTS, WATCH_LOADS, WATCH_STORES } from '../memory/linear.js'
import {
  ACCESS_DB,
  ACCESS_L,
  CET_ENDBR_EN,
  CET_SH_STK_EN,
  CR0_AM,
  CR0_WP,
  CR4_CET,
  CR4_LA57,
  CR4_SMAP,
  CR4_SMEP,
  EFER_LMA,
  EFER_NXE,
} from '../state/control.js'
import {
  CPL,
  CR0,
  CR3,
  CR4,
  CS,
  CS_ACCESS,
  DR7,
  EFER,
  FS_BASE,
  GPR,
  GS_BASE,
  KERNEL_GS_BASE,
  RFLAGS,
  RIP,
  RSP,
  S_CET,
  SEGMENT_ACCESS,
  SEGMENT_BASE,
  SEGMENT_LIMIT,
  SEGMENT_SELECTOR,
  type SegmentNumber,
  SSP,
  STATUS,
  segmentSlot,
  U_CET,
} from '../state/registers.js'
import { RFLAGS_FIXED } from '../state/rflags.js'
import { HALTED, SHUTDOWN } from '../state/status.js'
import type { Observer, Writer } from '../trace/observer.js'
import { accessBreakpoints, hasArmedDataBreakpoint, hasArmedInstructionBreakpoint } from './breakpoints.js'
import type { CpuModel, Feature } from './model.js'

/** A segment register with its cache. */
export interface Segment {
  selector: number
  base: bigint
  /** In bytes, granularity applied. */
  limit: number
  /** Type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15; bit 16: unusable. */
  access: number
}

/** What the derived fields of a CPU are computed from, besides CPL and CS. */
const DERIVED_FROM = [CR0, CR3, CR3 + 1, CR4, CR4 + 1, EFER, EFER + 1, S_CET, U_CET, DR7]

/**
 * One CPU: a view over its part of the machine's flat state. Everything architectural is in `words`; the other fields
 * are derived from it ({@link Cpu.refresh}) or last for one instruction only.
 *
 * At the public edge addresses and registers are `bigint`; inside, 64-bit values are two signed 32-bit halves, and a
 * function with a 64-bit result returns the low half and leaves the high half in `hi`.
 */
export class Cpu {
  readonly id: number
  readonly machine: Machine
  readonly model: CpuModel
  /** What the model enumerates and core or a plugin implements. */
  readonly features: ReadonlySet<Feature>
  /** Flat state, by the indices of `state/registers.ts`. */
  readonly words: Int32Array
  /** The same state, 64 bits an element: element `i` is words `2i` and `2i + 1`. */
  readonly quads: BigUint64Array
  /** High half of the last 64-bit result. */
  hi = 0

  // Derived from the state by refresh().
  /** Width of the running code: 64-bit mode, or the D bit of CS in compatibility mode. */
  codeSize: CodeSize = 64
  /** {@link USER} at CPL 3, else 0: the privilege of explicit data accesses. */
  user = 0
  /** Linear addresses are canonical when `hi >> canonicalShift` is 0 or -1. */
  canonicalShift = 15
  permissions: Uint8Array
  controls: PagingControls = { wp: true, smep: false, smap: false, nxe: true }
  alignmentChecked = false
  /** Supervisor shadow stacks are on (CR4.CET and IA32_S_CET.SH_STK_EN). */
  supervisorShadowStack = false
  /** User shadow stacks are on (CR4.CET and IA32_U_CET.SH_STK_EN). */
  userShadowStack = false
  /** The ENDBRANCH tracker of the current privilege is enabled. */
  endbranchTracking = false
  /** An instruction breakpoint is armed in DR7. */
  instructionBreakpoints = false
  /** WATCH_… bits: what must be told about memory accesses. */
  watching = 0
  space: AddressSpace
  mechanism: DeliveryMechanism | null = null
  dispatch: DispatchTable
  observer: Observer | null = null

  /** The words of {@link DERIVED_FROM} that the fields above were computed from. */
  readonly #derivedFrom = new Int32Array(DERIVED_FROM.length)

  // Valid during one step.
  /** RIP of the instruction that executes; where RIP goes back to when it faults. */
  startLo = 0
  startHi = 0
  /** Blocking that the executing instruction establishes for the next one. */
  shadow = 0
  /**
   * A single-step #DB follows this instruction: RFLAGS.TF as it was before it. Instructions that are judged by another
   * TF change it; the delivery of an event clears it.
   */
  singleStep = false
  /** The EXT bit of error codes: 1 while an event is delivered that software did not ask for. */
  ext = 0
  /** An event is being delivered. */
  delivering = false

  constructor(machine: Machine, id: number, words: Int32Array, features: ReadonlySet<Feature>) {
    this.machine = machine
    this.id = id
    this.model = machine.model
    this.features = features
    this.words = words
    this.quads = new BigUint64Array(words.buffer, words.byteOffset, words.length / 2)
    this.permissions = permissionTable(this.controls)
    this.space = machine.space(0n)
    this.dispatch = machine.instructions.table(null)
  }

  /** Whether the CPU has a feature: its model enumerates it and core or a plugin implements it. */
  has(feature: Feature): boolean {
    return this.features.has(feature)
  }

  /**
   * Computes what is derived from the state. To be called after control registers, EFER, CPL, CS, the CET MSRs or DR7
   * changed behind the accessors' back.
   */
  refresh(): void {
    const { words } = this
    for (let i = 0; i < DERIVED_FROM.length; i++) this.#derivedFrom[i] = words[DERIVED_FROM[i]!]!
    const cr0 = words[CR0]!
    const cr4 = words[CR4]!
    const efer = words[EFER]!
    const cpl = words[CPL]!
    const cs = words[CS_ACCESS]!
    this.codeSize = (cs & ACCESS_L) !== 0 && (efer & EFER_LMA) !== 0 ? 64 : (cs & ACCESS_DB) !== 0 ? 32 : 16
    this.user = cpl === 3 ? USER : 0
    this.canonicalShift = (cr4 & CR4_LA57) !== 0 ? 24 : 15
    this.controls = {
      wp: (cr0 & CR0_WP) !== 0,
      smep: (cr4 & CR4_SMEP) !== 0,
      smap: (cr4 & CR4_SMAP) !== 0,
      nxe: (efer & EFER_NXE) !== 0,
    }
    this.permissions = permissionTable(this.controls)
    this.alignmentChecked = cpl === 3 && (cr0 & CR0_AM) !== 0
    const cet = (cr4 & CR4_CET) !== 0
    this.supervisorShadowStack = cet && (words[S_CET]! & CET_SH_STK_EN) !== 0
    this.userShadowStack = cet && (words[U_CET]! & CET_SH_STK_EN) !== 0
    this.endbranchTracking = cet && (words[cpl === 3 ? U_CET : S_CET]! & CET_ENDBR_EN) !== 0
    this.instructionBreakpoints = hasArmedInstructionBreakpoint(words[DR7]!)
    this.watch()
    this.space = this.machine.space(this.quads[CR3 / 2]! & ~0xfffn)
    this.mechanism = this.machine.mechanismFor(this.quads[CR4 / 2]!, this.quads[EFER / 2]!)
    this.dispatch = this.machine.instructions.table(this.mechanism)
  }

  /** The same where what is derived from is not what it was: after a restore. */
  refreshIfChanged(): void {
    const { words } = this
    const before = this.#derivedFrom
    for (let i = 0; i < DERIVED_FROM.length; i++) {
      if (before[i] !== words[DERIVED_FROM[i]!]) {
        this.refresh()
        return
      }
    }
    this.setCpl(words[CPL]!)
    this.setCodeSize()
  }

  /** Recomputes who is told about memory accesses; part of {@link refresh}. */
  watch(): void {
    this.watching =
      (hasArmedDataBreakpoint(this.words[DR7]!) ? WATCH_BREAKPOINTS : 0) |
      (this.observer?.stored ? WATCH_STORES : 0) |
      (this.observer?.loaded ? WATCH_LOADS : 0)
  }

  /** Changes CPL and what depends on it, without the rest of {@link refresh}. */
  setCpl(cpl: number): void {
    const { words } = this
    words[CPL] = cpl
    this.user = cpl === 3 ? USER : 0
    this.alignmentChecked = cpl === 3 && (words[CR0]! & CR0_AM) !== 0
    this.endbranchTracking = (words[CR4]! & CR4_CET) !== 0 && (words[cpl === 3 ? U_CET : S_CET]! & CET_ENDBR_EN) !== 0
  }

  /** Takes the code size from the CS cache after it was loaded. */
  setCodeSize(): void {
    const cs = this.words[CS_ACCESS]!
    this.codeSize =
      (cs & ACCESS_L) !== 0 && (this.words[EFER]! & EFER_LMA) !== 0 ? 64 : (cs & ACCESS_DB) !== 0 ? 32 : 16
  }

  /** Shadow stacks are on at the current privilege. */
  get shadowStack(): boolean {
    return this.words[CPL] === 3 ? this.userShadowStack : this.supervisorShadowStack
  }

  // Accesses that somebody watches; called by memory/linear.ts when `watching` is set.

  noteLoad(lo: number, hi: number, bytes: number): void {
    if ((this.watching & WATCH_DEVICE) !== 0) finishDeviceAccess(this, lo, bytes, false)
    if (this.delivering) {
      if ((this.watching & WATCH_LOADS) !== 0) this.observer!.loaded!(this, lo, hi, bytes)
    } else if ((this.watching & WATCH_BREAKPOINTS) !== 0) {
      accessBreakpoints(this, lo, hi, bytes, false)
    }
  }

  noteStore(lo: number, hi: number, bytes: number): void {
    if ((this.watching & WATCH_DEVICE) !== 0) finishDeviceAccess(this, lo, bytes, true)
    if ((this.watching & WATCH_STORES) !== 0) {
      const by: Writer = this.delivering ? 'delivery' : 'software'
      this.observer!.stored!(this, lo, hi, bytes, by)
    }
    // The pushes of a delivery meet breakpoints too: the #DB follows at the handler's first instruction (CVE-2015-8104).
    if ((this.watching & WATCH_BREAKPOINTS) !== 0) accessBreakpoints(this, lo, hi, bytes, true)
  }

  // The public edge.

  /** A 64-bit register of the flat state by its first word. */
  get64(slot: number): bigint {
    return this.quads[slot >>> 1]!
  }

  set64(slot: number, value: bigint): void {
    this.quads[slot >>> 1] = value
  }

  /** General register 0–15, in the order RAX RCX RDX RBX RSP RBP RSI RDI R8 … R15. */
  gpr(n: number): bigint {
    return this.quads[GPR / 2 + n]!
  }

  setGpr(n: number, value: bigint): void {
    this.quads[GPR / 2 + n] = value
  }

  get rip(): bigint {
    return this.quads[RIP / 2]!
  }

  set rip(value: bigint) {
    this.quads[RIP / 2] = value
  }

  get rsp(): bigint {
    return this.quads[RSP / 2]!
  }

  set rsp(value: bigint) {
    this.quads[RSP / 2] = value
  }

  get rflags(): bigint {
    return this.quads[RFLAGS / 2]!
  }

  /** Bit 1 reads as 1 whatever is written. */
  set rflags(value: bigint) {
    this.quads[RFLAGS / 2] = value
    this.words[RFLAGS] = this.words[RFLAGS]! | RFLAGS_FIXED
    this.words[RFLAGS + 1] = 0
  }

  /** Current privilege level. */
  get cpl(): number {
    return this.words[CPL]!
  }

  set cpl(value: number) {
    this.setCpl(value)
  }

  /** Current shadow-stack pointer. */
  get ssp(): bigint {
    return this.quads[SSP / 2]!
  }

  set ssp(value: bigint) {
    this.quads[SSP / 2] = value
  }

  get fsBase(): bigint {
    return this.quads[FS_BASE / 2]!
  }

  set fsBase(value: bigint) {
    this.quads[FS_BASE / 2] = value
  }

  get gsBase(): bigint {
    return this.quads[GS_BASE / 2]!
  }

  set gsBase(value: bigint) {
    this.quads[GS_BASE / 2] = value
  }

  get kernelGsBase(): bigint {
    return this.quads[KERNEL_GS_BASE / 2]!
  }

  set kernelGsBase(value: bigint) {
    this.quads[KERNEL_GS_BASE / 2] = value
  }

  get cr0(): bigint {
    return this.quads[CR0 / 2]!
  }

  get cr4(): bigint {
    return this.quads[CR4 / 2]!
  }

  get efer(): bigint {
    return this.quads[EFER / 2]!
  }

  /** Sets a control register, EFER, a CET MSR or DR7 by its first word, without the checks of MOV or WRMSR. */
  setControl(slot: number, value: bigint): void {
    this.quads[slot >>> 1] = value
    this.refresh()
  }

  /** A copy of a segment register and its cache. */
  segment(n: SegmentNumber): Segment {
    const slot = segmentSlot(n)
    return {
      selector: this.words[slot + SEGMENT_SELECTOR]!,
      access: this.words[slot + SEGMENT_ACCESS]!,
      limit: this.words[slot + SEGMENT_LIMIT]! >>> 0,
      base: this.quads[(slot + SEGMENT_BASE) >>> 1]!,
    }
  }

  /** Sets a segment register and its cache, without checks. */
  setSegment(n: SegmentNumber, segment: Segment): void {
    const slot = segmentSlot(n)
    this.words[slot + SEGMENT_SELECTOR] = segment.selector
    this.words[slot + SEGMENT_ACCESS] = segment.access
    this.words[slot + SEGMENT_LIMIT] = segment.limit
    this.quads[(slot + SEGMENT_BASE) >>> 1] = segment.base
    if (n === CS) this.setCodeSize()
  }

  /** HLT was executed and nothing has woken the CPU since. */
  get halted(): boolean {
    return (this.words[STATUS]! & HALTED) !== 0
  }

  /** The CPU is in shutdown. */
  get isShutdown(): boolean {
    return (this.words[STATUS]! & SHUTDOWN) !== 0
  }
}
