import { definePlugin, OBSERVERS, type Plugin } from '@trapframe/core'
import { ghostObserver } from './ghost/observer.js'
import { FRAME_REGION } from './ghost/region.js'
import { BUILT_IN } from './invariant/built-in.js'
import { INVARIANTS } from './invariant/invariant.js'
import { EXPLORE_EVENTS, STANDARD_EVENTS } from './search/event.js'

/**
 * Ghost state and invariants. A machine with this plugin keeps, for every CPU, which frames are live and who runs on
 * them, in a region of its own; `checkInvariants` judges each step by it.
 */
export function explore(): Plugin {
  return definePlugin({
    name: 'explore',
    specifier: '@trapframe/explore',
    setup(host) {
      const { slot } = host.regions.declare(FRAME_REGION)
      host.add(OBSERVERS, 'explore/ghost', ghostObserver(slot))
      for (const invariant of BUILT_IN) host.add(INVARIANTS, invariant.name, invariant)
      for (const [name, event] of Object.entries(STANDARD_EVENTS)) host.add(EXPLORE_EVENTS, name, event)
    },
  })
}
