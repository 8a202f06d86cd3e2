import { definePlugin, type Plugin } from '@trapframe/core'
import { LINUX } from './linux.js'
import { PANIC_DECODERS } from './panic.js'
import { XEN } from './xen.js'

/** The decoders that the command knows by itself; others come from plugins, through the same slot. */
export function panicDecoders(): Plugin {
  return definePlugin({
    name: 'panic-decoders',
    setup(host) {
      host.add(PANIC_DECODERS, 'linux', LINUX)
      host.add(PANIC_DECODERS, 'xen', XEN)
    },
  })
}
