import { showRegisters, vcpuName } from '../diagnostics/show-registers.js'
import type { Call, Outcome, XenFunction } from '../handlers/context.js'
import { hex16 } from '../handlers/vector-name.js'
import { perCpuAddress } from '../layout/per-cpu.js'
import { setCurrent, vcpuOf } from '../registers/context-switch.js'
import { loadField } from '../registers/struct-view.js'
import { VCPU_RUNNABLE } from '../registers/vcpu.js'
import { toIdleLoop } from './stacks.js'

/** domain_crash for a reason: the guest's registers are shown, and its vCPU never runs again. */
export function crashDomain(call: Call, reason: string): Outcome {
  const { machine, cpu } = call
  machine.log(`${vcpuName(cpu)} domain crash: ${reason}`, cpu)
  return stopDomain(call)
}

function stopDomain(call: Call): Outcome {
  const { machine, cpu, build } = call
  machine.log(`Domain 1 (vcpu#${cpu.id}) crashed on cpu#${cpu.id}:`, cpu)
  showRegisters(call)
  const guest = vcpuOf(cpu, 'guest', build.layout)
  guest.set('flags', guest.get('flags') & ~VCPU_RUNNABLE)
  setCurrent(cpu, 'idle')
  return toIdleLoop(call)
}

/** asm_domain_crash_synchronous: the entry and exit code itself could not go on; the address is that of the last fix-up. */
export const crashSynchronous: XenFunction = (call) => {
  const { machine, cpu, build } = call
  const address = loadField(cpu, perCpuAddress(cpu.id, 'last_extable_addr'), 8)
  const symbol = build.symbol(address) ?? hex16(address)
  machine.log(`domain_crash_sync called from entry.S: fault at ${hex16(address)} ${symbol}`, cpu)
  return stopDomain(call)
}
