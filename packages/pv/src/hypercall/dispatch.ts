import type { PvAnswer, UserRegister } from '@trapframe/xen'
import type { PvContext } from '../context.js'
import { ENOSYS, type Hypercall } from './hypercall.js'

/** How the kernels of one kind of guest make hypercalls. */
interface Convention {
  /** What the names of Xen's functions for them begin with. */
  readonly prefix: 'do' | 'compat'
  readonly hypercalls: readonly Hypercall[]
  /** The registers of a hypercall's arguments, in order. */
  readonly registers: readonly UserRegister[]
  /** Width of its number, arguments and result. */
  readonly bits: 32 | 64
}

/** What runs a hypercall of the guest's kernel: its number is in rAX, its result comes back there. An unknown one is ENOSYS. */
export function dispatcher({ prefix, hypercalls, registers, bits }: Convention): (context: PvContext) => PvAnswer {
  const byNumber: ReadonlyMap<bigint, Hypercall> = new Map(hypercalls.map((call) => [BigInt(call.number), call]))
  return (context) => {
    const { regs, cpu } = context
    const given = (name: UserRegister): bigint => BigInt.asUintN(bits, regs.get(name))
    const hypercall = byNumber.get(given('rax'))
    if (hypercall !== undefined) cpu.observer?.dispatched?.(cpu, `${prefix}_${hypercall.name}`)
    const result = hypercall?.run(context, registers.map(given)) ?? ENOSYS
    if (typeof result === 'object') return result
    regs.set('rax', BigInt.asUintN(bits, BigInt(result)))
    return 'resume'
  }
}
