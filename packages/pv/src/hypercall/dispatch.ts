import type { PvAnswer } from '@trapframe/xen'
import type { PvContext } from '../context.js'
import { ENOSYS, type Hypercall } from './hypercall.js'
import { HYPERCALLS } from './table.js'

/** The registers of a hypercall's arguments, in order. */
const ARGUMENTS = ['rdi', 'rsi', 'rdx', 'r10', 'r8'] as const

const byNumber: ReadonlyMap<bigint, Hypercall> = new Map(HYPERCALLS.map((call) => [BigInt(call.number), call]))

/** A hypercall of the guest's kernel: its number is RAX, its result comes back in RAX. */
export function callHypervisor(context: PvContext): PvAnswer {
  const { regs, cpu } = context
  const hypercall = byNumber.get(regs.get('rax'))
  if (hypercall !== undefined) cpu.observer?.dispatched?.(cpu, `do_${hypercall.name}`)
  const result =
    hypercall?.run(
      context,
      ARGUMENTS.map((name) => regs.get(name)),
    ) ?? ENOSYS
  if (typeof result === 'object') return result
  if (result !== 'no-result') regs.set('rax', BigInt.asUintN(64, BigInt(result)))
  return 'resume'
}
