import { IF } from '@trapframe/core'
import type { Call, Outcome } from './context.js'
import { hex4, hex16, xenVectorName } from './vector-name.js'

const STARS = '*'.repeat(40)

/** Prints why, and stops this CPU for good. */
export function panic({ machine, cpu, waysOut }: Call, ...message: string[]): Outcome {
  for (const line of [STARS, `Panic on CPU ${cpu.id}:`, ...message, STARS]) machine.log(line, cpu)
  cpu.rip = waysOut.panicStop
  return 'gone'
}

/** An exception or event that Xen can do nothing about. */
export function fatalTrap(call: Call, vector: number): Outcome {
  const { regs } = call
  showRegisters(call)
  const errorCode = hex4(Number(regs.get('error_code')))
  const off = (regs.get('rflags') & BigInt(IF)) === 0n ? ' IN INTERRUPT CONTEXT' : ''
  return panic(call, `FATAL TRAP: vec ${vector}, ${xenVectorName(vector)}[${errorCode}]${off}`)
}

/** A page fault of Xen's own code. */
export function fatalPageFault(call: Call, address: bigint): Outcome {
  showRegisters(call)
  return panic(
    call,
    'FATAL PAGE FAULT',
    `[error_code=${hex4(Number(call.regs.get('error_code')))}]`,
    `Faulting linear address: ${hex16(address)}`,
  )
}

/** #DF: there is nothing to go back to. */
export function doubleFault(call: Call): Outcome {
  call.machine.log('*** DOUBLE FAULT ***', call.cpu)
  showRegisters(call)
  return panic(call, 'DOUBLE FAULT -- system shutdown')
}

/** Where it happened. */
function showRegisters({ machine, cpu, regs }: Call): void {
  const guest = (regs.get('cs') & 3n) !== 0n
  const cs = hex4(Number(regs.get('cs') & 0xffffn))
  machine.log(`CPU:    ${cpu.id}`, cpu)
  machine.log(`RIP:    ${cs}:[<${hex16(regs.get('rip'))}>]`, cpu)
  machine.log(`RFLAGS: ${hex16(regs.get('rflags'))}   CONTEXT: ${guest ? 'pv guest' : 'hypervisor'}`, cpu)
  machine.log(`rsp:    ${hex16(regs.get('rsp'))}`, cpu)
}
