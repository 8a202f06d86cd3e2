import { apic } from '@trapframe/apic'
import type { Plugin } from '@trapframe/core'
import { explore } from '@trapframe/explore'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { kexec, kexecSearch } from '@trapframe/kexec'
import { pv } from '@trapframe/pv'
import { xen } from '@trapframe/xen'
import { verbs } from '../verbs/plugin.js'

/** The plugins that every scenario has. */
export function officialPlugins(): Plugin[] {
  return [isa(), idt(), fred(), xen(), pv(), apic(), kexec(), explore(), kexecSearch(), verbs()]
}
