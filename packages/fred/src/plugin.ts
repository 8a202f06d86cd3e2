import {
  definePlugin,
  EFER_LMA,
  farTransferInstructions,
  HOSTS,
  MECHANISMS,
  type Plugin,
  type PluginHost,
} from '@trapframe/core'
import { type DeliveryOptions, fredDelivery } from './delivery/deliver.js'
import { FLAT_FRED } from './flat/host.js'
import { defineInstructionEvents } from './instructions/events.js'
import { defineForbidden } from './instructions/forbidden.js'
import { lkgs } from './instructions/lkgs.js'
import { defineMsrs } from './msrs.js'
import { erets } from './return/erets.js'
import { eretu } from './return/eretu.js'

/** What can be chosen. */
export interface FredOptions {
  /** RFLAGS at the handler: 2 as the final specification has it, or RFLAGS & ~IA32_FMASK (A8). Default `final`. */
  readonly rflags?: DeliveryOptions['rflags']
  /** The event data of an NMI is the bitmap of its sources. Default false: it is 0. */
  readonly nmiSources?: boolean
  /**
   * The event data of INT1: 0 as the specification has it, or the debug conditions that were pending, as a CPU model shows
   * that PV guests were recorded on. Default `none`.
   */
  readonly int1Conditions?: 'none' | 'pending'
}

const CR4_FRED = { bit: 32, name: 'FRED', feature: 'fred', longModeOnly: true } as const

/**
 * FRED as a plugin: its MSRs, CR4.FRED, delivery while CR4.FRED and EFER.LMA are set, ERETS, ERETU and LKGS, and what
 * else changes meaning while it is active. CPUs with FRED then show it.
 */
export function fred(options: FredOptions = {}): Plugin {
  return definePlugin({
    name: 'fred',
    specifier: '@trapframe/fred',
    options,
    setup(host: PluginHost) {
      host.features.implement('fred', 'lkgs')
      host.cr4.define(CR4_FRED)
      const slots = defineMsrs(host)
      const cr4 = 1n << BigInt(CR4_FRED.bit)
      const lma = BigInt(EFER_LMA)
      host.add(MECHANISMS, 'fred', {
        name: 'fred',
        activeWhen: { cr4: { mask: cr4, value: cr4 }, efer: { mask: lma, value: lma } },
        transferPolicy: {
          returnToOuterRing: false,
          callGates: false,
          ring0CompatibilityMode: false,
          shadowStackTokens: false,
        },
        deliver: fredDelivery(slots, { rflags: options.rflags ?? 'final', nmiSources: options.nmiSources ?? false }),
      })
      host.instructions.define({ mnemonic: 'erets', feature: 'fred', execute: erets(slots) })
      host.instructions.define({ mnemonic: 'eretu', feature: 'fred', execute: eretu(slots) })
      host.instructions.define({ mnemonic: 'lkgs', feature: 'lkgs', execute: lkgs })
      for (const definition of farTransferInstructions('fred')) host.instructions.define(definition)
      defineInstructionEvents(host, options.int1Conditions === 'pending')
      defineForbidden(host)
      host.add(HOSTS, FLAT_FRED.name, FLAT_FRED)
    },
  })
}
