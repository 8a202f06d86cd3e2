import { definePlugin, type Plugin } from '@trapframe/core'
import { VECTOR_FORMATS } from './format.js'
import { pvXenFormat } from './pv-xen/format.js'
import { stateFormat } from './state-format.js'

/** The formats that the command knows by itself; others come from plugins, through the same slot. */
export function vectorFormats(): Plugin {
  return definePlugin({
    name: 'vector-formats',
    setup(host) {
      for (const format of [stateFormat, pvXenFormat]) host.add(VECTOR_FORMATS, format.name, format)
    },
  })
}
