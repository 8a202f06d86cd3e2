import type { ExploreEvent, PathEntry } from '@trapframe/explore'
import type { PathInjection, SearchPath } from './job.js'

/** The verb of `inject` that makes something happen which is no CPU's step. */
const HAPPENING = 'happening'

/** A search's path as injections before steps and a list of who steps: what `run` can repeat. */
export function searchPath(path: readonly PathEntry[], events: readonly ExploreEvent[]): SearchPath {
  const injections: PathInjection[] = []
  const cpus: number[] = []
  const unsaid: string[] = []
  for (const { event, happening, cpu, steps, rip, label } of path) {
    const step = cpus.length + 1
    if (happening !== null) {
      injections.push({ verb: [HAPPENING, { name: happening }], event: happening, cpu, step, rip, label })
      continue
    }
    for (let n = 0; n < steps; n++) cpus.push(cpu)
    if (event === null) continue
    const verb = events.find(({ name }) => name === event)?.verb
    if (verb === undefined) unsaid.push(event)
    else injections.push({ verb, event, cpu, step, rip, label })
  }
  return { injections, cpus, unsaid: [...new Set(unsaid)] }
}
