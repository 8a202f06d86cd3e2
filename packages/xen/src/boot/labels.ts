import { type Machine, readMsr } from '@trapframe/core'
import { IA32_CSTAR, IA32_LSTAR } from '@trapframe/idt'
import {
  endOf,
  GUEST_CODE,
  GUEST_DATA,
  GUEST_STACKS,
  gdtBase,
  guestVcpuInfo,
  HOST_CODE,
  HOST_DATA,
  stackOf,
} from '../layout/memory.js'
import { perCpuAddress } from '../layout/per-cpu.js'
import { guestRegsOf } from '../layout/stack.js'
import type { Image } from './image.js'
import { COMMAND_LINE, EARLY_IDT, INIT_SYMBOLS } from './init-data.js'

/**
 * The addresses that scenarios and traces may name: those of the entry and exit code, of the trampolines, of the boot and
 * its variables, of what each CPU has, and where a program may go. `syscall_entry` is the first ring 0 instruction after
 * SYSCALL under either delivery; the names of what other CPUs have end in their number, those of the early boot's entry
 * points begin with `early_`.
 */
export function bootLabels(
  machine: Machine,
  { text, early, init, info }: Image,
  delivery: 'idt' | 'fred',
): ReadonlyMap<string, bigint> {
  const labels = new Map(text)
  if (delivery === 'fred') {
    labels.set('syscall_entry', text.get('entry_FRED_R3')!)
  } else {
    for (const cpu of machine.cpus) {
      const suffix = cpu.id === 0 ? '' : `_${cpu.id}`
      labels.set(`syscall_entry${suffix}`, readMsr(cpu, IA32_LSTAR))
      labels.set(`lstar_trampoline${suffix}`, readMsr(cpu, IA32_LSTAR))
      labels.set(`cstar_trampoline${suffix}`, readMsr(cpu, IA32_CSTAR))
    }
  }
  const places = {
    guest: GUEST_CODE,
    guest_data: GUEST_DATA,
    guest_stacks: GUEST_STACKS,
    host: HOST_CODE,
    host_data: HOST_DATA,
  }
  for (const [name, { linear }] of Object.entries(places)) labels.set(name, linear)
  for (const { id } of machine.cpus) {
    const suffix = id === 0 ? '' : `_${id}`
    const stack = stackOf(id)
    labels.set(`gdt${suffix}`, gdtBase(id))
    labels.set(`vcpu_info${suffix}`, guestVcpuInfo(id).linear)
    labels.set(`guest_regs${suffix}`, guestRegsOf(stack.linear, info))
    labels.set(`stack_end${suffix}`, endOf(stack))
    labels.set(`softirq_pending${suffix}`, perCpuAddress(id, 'softirq_pending'))
  }
  for (const [name, address] of init) labels.set(name, address)
  for (const [name, address] of early) if (!name.includes('.')) labels.set(`early_${name}`, address)
  for (const [name, address] of Object.entries(INIT_SYMBOLS)) labels.set(name, address)
  labels.set('command_line', COMMAND_LINE)
  labels.set('early_idt', EARLY_IDT)
  return labels
}
