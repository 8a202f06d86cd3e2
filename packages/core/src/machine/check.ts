import type { Cpu } from '../cpu/cpu.js'
import { MachineError } from '../error.js'
import { type StepResult, step } from '../instruction/step.js'
import type { Machine } from './machine.js'
import type { Snapshot } from './snapshot.js'

/**
 * One step that proves itself repeatable: after it the machine goes back to where it was, makes the step once more and
 * must arrive at the same state, byte by byte. What observers of `machine.observe` and the trace hear, they hear once.
 *
 * @throws MachineError when the two differ, naming what does: something that changes is not part of the declared state
 */
export function checkedStep(machine: Machine, cpu: Cpu): StepResult {
  const at = cpu.rip
  const before = machine.snapshot()
  const result = step(cpu)
  const after = machine.snapshot()
  machine.restore(before)
  const again = machine.quietly(() => step(cpu))
  if (again === result && machine.equals(after)) return result
  const what =
    again === result ? firstDifference(machine, after, machine.snapshot()) : `it was "${result}", then "${again}"`
  throw new MachineError(
    'not-repeatable',
    `the step of CPU ${cpu.id} at 0x${at.toString(16)} is not repeatable: ${what}`,
    {
      hint: 'plugins and host routines keep what changes in memory or in declared regions, not in variables of their own',
    },
  )
}

/** Where two states of a machine first differ, in words. */
function firstDifference(machine: Machine, a: Snapshot, b: Snapshot): string {
  const word = a.state.findIndex((value, i) => value !== b.state[i])
  if (word >= 0) return `${wordName(machine, word)} differs`
  for (let i = 0; i < Math.max(a.frames.length, b.frames.length); i++) {
    const offset = differingByte(a.frames[i]?.bytes, b.frames[i]?.bytes)
    if (offset < 0) continue
    const address = machine.memory.pageNumber(i) * 4096 + offset
    return `memory at physical address 0x${address.toString(16)} differs`
  }
  return 'the page tables differ'
}

/** Offset of the first byte that differs, -1 for none; a page that is not there is zeros. */
function differingByte(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  if (a === b) return -1
  for (let offset = 0; offset < 4096; offset++) if ((a?.[offset] ?? 0) !== (b?.[offset] ?? 0)) return offset
  return -1
}

/** What a word of the flat state is: a region, an MSR, or a word of core's own part. */
function wordName(machine: Machine, index: number): string {
  const { machineWords, cpuWords, regions } = machine.layout
  const shared = index < machineWords
  const word = shared ? index : (index - machineWords) % cpuWords
  const owner = shared ? '' : ` of CPU ${Math.floor((index - machineWords) / cpuWords)}`
  const scope = shared ? 'machine' : 'cpu'
  for (const region of regions.values()) {
    if (region.scope === scope && word >= region.slot && word < region.slot + region.words) {
      return `region "${region.name}"${owner}`
    }
  }
  const msr = shared ? undefined : machine.msrs.all().find(({ slot }) => word === slot || word === slot + 1)
  return msr === undefined ? `word ${word}${owner}` : `${msr.name}${owner}`
}
