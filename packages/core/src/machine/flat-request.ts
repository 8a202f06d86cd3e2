import { MachineError } from '../error.js'
import type { BootRequest, HostKind } from './host.js'
import type { Machine } from './machine.js'

/**
 * What a request asks of a flat host, which has one delivery, no command line, and switches for options: the ones that
 * are given.
 *
 * @throws MachineError for another delivery, a command line, an option that it does not know or that is no boolean
 */
export function checkFlatRequest(
  { name, deliveries, options: known }: Omit<HostKind, 'boot'>,
  { delivery, cmdline, options = {} }: BootRequest,
): Readonly<Record<string, boolean>> {
  if (delivery !== undefined && !deliveries.includes(delivery)) {
    throw new MachineError('flat-delivery', `host "${name}" cannot deliver through "${delivery}"`, {
      hint: `its delivery is ${deliveries.join(' or ')}`,
    })
  }
  if (cmdline !== undefined) throw new MachineError('flat-cmdline', `host "${name}" has no command line`)
  const switches: Record<string, boolean> = {}
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(known, option)) {
      throw new MachineError('flat-option', `host "${name}" has no option "${option}"`, {
        hint: `it has ${Object.keys(known).join(' and ')}`,
      })
    }
    if (value === undefined) continue
    if (typeof value !== 'boolean') {
      throw new MachineError('flat-option', `option "${option}" of host "${name}" is true or false`)
    }
    switches[option] = value
  }
  return switches
}

/** @throws MachineError where the CPU has no shadow stacks */
export function requireShadowStacks(machine: Machine): void {
  if (machine.cpu.has('cet-ss')) return
  throw new MachineError('flat-cpu', `CPU "${machine.model.name}" has no shadow stacks`, {
    hint: 'leave shadowStacks out',
  })
}
