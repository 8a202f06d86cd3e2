import type { CpuEvent } from '../event/event.js'
import type { Fault } from '../event/fault.js'
import type { DeliveryMechanism } from '../event/mechanism.js'
import { savedRflags } from '../event/saved-rflags.js'
import { IMPLICIT, WRITE } from '../memory/access.js'
import { load64, store64 } from '../memory/linear.js'
import { definePlugin, MECHANISMS, type Plugin } from '../plugin/plugin.js'
import { RFLAGS, RIP, RSP, STATUS } from '../state/registers.js'
import { BLOCKED_BY_NMI } from '../state/status.js'

/** What a toy mechanism does differently from the plain one. */
export interface ToyMechanismOptions {
  readonly name?: string
  /** Where every event goes. */
  readonly entry: bigint
  /** Thrown instead of delivering, when it returns something. */
  readonly refuse?: (event: CpuEvent) => Fault | null
  readonly activeWhen?: DeliveryMechanism['activeWhen']
  readonly fallback?: boolean
}

/**
 * The smallest delivery mechanism that there can be: pushes RFLAGS and RIP on the current stack, clears RFLAGS, goes to
 * `entry`; `toyret` pops them and unblocks NMIs. For tests, and as a template.
 */
export function toyMechanism(options: ToyMechanismOptions): Plugin {
  const { name = 'toy', entry, refuse, activeWhen = {}, fallback = activeWhen.cr4 === undefined } = options
  return definePlugin({
    name: `toy-mechanism-${name}`,
    setup(host) {
      host.add(MECHANISMS, name, {
        name,
        activeWhen,
        fallback,
        transferPolicy: {
          returnToOuterRing: true,
          callGates: true,
          ring0CompatibilityMode: true,
          shadowStackTokens: false,
        },
        deliver(cpu, event) {
          const fault = refuse?.(event)
          if (fault) throw fault
          const { words } = cpu
          const lo = (words[RSP]! - 16) | 0
          store64(cpu, lo, 0, words[RIP]!, words[RIP + 1]!, WRITE | IMPLICIT)
          store64(cpu, lo + 8, 0, savedRflags(cpu, event), 0, WRITE | IMPLICIT)
          words[RSP] = lo
          words[RFLAGS] = 2
          cpu.rip = entry
        },
      })
      host.instructions.define({
        mnemonic: 'toyret',
        under: name,
        execute(cpu) {
          const { words } = cpu
          const rsp = words[RSP]!
          const rflags = load64(cpu, rsp + 8, 0)
          words[RIP] = load64(cpu, rsp, 0)
          words[RIP + 1] = cpu.hi
          words[RFLAGS] = rflags
          words[RSP] = rsp + 16
          words[STATUS] = words[STATUS]! & ~BLOCKED_BY_NMI
          cpu.observer?.returned?.(cpu, 'toyret')
        },
      })
    },
  })
}
