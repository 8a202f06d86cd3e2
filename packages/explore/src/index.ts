/** Invariants over a trapframe machine, and the ghost state that they read. */

export {
  type Clobber,
  type FrameEvent,
  framesForgotten,
  type LiveFrame,
  liveFrames,
} from './ghost/frame.js'
export { checkInvariants } from './invariant/check.js'
export { INVARIANTS, type Invariant, type InvariantContext, type Violation } from './invariant/invariant.js'
export { explore } from './plugin.js'
