import { apic } from '@trapframe/apic'
import { type Boot, createMachine, FIRST_POSITION, type Machine, type Position, scheduledStep } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { assemble, isa } from '@trapframe/isa'
import { xen } from '@trapframe/xen'
import { type CrashOptions, kexec, loadCrashImage } from '../src/index.js'

export interface CrashMachine {
  readonly machine: Machine
  readonly boot: Boot
  /** What Xen, and the crash kernel, have said since the boot. */
  readonly log: readonly string[]
  /** Lets the CPUs take turns until none can step, or `until` says so. */
  run(until?: () => boolean): void
}

export interface CrashRequest extends CrashOptions {
  readonly delivery?: 'idt' | 'fred'
  readonly revision?: 'rfc' | 'upstream'
  readonly cpu?: string
  readonly cpus?: number
}

/** Xen with a crash image: CPU 0 is about to call kexec_crash, the others run guests with a number in RAX. */
export function crashMachine(request: CrashRequest = {}): CrashMachine {
  const { delivery = 'fred', revision = 'rfc', cpu = 'panther-lake', cpus = 3, ...options } = request
  const machine = createMachine({ cpu, cpus, plugins: [isa(), idt(), fred(), xen(), apic(), kexec()] })
  const boot = machine.boot('xen', { delivery, options: { revision } })
  const guest = boot.sites.guest!
  const host = boot.sites.host!
  const symbols = Object.fromEntries(boot.labels)
  const space = machine.space(0n)
  space.write(guest.origin, assemble('mov eax, 0x1234\nloop: jmp loop', { origin: guest.origin }).bytes)
  space.write(host.origin, assemble('call kexec_crash\nhlt', { origin: host.origin, symbols }).bytes)
  for (const one of machine.cpus) (one.id === 0 ? host : guest).enter(one)
  loadCrashImage(machine, options)
  const log: string[] = []
  machine.trace.on('log', ({ text }) => void log.push(text))
  let position: Position = FIRST_POSITION
  return {
    machine,
    boot,
    log,
    run(until = () => false) {
      for (let n = 0; n < 5000 && !until(); n++) {
        const made = scheduledStep(machine, { kind: 'round-robin' }, position)
        if (made === null) return
        position = made.position
      }
    },
  }
}

/** Every host that the shootdown is shown on. */
export const HOSTS = [
  { delivery: 'idt', revision: 'rfc' },
  { delivery: 'idt', revision: 'upstream' },
  { delivery: 'fred', revision: 'rfc' },
  { delivery: 'fred', revision: 'upstream' },
] as const
