/** Crash and kexec for trapframe: the NMI shootdown, crash notes, and the way out into the next kernel. */

export { arrivalFaults } from './arrival.js'
export { type CrashOptions, loadCrashImage } from './load.js'
export { noteOf } from './memory/layout.js'
export { isContained, isStopping } from './memory/state.js'
export { type CrashNote, readCrashNote } from './note/crash-note.js'
export { NOTE_BYTES, NOTE_REGISTERS, type NoteControl, type NoteRegister, noteOffset } from './note/layout.js'
export { kexec } from './plugin.js'
export { PRECAUTION_NAMES, PRECAUTIONS, type Precaution } from './precautions.js'
export { crashingCpu, notShotDown, waitedFor } from './report.js'
export { kexecSearch } from './search/plugin.js'
