import { definePlugin, Fault, HOSTS } from '@trapframe/core'
import { LINUX } from './src/boot.mjs'
import { VECTOR_VC } from './src/kernel/exceptions.mjs'

/** What #VC reports for VMMCALL: the exit code of the instruction (AMD APM volume 2, appendix C). */
const EXIT_VMMCALL = 0x81

/**
 * The host kind `linux`, and VMMCALL as a guest with an encrypted state sees it: with the CPU feature `sev-es`
 * (`zen6,+sev-es`) it raises #VC for the kernel to handle, without it is #UD.
 */
export const linux = definePlugin({
  name: 'linux',
  requires: ['isa', 'idt', 'fred'],
  setup(host) {
    host.features.implement('sev-es')
    host.instructions.define({
      mnemonic: 'vmmcall',
      feature: 'sev-es',
      execute() {
        throw new Fault(VECTOR_VC, EXIT_VMMCALL)
      },
    })
    host.add(HOSTS, LINUX.name, LINUX)
  },
})
