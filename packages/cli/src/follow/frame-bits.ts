// What became of a live frame, as bits.

/** The frame's handler is what runs. */
export const FRAME_RUNNING = 1
/** Its handler went on with another stack. */
export const FRAME_LEFT = 2
/** Bytes of it were overwritten. */
export const FRAME_CLOBBERED = 4
