/**
 * Which packages a package may import: the layer rule, in one table. CONTRIBUTING.md explains it; dependency-cruiser
 * enforces it (`pnpm layers`), over types as well as values.
 */
const plugins = ['isa', 'idt', 'fred', 'explore', 'xen', 'pv', 'apic', 'kexec']

export const layers = {
  core: [],
  isa: ['core'],
  idt: ['core'],
  fred: ['core'],
  explore: ['core'],
  apic: ['core'],
  xen: ['core', 'isa', 'idt', 'fred'],
  pv: ['core', 'isa', 'xen'],
  kexec: ['core', 'isa', 'xen', 'apic', 'explore'],
  queue: ['core', 'explore'],
  cli: ['core', ...plugins, 'queue'],
}

/** What the tests of every package may import besides. */
export const inTests = ['core', 'isa']

/** What the tests of one package may import beyond that: those of PV guests and of kexec run on both deliveries. */
export const inTestsOf = { pv: ['idt', 'fred'], kexec: ['idt', 'fred'] }
