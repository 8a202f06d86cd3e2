import { DECODER, definePlugin, type Plugin } from '@trapframe/core'
import { createDecoder } from './decode/decoder.js'
import { FPU_REGION } from './semantics/fpu-state.js'
import { ORDINARY_INSTRUCTIONS } from './semantics/ordinary.js'
import { TIME_STAMP_MSRS } from './semantics/time-stamp.js'
import { VMX_REGION, VMXE_BIT } from './semantics/virtual-machine.js'

/**
 * The plugin that lets a machine run x86-64 code: the decoder, and every instruction whose meaning does not depend on
 * how events are delivered. Those that do depend on it (INT n, IRET, SYSCALL, far transfers, …) come with the delivery
 * mechanisms. An instruction that is decoded and has no meaning stops the run with an UnsupportedError that names it.
 */
export function isa(): Plugin {
  return definePlugin({
    name: 'isa',
    specifier: '@trapframe/isa',
    setup(host) {
      host.add(DECODER, 'iced-x86', createDecoder())
      for (const msr of TIME_STAMP_MSRS) host.msrs.define(msr)
      host.regions.declare(FPU_REGION)
      host.regions.declare(VMX_REGION)
      host.cr4.define(VMXE_BIT)
      host.features.implement('vmx', 'wrmsrns')
      for (const [mnemonic, execute] of Object.entries(ORDINARY_INSTRUCTIONS)) {
        host.instructions.define({ mnemonic, execute })
      }
    },
  })
}
