/** @import { Machine } from '@trapframe/core' */
/** @import { FunctionName } from '../entry/text.mjs' */
/** @import { Call, Kernel, Outcome } from './call.mjs' */
import { RAX, RDI, RSI } from '@trapframe/core'
import { FUNCTIONS } from '../entry/text.mjs'
import { ptRegsAt } from '../pt-regs.mjs'
import { fixUpBadIret } from './fixup.mjs'
import { fredFromKernel, fredFromUser } from './fred-dispatch.mjs'
import { idtDispatch } from './idt-dispatch.mjs'
import { int80SystemCall, systemCall } from './system-calls.mjs'

/** @type {Readonly<Record<FunctionName, (call: Call) => Outcome>>} */
const C_CODE = {
  fred_from_user: fredFromUser,
  fred_from_kernel: fredFromKernel,
  idt_dispatch: idtDispatch,
  int80_system_call: int80SystemCall,
  system_call: systemCall,
  fixup_bad_iret: fixUpBadIret,
}

/**
 * Binds the kernel's C functions to their places in its text. A function is one step; the RET behind its place takes it
 * back to its caller.
 *
 * @param {Machine} machine
 * @param {Kernel} kernel
 */
export function bindFunctions(machine, kernel) {
  for (const name of FUNCTIONS) {
    machine.bindRoutine(kernel.addressOf(name), {
      name,
      run(machine, cpu) {
        const regs = ptRegsAt(cpu, cpu.get64(RDI))
        const outcome = C_CODE[name]({ machine, cpu, kernel, regs, vector: Number(cpu.get64(RSI) & 0xffn) })
        if (outcome === 'gone') return
        cpu.set64(RAX, outcome)
        cpu.rip += 1n
      },
    })
  }
}
