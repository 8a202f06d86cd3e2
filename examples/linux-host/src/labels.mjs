/** @import { Machine } from '@trapframe/core' */
import {
  EVENT_STACKS,
  endOf,
  eventStack,
  GUEST_CODE,
  GUEST_DATA,
  gdtPage,
  HOST_CODE,
  HOST_DATA,
  otherTaskStack,
  perCpuPage,
  taskStack,
} from './memory.mjs'
import { PER_CPU, perCpuAddress } from './per-cpu.mjs'

/**
 * The addresses that scenarios and traces may name: entry and exit code, the upper ends of the stacks, the fields of the
 * per-CPU area, and where a program may go. `syscall_entry`, `return_to_user` and `return_instruction` are those of the delivery
 * that is used.
 *
 * @param {Machine} machine
 * @param {ReadonlyMap<string, bigint>} text
 * @param {'idt' | 'fred'} delivery
 * @returns {ReadonlyMap<string, bigint>}
 */
export function bootLabels(machine, text, delivery) {
  const labels = new Map(text)
  /** @type {(name: string, of: string) => void} */
  const alias = (name, of) => {
    const address = text.get(of)
    if (address !== undefined) labels.set(name, address)
  }
  alias('syscall_entry', delivery === 'fred' ? 'entry_ring3' : 'idt_syscall')
  alias('return_to_user', `${delivery}_return_to_user`)
  alias('return_instruction', delivery === 'fred' ? 'eretu_user' : 'iretq_user')
  const places = { guest: GUEST_CODE, guest_data: GUEST_DATA, host: HOST_CODE, host_data: HOST_DATA }
  for (const [name, { linear }] of Object.entries(places)) labels.set(name, linear)
  for (const { id } of machine.cpus) {
    const suffix = id === 0 ? '' : `_${id}`
    labels.set(`per_cpu${suffix}`, perCpuPage(id).linear)
    for (const field of /** @type {(keyof typeof PER_CPU)[]} */ (Object.keys(PER_CPU))) {
      labels.set(`${field}${suffix}`, perCpuAddress(id, field))
    }
    labels.set(`task_stack${suffix}`, endOf(taskStack(id)))
    labels.set(`other_task_stack${suffix}`, endOf(otherTaskStack(id)))
    for (const name of EVENT_STACKS) {
      labels.set(`${name.replace('#', '').toLowerCase()}_stack${suffix}`, endOf(eventStack(id, name)))
    }
    labels.set(`gdt${suffix}`, gdtPage(id).linear)
  }
  return labels
}
