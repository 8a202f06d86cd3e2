import { eventName, type StackMap } from '@trapframe/core'
import type { LiveFrame } from '../ghost/frame.js'
import type { Invariant } from './invariant.js'
import { hex, placeOf } from './place.js'

/**
 * A1: event delivery always establishes a good stack. Every frame must lie on the stacks of the CPU that pushed it, as
 * the host's stack map tells them; never in a guest's memory, nor in a guard page, nor on another CPU's stack.
 */
export const GOOD_STACK: Invariant = {
  name: 'good-stack',
  summary: 'every frame lies on a stack of its own CPU',
  local: true,
  check(context) {
    const { machine, boot, cpu, delivered } = context
    for (const frame of delivered) {
      const outside = firstOutside(context.stacks, frame)
      if (outside === null) continue
      const place = placeOf(machine, boot, cpu, outside)
      return {
        invariant: 'good-stack',
        message: `${eventName(frame.event)} frame written to ${hex(frame.address)}, ${place}`,
        cpu: cpu.id,
      }
    }
    return null
  },
}

/** The lowest byte of a frame that no stack holds; a frame may reach from one stack region into the next. */
function firstOutside(map: StackMap, frame: LiveFrame): bigint | null {
  const end = frame.address + BigInt(frame.bytes)
  let at = frame.address
  while (at < end) {
    const region = map.regions.find(
      ({ kind, address, bytes }) => kind === 'stack' && at >= address && at < address + BigInt(bytes),
    )
    if (region === undefined) return at
    at = region.address + BigInt(region.bytes)
  }
  return null
}
