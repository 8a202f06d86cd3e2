import { FRED_GS, IDT_GS } from '@trapframe/xen'
import type { HostChecks } from '../host-checks.js'

/** A hypervisor that has lost one of its checks: what a run over malformed guests must find, or it shows nothing (P6). */
export interface Defect {
  readonly name: string
  /** What it would mean on a real host. */
  readonly about: string
  readonly checks: Partial<HostChecks>
}

const gates = 0xfn << 40n

export const DEFECTS: readonly Defect[] = [
  {
    name: 'canonical',
    about: 'bases and handlers are taken without a look at whether they are canonical: WRMSR faults in Xen',
    checks: { canonical: () => true },
  },
  {
    name: 'audit',
    about: 'descriptors are taken as the guest writes them: a call gate leads to ring 0',
    checks: { audit: (descriptor) => descriptor },
  },
  {
    name: 'gate-target',
    about: 'a call gate keeps its DPL, so that the guest may use it, whatever it leads to',
    checks: { audit: (descriptor) => ((descriptor & gates) === 0xcn << 40n ? descriptor : descriptor | (3n << 45n)) },
  },
  {
    name: 'page-audit',
    about: 'a page of descriptors is brought in as it is: nobody looks at what it holds already',
    checks: { auditsPages: false },
  },
  {
    name: 'gs-logic',
    about: 'FRED’s exchange of GS bases is not known of: bases are looked for where the IDT leaves them (P2, P3)',
    checks: { gs: () => IDT_GS },
  },
  {
    name: 'gs-swap',
    about: 'half of the exchange of GS bases between guest kernel and guest user is forgotten under FRED (P2, P3)',
    checks: { gs: (delivery) => (delivery === 'fred' ? { ...FRED_GS, setActive: () => {} } : IDT_GS) },
  },
  {
    name: 'rpl',
    about: 'selectors from guests keep their RPL: a frame can ask for ring 0',
    checks: { rpl: 0n },
  },
  {
    name: 'stack-range',
    about: 'a frame is written wherever the guest’s stack pointer says, into Xen’s memory as well',
    checks: { stackOutsideXen: () => true, hardened: (pointer) => pointer },
  },
  {
    name: 'guest-range',
    about: 'hypercalls read and write at any address that they are given',
    checks: { outsideXen: () => true },
  },
  {
    name: 'rflags',
    about: 'the RFLAGS of an iret hypercall are taken as they are: a guest gets IOPL 3, or turns interrupts off',
    checks: { iretRflags: (rflags) => rflags | 2n },
  },
  {
    name: 'frame-owner',
    about: 'update_descriptor and set_gdt take any page, one of Xen’s as well',
    checks: { isGuestFrame: () => true },
  },
]
