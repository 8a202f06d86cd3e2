import { type Boot, type Cpu, type Machine, MachineError } from '@trapframe/core'
import {
  type Build,
  cpuInfoLayout,
  deliveryOf,
  differencesOf,
  guestUserRegs,
  type LayoutName,
  type Revision,
} from '@trapframe/xen'
import { type PvContext, pvContext } from './context.js'
import { HOST_CHECKS, type HostChecks } from './host-checks.js'

/** What Xen is asked to do with a guest by others than the guest. */
export interface OutsideCall {
  readonly machine: Machine
  readonly boot: Boot
  /** Whose vCPU it is about. Default: the first CPU's. */
  readonly cpu?: Cpu
  readonly layout?: LayoutName
  readonly checks?: HostChecks
}

/**
 * The context of something that is done with a vCPU while its guest does not ask for it: by a toolstack, or at the end of a boot.
 *
 * @throws MachineError when another host than Xen was booted
 */
export function outsideCall({
  machine,
  boot,
  cpu = machine.cpu,
  layout = 'together',
  checks = HOST_CHECKS,
}: OutsideCall): PvContext {
  const delivery = deliveryOf(cpu)
  const revision = boot.facts?.(cpu).revision as Revision | undefined
  if (revision === undefined) throw new MachineError('pv-host', 'this host says no revision: it is not Xen')
  const build: Build = {
    revision,
    layout: cpuInfoLayout(layout, delivery),
    shows: differencesOf(revision, delivery),
    pv32: machine.space(0n).read(labelOf(boot, 'opt_pv32'), 1)[0] === 1,
    label: (name) => labelOf(boot, name),
    symbol: () => null,
  }
  return pvContext({ machine, cpu, build, regs: guestUserRegs(cpu, build.layout) }, checks)
}

/** A label of the booted Xen. @throws MachineError when another host was booted */
export function labelOf(boot: Boot, name: string): bigint {
  const address = boot.labels.get(name)
  if (address === undefined) throw new MachineError('pv-host', `this host has no "${name}": it is not Xen`)
  return address
}
