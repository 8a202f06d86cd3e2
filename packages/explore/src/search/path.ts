import { RIP } from '@trapframe/core'
import { choiceCpu, choiceEvent, choiceHappening } from './choice.js'
import type { Exploration } from './exploration.js'
import { FORCED, type Way } from './findings.js'
import type { PathEntry } from './result.js'

/** A way as people and scenarios have it: walked once more from the start, steps of one CPU in a row together. */
export function pathOf(exploration: Exploration, way: Way, nameOf: (address: bigint) => string): readonly PathEntry[] {
  const { machine, choices, events } = exploration
  machine.restore(exploration.start)
  const path: { -readonly [K in keyof PathEntry]: PathEntry[K] }[] = []
  way.forEach((made, n) => {
    const choice = made === FORCED ? onlyChoice(exploration) : made
    const happening = choiceHappening(choice)
    const cpu = happening === 0 ? choiceCpu(choice) : 0
    const event = choiceEvent(choice)
    const last = path.at(-1)
    if (last !== undefined && happening === 0 && event === 0 && last.happening === null && last.cpu === cpu) {
      last.steps++
    } else {
      const rip = machine.cpus[cpu]!.get64(RIP)
      path.push({
        step: n + 1,
        cpu,
        event: event === 0 ? null : events[event - 1]!.name,
        happening: happening === 0 ? null : choices.happeningName(happening),
        steps: 1,
        rip,
        label: nameOf(rip),
      })
    }
    // The last step may be one that the model cannot make.
    if (n < way.length - 1) exploration.repeat(choice)
  })
  return path
}

function onlyChoice({ choices }: Exploration): number {
  choices.plain()
  return choices.list[0]!
}
