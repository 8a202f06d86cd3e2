import { CR4_DE, DR, DR6_BREAKPOINTS, DR6_FIXED, DR7, DR7_FIXED, DR7_GD } from '@trapframe/core'
import { currentOf } from '@trapframe/xen'
import type { PvContext } from '../context.js'
import { guestCr4 } from '../emulate/guest-cr4.js'
import { EINVAL, ENODEV, EPERM } from '../hypercall/hypercall.js'
import { readElement, writeElement } from '../state/vcpu-array.js'

/**
 * The guest's debug registers: `debugreg` of its vCPU, with the real ones loaded while a breakpoint is enabled. Element 5 is
 * nobody's register and holds the enable bits of I/O breakpoints, which Xen emulates instead of giving them to the CPU.
 */

const LOW_32 = 0xffff_ffffn
/** What a guest finds in DR6 when nothing has happened. */
export const DR6_DEFAULT = BigInt(DR6_FIXED >>> 0)
/** B3–B0, BD, BS, BT: the bits that something happens in. */
const DR6_BITS = 0xe00fn
/** Reserved in DR7: 11, 12, 14 and 15, all 0. */
const DR7_BITS = 0xffff_27ffn
/** L0–G3. */
const ENABLED = 0xffn
const IO_CONDITION = 2n
const IO_STASH = 5
const BREAKPOINTS = [0, 1, 2, 3] as const

const adjustDr6 = (value: bigint): bigint => (value & DR6_BITS) | DR6_DEFAULT
const adjustDr7 = (value: bigint): bigint => (value & DR7_BITS) | BigInt(DR7_FIXED)

/** DR6 of the guest. */
export const guestDr6 = ({ vcpu }: Pick<PvContext, 'vcpu'>): bigint => adjustDr6(readElement(vcpu, 'debugreg', 6))

/** DR7 of the guest as it wrote it, I/O breakpoints included. */
const guestDr7 = ({ vcpu }: Pick<PvContext, 'vcpu'>): bigint =>
  adjustDr7(readElement(vcpu, 'debugreg', 7)) | readElement(vcpu, 'debugreg', IO_STASH)

/** DR4 and DR5 are other names of DR6 and DR7, unless the guest has CR4.DE. */
function resolve(context: PvContext, register: bigint): number | null {
  if (register < 0n || register > 7n) return null
  const n = Number(register)
  if (n !== 4 && n !== 5) return n
  return (guestCr4(context) & BigInt(CR4_DE)) === 0n ? n + 2 : null
}

/** get_debugreg, and what MOV from a debug register reads; null for a register that does not exist. */
export function getDebugRegister(context: PvContext, register: bigint): bigint | null {
  const n = resolve(context, register)
  if (n === null) return null
  if (n === 6) return guestDr6(context)
  return n === 7 ? guestDr7(context) : readElement(context.vcpu, 'debugreg', n)
}

/**
 * set_debugreg, and what MOV to a debug register writes: 0, or ENODEV for a register that does not exist, EINVAL for bits
 * beyond 31 of DR6 and DR7, EPERM for what a guest may not have: a breakpoint in Xen's range, DR7.GD, I/O breakpoints
 * without CR4.DE. Nothing is changed then.
 */
export function setDebugRegister(context: PvContext, register: bigint, value: bigint): number {
  const { cpu, vcpu, checks } = context
  const n = resolve(context, register)
  if (n === null) return ENODEV
  if (n < 4) {
    if (!checks.canonical(cpu, value) || !checks.outsideXen(value)) return EPERM
    writeElement(vcpu, 'debugreg', n, value)
    if (runs(context)) cpu.set64(DR + 2 * n, value)
    return 0
  }
  if (value > LOW_32) return EINVAL
  if (n === 7) return setDr7(context, adjustDr7(value))
  writeElement(vcpu, 'debugreg', 6, adjustDr6(value))
  return 0
}

function setDr7(context: PvContext, value: bigint): number {
  const { vcpu } = context
  if ((value & BigInt(DR7_GD)) !== 0n) return EPERM
  const io = (value & ENABLED) === 0n ? 0n : ioBreakpoints(value)
  if (io !== 0n && (guestCr4(context) & BigInt(CR4_DE)) === 0n) return EPERM
  const emulated = io & value & ENABLED
  writeElement(vcpu, 'debugreg', IO_STASH, emulated)
  writeElement(vcpu, 'debugreg', 7, value & ~emulated)
  if (runs(context)) loadDebugRegisters(context)
  return 0
}

/** Whether the CPU runs the vCPU, and has its registers. */
const runs = ({ cpu }: PvContext): boolean => currentOf(cpu) === 'guest'

/** The enable bits, set or not, of the breakpoints whose condition is I/O. */
const ioBreakpoints = (dr7: bigint): bigint =>
  BREAKPOINTS.reduce(
    (bits, n) => (((dr7 >> BigInt(16 + 4 * n)) & 3n) === IO_CONDITION ? bits | (3n << BigInt(2 * n)) : bits),
    0n,
  )

/** activate_debugregs: what the guest has in DR0–DR3 and DR7 is what the CPU has, as long as the guest runs. */
export function loadDebugRegisters({ cpu, vcpu }: Pick<PvContext, 'cpu' | 'vcpu'>): void {
  for (const n of BREAKPOINTS) cpu.set64(DR + 2 * n, readElement(vcpu, 'debugreg', n))
  cpu.setControl(DR7, adjustDr7(readElement(vcpu, 'debugreg', 7)))
}

/**
 * x86_merge_dr6: what has happened goes into DR6 of the guest. Breakpoints that matched replace those of the last #DB, even
 * if none did; everything else accumulates until the guest clears it.
 *
 * @param conditions in DR6's layout, all positive
 */
export function mergeDr6({ vcpu }: Pick<PvContext, 'vcpu'>, conditions: bigint): void {
  const happened = guestDr6({ vcpu }) ^ DR6_DEFAULT
  const merged = (happened & ~BigInt(DR6_BREAKPOINTS)) | conditions
  writeElement(vcpu, 'debugreg', 6, adjustDr6(merged ^ DR6_DEFAULT))
}

/** Bytes that LENn 0 to 3 watch. */
const WATCHED = [1n, 2n, 8n, 4n] as const

/** The I/O breakpoints of the guest that an access to `bytes` ports meets, as B3–B0. */
export function ioBreakpointsMet(context: PvContext, port: number, bytes: number): bigint {
  const { vcpu } = context
  const enabled = readElement(vcpu, 'debugreg', IO_STASH)
  if (enabled === 0n || (guestCr4(context) & BigInt(CR4_DE)) === 0n) return 0n
  const dr7 = readElement(vcpu, 'debugreg', 7)
  return BREAKPOINTS.reduce((met, n) => {
    if (((enabled >> BigInt(2 * n)) & 3n) === 0n) return met
    const start = readElement(vcpu, 'debugreg', n)
    const width = WATCHED[Number((dr7 >> BigInt(18 + 4 * n)) & 3n)]!
    return start < BigInt(port + bytes) && start + width > BigInt(port) ? met | (1n << BigInt(n)) : met
  }, 0n)
}
