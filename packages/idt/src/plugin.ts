import { definePlugin, farTransferInstructions, HOSTS, MECHANISMS, type Plugin, type Semantics } from '@trapframe/core'
import { FLAT_IDT } from './flat/host.js'
import { breakpoint, debugTrap, interrupt, overflowTrap } from './instructions/interrupt.js'
import { clrssbsy, setssbsy } from './instructions/shadow-stack-busy.js'
import { swapgs } from './instructions/swapgs.js'
import { syscall } from './instructions/syscall.js'
import { sysenter, sysexit } from './instructions/sysenter.js'
import { sysret } from './instructions/sysret.js'
import { IDT, idtMechanism } from './mechanism.js'
import { defineMsrs } from './msrs.js'

/** Event delivery through the IDT, the instructions and MSRs that belong to it, and the host kind `flat-idt`. */
export function idt(): Plugin {
  return definePlugin({
    name: 'idt',
    specifier: '@trapframe/idt',
    setup(host) {
      const slots = defineMsrs(host)
      const instructions: Readonly<Record<string, Semantics>> = {
        int: interrupt,
        int3: breakpoint,
        int1: debugTrap,
        into: overflowTrap,
        syscall: syscall(slots),
        sysret,
        sysenter: sysenter(slots),
        sysexit: sysexit(slots),
        swapgs,
      }
      for (const [mnemonic, execute] of Object.entries(instructions)) {
        host.instructions.define({ mnemonic, under: IDT, execute })
      }
      host.instructions.define({ mnemonic: 'setssbsy', under: IDT, feature: 'cet-ss', execute: setssbsy })
      host.instructions.define({ mnemonic: 'clrssbsy', under: IDT, feature: 'cet-ss', execute: clrssbsy })
      for (const definition of farTransferInstructions(IDT)) host.instructions.define(definition)
      host.add(MECHANISMS, IDT, idtMechanism(slots))
      host.add(HOSTS, FLAT_IDT.name, FLAT_IDT)
    },
  })
}
