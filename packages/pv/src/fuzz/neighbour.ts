import { FS_BASE, GPR_NAMES, GS_BASE, KERNEL_GS_BASE } from '@trapframe/core'
import { guestUserRegs, stackOf, vcpuOf } from '@trapframe/xen'
import type { PvGuest } from '../guest/pv-guest.js'
import type { Observed } from '../promise/observe.js'
import { FOREIGN, foreign } from '../promise/scheduling.js'
import { Violation } from './watch.js'

/** The fields of a vCPU that are addresses or values of its own. */
const FIELDS = ['fs_base', 'gs_base_kernel', 'gs_base_user', 'kernel_sp', 'event_callback_eip', 'ldt_base'] as const
const REGISTERS = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'r8', 'r15', 'rip', 'rsp'] as const

/**
 * Gives the vCPU of every other CPU values of its own everywhere: in its registers, its struct vcpu and the frame on its stack.
 * The guest that is watched must never see one of them.
 */
export function markNeighbours({ machine, cpu, layout, boot }: PvGuest): void {
  for (const other of machine.cpus) {
    if (other === cpu) continue
    boot.sites.guest!.enter(other)
    GPR_NAMES.forEach((_, n) => {
      other.setGpr(n, foreign(n))
    })
    for (const [i, slot] of [FS_BASE, GS_BASE, KERNEL_GS_BASE].entries()) other.set64(slot, foreign(0x20 + i))
    const vcpu = vcpuOf(other, 'guest', layout)
    FIELDS.forEach((name, i) => {
      vcpu.set(name, foreign(0x30 + i))
    })
    for (const regs of [vcpu.userRegs, guestUserRegs(other, layout)]) {
      REGISTERS.forEach((name, i) => {
        regs.set(name, foreign(0x40 + i))
      })
    }
    const { linear } = stackOf(other.id)
    for (let i = 0n; i < 64n; i++) machine.space(0n).write64(linear + 0x6000n + 8n * i, foreign(0x60))
  }
}

const isForeign = (value: unknown): boolean =>
  typeof value === 'bigint' && (BigInt.asUintN(64, value) >> 32n) % 0x1_0000n === BigInt(FOREIGN)

/** @throws Violation where a guest sees what is another vCPU's */
export function checkSeen(guest: PvGuest, seen: Observed | null): void {
  const name = Object.keys(seen ?? {}).find((field) => isForeign(seen![field]))
  if (name !== undefined) throw new Violation(`the guest sees a value of another vCPU: ${name}`, guest)
}

/** The same for answers to hypercalls. */
export function checkAnswers(guest: PvGuest, answers: readonly (bigint | string)[]): void {
  if (answers.some(isForeign)) throw new Violation('a hypercall gave the guest a value of another vCPU', guest)
}
