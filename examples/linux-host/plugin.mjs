import { definePlugin, Fault, HOSTS } from '@trapframe/core'
import { LINUX } from './src/boot.mjs'
import { VECTOR_VC } from './src/kernel/exceptions.mjs'

/** What #VC reports for MONITORX: the exit code of the instruction (AMD APM volume 2, appendix C). */
const EXIT_MONITOR = 0x8a

/**
 * The host kind `linux`, and MONITORX as a guest with an encrypted state sees it: with the CPU feature `sev-es`
 * (`zen6,+sev-es`) it raises #VC for the kernel to handle, without it it is #UD.
 */
export const linux = definePlugin({
  name: 'linux',
  requires: ['isa', 'idt', 'fred'],
  setup(host) {
    host.features.implement('sev-es')
    host.instructions.define({
      mnemonic: 'monitorx',
      feature: 'sev-es',
      execute() {
        throw new Fault(VECTOR_VC, EXIT_MONITOR)
      },
    })
    host.add(HOSTS, LINUX.name, LINUX)
  },
})
