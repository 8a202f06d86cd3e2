import { apic } from '@trapframe/apic'
import { definePlugin, type Plugin } from '@trapframe/core'
import { CONTAINMENTS, explore } from '@trapframe/explore'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { KEXEC_CONTAINMENT, kexec } from '@trapframe/kexec'
import { pv } from '@trapframe/pv'
import { xen } from '@trapframe/xen'
import { verbs } from '../verbs/plugin.js'

/** Tells explore what kexec means by a stopped CPU: the two do not know each other. */
const containment = (): Plugin =>
  definePlugin({
    name: 'kexec-containment',
    requires: ['explore', 'kexec'],
    setup: (host) => host.add(CONTAINMENTS, KEXEC_CONTAINMENT.name, KEXEC_CONTAINMENT),
  })

/** The plugins that every scenario has. */
export function officialPlugins(): Plugin[] {
  return [isa(), idt(), fred(), xen(), pv(), apic(), kexec(), explore(), containment(), verbs()]
}
