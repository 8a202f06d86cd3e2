import { DF, IF, RF } from '@trapframe/core'
import type { Revision } from '../boot/decision.js'
import { FLAT_USER_CS32, FLAT_USER_CS64, FLAT_USER_SS } from '../layout/selectors.js'

/**
 * What of the delivery a PV guest can see: every difference between IDT and FRED that recordings of a real Xen show, each
 * in one place (P1). Revision `upstream` has them as recorded. Revision `rfc` keeps the promise that there is none: both
 * deliveries show what the IDT has always shown, but where that itself is a slip of Xen's (REX prefixes of kind 4, selectors
 * of kind 6 that are shown and never loaded, kinds 7 and 14) both show what was meant.
 */
export interface Differences {
  /** Kind 1. The SS slot of a bounce frame, from the quadword that the event left. */
  ssSlot(ss: bigint): bigint
  /** Kind 2. RFLAGS in the frame of an INT n other than 3, 4 and 80h, permitted or refused. */
  interruptRflags(rflags: bigint): bigint
  /** Kind 3. INT 80h asks the trap table whether ring 3 may use its entry. */
  readonly int80ChecksDpl: boolean
  /** Kind 4. Bytes that RIP goes back from behind a SYSCALL or INT 80h that nobody takes, `length` bytes long. */
  rewind(length: number): number
  /** Kind 4. A REX prefix before INT n is understood where INT n has to be decoded. */
  readonly rexBeforeInt: boolean
  /** Kind 5. RFLAGS after SYSENTER, which clears IF: the CPU does so under the IDT, and Xen in its stead under FRED. */
  sysenterRflags(rflags: bigint): bigint
  /** Kind 6. SYSCALL is remembered as the way in, so that the way out has SYSRET's effect on RCX and R11. */
  readonly remembersSyscall: boolean
  /** Kind 6. CS and SS after an iret hypercall with VGCF_in_syscall to a canonical address. */
  syscallReturnSelectors(cs: bigint, ss: bigint): readonly [cs: bigint, ss: bigint]
  /** Kind 7. RFLAGS in the frame for the SYSCALL callback. */
  syscallFrameRflags(rflags: bigint): bigint
  /** Kind 7. RFLAGS of the handler that follows, be it that of the #UD without callback. The frame is at `frame`. */
  syscallHandlerRflags(rflags: bigint, frame: bigint): bigint
  /** Kind 8. A fault on the way out to the guest carries its own event data, not that of what brought the guest in. */
  readonly exitFaultKeepsEventData: boolean
  /** Not for guests to see: an exception in the stead of a callback that is not there is noted in the log if it, too, has no handler. */
  readonly logsMissingCallback: boolean
  /** Kind 14. SYSCALL from compatibility mode in guest kernel is a hypercall (else the syscall32 callback). */
  readonly compatKernelSyscallIsHypercall: boolean
  /** Kind 14. The callback whose flag says whether the syscall32 callback masks events. */
  readonly syscall32MaskedBy: 'syscall' | 'syscall32'
}

/** Length of SYSCALL and INT n without prefixes: what the IDT knows of them. */
const SHORT = 2
const LOW_32 = 0xffff_ffffn
const SELECTOR = 0xffffn

/** Nothing that the mechanism would let through is let through. */
const PROMISE = {
  ssSlot: (ss) => ss & SELECTOR,
  int80ChecksDpl: false,
  rexBeforeInt: true,
  sysenterRflags: (rflags) => rflags | BigInt(IF),
  remembersSyscall: true,
  syscallFrameRflags: (rflags) => rflags,
  syscallHandlerRflags: (rflags) => rflags & ~BigInt(DF),
  exitFaultKeepsEventData: true,
  logsMissingCallback: true,
  compatKernelSyscallIsHypercall: false,
  syscall32MaskedBy: 'syscall32',
} as const satisfies Partial<Differences>

/** SYSRET loads CS and SS from STAR: flat segments of either size. */
const sysretSelectors = (cs: bigint): readonly [cs: bigint, ss: bigint] => [
  BigInt(Number(cs & SELECTOR) === FLAT_USER_CS32 ? FLAT_USER_CS32 : FLAT_USER_CS64),
  BigInt(FLAT_USER_SS),
]

/** RFLAGS that a fault has saved, where the IDT turns INT n into one. */
const withRf = (rflags: bigint): bigint => rflags | BigInt(RF)

const IDT_UPSTREAM: Differences = {
  ...PROMISE,
  interruptRflags: withRf,
  rewind: () => SHORT,
  logsMissingCallback: false,
  rexBeforeInt: false,
  // SYSRET itself forces them.
  syscallReturnSelectors: (cs, ss) => [cs, ss],
  // DF was to be cleared, and the new stack pointer is the mask that is used.
  syscallHandlerRflags: (rflags, frame) => rflags & (frame & LOW_32),
  syscall32MaskedBy: 'syscall',
}

const FRED_UPSTREAM: Differences = {
  ssSlot: (ss) => ss,
  interruptRflags: (rflags) => rflags,
  int80ChecksDpl: true,
  rewind: (length) => length,
  rexBeforeInt: true,
  sysenterRflags: (rflags) => rflags & ~BigInt(IF),
  remembersSyscall: false,
  syscallReturnSelectors: (cs, ss) => [cs, ss],
  syscallFrameRflags: (rflags) => rflags & ~BigInt(DF),
  syscallHandlerRflags: (rflags) => rflags,
  exitFaultKeepsEventData: false,
  logsMissingCallback: true,
  compatKernelSyscallIsHypercall: true,
  syscall32MaskedBy: 'syscall32',
}

const IDT_RFC: Differences = {
  ...PROMISE,
  interruptRflags: withRf,
  rewind: () => SHORT,
  logsMissingCallback: false,
  // SYSRET forces them; the frame of an upcall or NMI that comes before it is to show what will be.
  syscallReturnSelectors: sysretSelectors,
}

const FRED_RFC: Differences = {
  ...PROMISE,
  interruptRflags: withRf,
  // What the CPU says, and what the promise cannot take back.
  rewind: (length) => length,
  syscallReturnSelectors: sysretSelectors,
}

/** What shows through to guests of a Xen. */
export function differencesOf(revision: Revision, delivery: 'idt' | 'fred'): Differences {
  if (revision === 'rfc') return delivery === 'fred' ? FRED_RFC : IDT_RFC
  return delivery === 'fred' ? FRED_UPSTREAM : IDT_UPSTREAM
}
