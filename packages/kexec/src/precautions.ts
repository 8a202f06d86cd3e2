/** What the shootdown does so that nothing goes wrong; each can be left out, to see what does. All are bits of one variable. */
export const PRECAUTIONS = {
  crashingClearsMceIst: 'the crashing CPU takes the IST stack from #MC on its own IDT',
  othersClearMceIst: 'every other CPU does so too, in its NMI handler',
  onceOnly: 'the handler saves the registers that it was entered with first, and no others',
  finishes: 'a handler that is entered once more does what the first one has left undone',
  selfNmi: 'a stopped CPU sends itself an NMI, which waits while NMIs are blocked',
  crashingCpuIgnoresNmi: 'an NMI of the crashing CPU returns at once',
  forceConsoleUnlock: 'the crashing CPU takes the lock of the console from whoever holds it',
  mceGatesToIret: 'before Xen is left, #MC of every CPU is made a bare IRET, under the IDT',
  cetOffFirst: 'CET is off before IRET unblocks NMIs',
  fredOffFirst: 'CR4 is PAE alone, and FRED off, before Xen’s stack is left',
} as const

/** The name of a precaution. */
export type Precaution = keyof typeof PRECAUTIONS

/** The precautions in the order of their bits. */
export const PRECAUTION_NAMES = Object.keys(PRECAUTIONS) as readonly Precaution[]

/** Bit of a precaution in the variable `precautions`. */
export const bitOf = (precaution: Precaution): number => 1 << PRECAUTION_NAMES.indexOf(precaution)

/** All of them but those that are set to false. */
export const precautionBits = (chosen: Readonly<Partial<Record<Precaution, boolean>>>): number =>
  PRECAUTION_NAMES.reduce((bits, name) => (chosen[name] === false ? bits : bits | bitOf(name)), 0)
