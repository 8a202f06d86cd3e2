import { CPL, definePlugin, gp, gp0, RAX, RCX, RDX } from '@trapframe/core'

/** A 48-bit counter in an MSR of its own, and RDPRU that reads and advances it. */
export const acmeCounter = definePlugin({
  name: 'acme-counter',
  requires: ['core'],
  setup(host) {
    const counter = host.msrs.define({
      index: 0x1234,
      name: 'ACME_COUNTER',
      write: (value) => (value >> 48n === 0n ? value : gp0()),
    })
    host.instructions.define({
      mnemonic: 'rdpru',
      execute(cpu) {
        if (cpu.words[CPL] !== 0 || cpu.words[RCX] !== 0) throw gp(0)
        const value = cpu.get64(counter.slot)
        cpu.set64(counter.slot, (value + 1n) & 0xffff_ffff_ffffn)
        cpu.set64(RAX, value & 0xffff_ffffn)
        cpu.set64(RDX, value >> 32n)
      },
    })
  },
})
