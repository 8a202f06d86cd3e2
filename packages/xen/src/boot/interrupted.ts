import { type Boot, type Cpu, eventName, type Machine, step } from '@trapframe/core'
import { stageFinder } from './stage.js'

/** What becomes of a boot when an event meets it at one of its instruction boundaries (X1). */
export interface Interrupted {
  /** The stage of the boot, and the address of the instruction that would have been next. */
  readonly stage: string
  readonly rip: bigint
  /** Through which mechanism the event was delivered first; null where it could not be. */
  readonly mechanism: string | null
  /** What was delivered, by name: the event itself, or the #DF that became of it. */
  readonly delivered: readonly string[]
  /** `boots`: to the idle loop, in the state in which it comes there undisturbed. */
  readonly end: 'boots' | 'boots differently' | 'panics' | 'shutdown'
}

/** More steps than any boot of one CPU needs. */
const MOST_STEPS = 10_000

/**
 * Runs the boot of a machine's first CPU again and again, each time with an event at another of its instruction
 * boundaries. For machines with one CPU.
 *
 * @param raise makes the event happen, or pends it
 */
export function interruptBoot(machine: Machine, boot: Boot, raise: (cpu: Cpu) => void): Interrupted[] {
  const { cpu } = machine
  const idleLoop = boot.labels.get('idle_loop')!
  const stageOf = stageFinder(boot.labels)
  const moments: { readonly rip: bigint; readonly stage: string; readonly state: ReturnType<Machine['snapshot']> }[] =
    []
  boot.sites.boot!.enter(cpu)
  for (let stage = ''; cpu.rip !== idleLoop; step(cpu)) {
    stage = stageOf(cpu.rip) ?? stage
    moments.push({ rip: cpu.rip, stage, state: machine.snapshot() })
  }
  const undisturbed = [...cpu.words]
  return moments.map(({ rip, stage, state }) => {
    machine.restore(state)
    const delivered: { readonly name: string; readonly mechanism: string }[] = []
    const release = machine.observe({
      delivered: (_cpu, event, mechanism) => void delivered.push({ name: eventName(event), mechanism }),
    })
    try {
      raise(cpu)
      const idle = runTo(cpu, idleLoop)
      const end = !idle
        ? cpu.isShutdown
          ? 'shutdown'
          : 'panics'
        : undisturbed.every((word, i) => word === cpu.words[i])
          ? 'boots'
          : 'boots differently'
      return {
        stage,
        rip,
        mechanism: delivered[0]?.mechanism ?? null,
        delivered: delivered.map(({ name }) => name),
        end,
      }
    } finally {
      release()
    }
  })
}

/** Steps a CPU to an address; false when it has nothing to do before. */
function runTo(cpu: Cpu, address: bigint): boolean {
  for (let i = 0; i < MOST_STEPS && cpu.rip !== address; i++) if (step(cpu) === 'idle') return false
  return cpu.rip === address
}
