import { HARDWARE_EXCEPTION, NMI, VECTOR_NMI } from '@trapframe/core'
import { type EventFacts, ringOf } from './facts.js'

/** Why an event may have been fatal: knowledge as data. What is left out of `when` matches everything. */
export interface Cause {
  /** Stable, for programs. */
  readonly id: string
  readonly when: {
    /** Who reported it: `Linux`, `Xen`; `frame` for a frame alone. */
    readonly reporter?: readonly string[]
    readonly type?: readonly number[]
    /** Lowest and highest vector, pairs. */
    readonly vector?: readonly (readonly [from: number, to: number])[]
    readonly ring?: number
    /** The error code is what is left when the field was overwritten. */
    readonly lostErrorCode?: true
  }
  readonly text: string
  /** Where it was met in public. */
  readonly known?: readonly string[]
  /** A scenario that shows it, in trapframe's repository. */
  readonly scenario?: string
  /** Says something beside the cause, and is told together with it. */
  readonly aside?: true
}

const one = (vector: number) => [[vector, vector]] as const

/** In order of precedence: the first that matches is the likely cause. */
export const CAUSES: readonly Cause[] = [
  {
    id: 'int-2',
    when: { type: [4], vector: one(2), ring: 0 },
    text:
      'INT 2: a software interrupt with the NMI’s number. Under the IDT it went through gate 2 into the NMI handler, and did ' +
      'what re-raising an NMI was meant to do. Under FRED it is type 4, vector 2, and no NMI (type 2): it arrives as a ' +
      'software interrupt, and NMI blocking is as it was. Monitors that hand an NMI exit back to their host in this way are ' +
      'the usual source. What works under FRED is the kernel’s own entry for NMIs, or a return from a type 2 frame.',
    known: ['VirtualBox issue 784, also 711 (2026)', 'found in review of KVM’s FRED series (2023)'],
    scenario: 'examples/linux-host/int2-reraise-nmi.yaml',
  },
  {
    id: 'int-ec',
    when: { type: [4], vector: one(0xec), ring: 0 },
    text:
      'INT 0xec in ring 0: a monitor that goes back into its host through an interrupt’s gate. Under the IDT the gate did not ' +
      'ask whether hardware or an instruction had called it. Under FRED this is type 4; the interrupt itself would have been ' +
      'type 0, vector 0xec, and would have been served.',
    known: ['vmware-host-modules issue 337 (2026); clearcpuid=401, which turns FRED off, avoids it'],
    scenario: 'examples/linux-host/int-0xec-reenter-host.yaml',
  },
  {
    id: 'int-80-ring-0',
    when: { type: [4], vector: one(0x80), ring: 0 },
    text:
      'INT 0x80 in ring 0: the 32-bit system call, executed by the kernel or a module itself. Under FRED the event comes from ' +
      'ring 0 and is no system call of anybody’s.',
  },
  {
    id: 'int-breakpoint',
    when: { type: [4], vector: [[3, 4]], ring: 0 },
    text:
      'INT 3 or INT 4 in two bytes (CD 03, CD 04) in ring 0. The one-byte INT3 (CC) and INTO are type 6 and are served; ' +
      'assemblers do not choose the long form by themselves.',
  },
  {
    id: 'int-exception-ring-0',
    when: { type: [4], vector: [[0, 31]], ring: 0 },
    text:
      'INT n in ring 0 with the number of an exception. Under the IDT it ran that exception’s handler; under FRED it is a ' +
      'software interrupt, and no exception.',
  },
  {
    id: 'int-ring-0',
    when: { type: [4], ring: 0 },
    text:
      'INT n in ring 0. Under the IDT that ran the interrupt handler of its vector, wherever it came from. Under FRED an ' +
      'interrupt is type 0 and INT n is type 4: code that calls an interrupt handler by its number has to call it otherwise.',
    known: ['the same as vmware-host-modules issue 337 with another vector'],
  },
  {
    id: 'int-ring-3',
    when: { type: [4], ring: 3 },
    text:
      'INT n in ring 3. FRED checks no DPL, for there are no gates: every vector arrives, and software decides. Linux serves ' +
      '3, 4 and, for 32-bit programs, 0x80; others are a general protection fault of the program.',
    scenario: 'examples/linux-host/int-n-from-ring-3.yaml',
  },
  {
    id: 'interrupt-80',
    when: { type: [0], vector: one(0x80) },
    text:
      'An interrupt with vector 0x80, injected or sent by a device. Under the IDT a kernel cannot tell it from the system call ' +
      'INT 0x80, whose gate it shares; under FRED it is type 0 and the system call type 4.',
    known: [
      'CVE-2024-25743 and CVE-2024-25744 (Heckler): interrupts that a hypervisor injects into confidential guests',
    ],
    scenario: 'examples/linux-host/interrupt-0x80.yaml',
  },
  {
    id: 'interrupt-exception',
    when: { type: [0], vector: [[0, 31]] },
    text:
      'An interrupt with the number of an exception: an interrupt controller, a message-signalled interrupt or an injected ' +
      'event with a vector below 32. Under the IDT it would have run the exception’s handler without its error code.',
  },
  {
    id: 'exception-29',
    when: { type: [3], vector: one(29) },
    text:
      'Vector 29, the exception of encrypted guests that asks the hypervisor for help, and nothing in the dispatcher serves ' +
      'it: the first CPUID of such a guest ends here.',
    known: ['Linux commit 3645eb7e3915 (2026)'],
    scenario: 'examples/linux-host/missing-vector.yaml',
  },
  {
    id: 'exception-machine-check',
    when: { type: [3], vector: one(18), reporter: ['Linux'] },
    text: 'A machine check in a kernel that was built without machine-check support. The hardware has an error to report.',
  },
  {
    id: 'exception-virtualization',
    when: { type: [3], vector: one(20), reporter: ['Linux'] },
    text: 'A virtualization exception in a kernel that was not built as a guest that gets them (TDX).',
  },
  {
    id: 'exception-control-protection',
    when: { type: [3], vector: one(21), reporter: ['Linux'] },
    text: 'A control protection exception in a kernel that was built without CET: somebody else has turned CET on.',
  },
  {
    id: 'double-fault',
    when: { type: [3], vector: one(8) },
    text:
      'A double fault: a fault met the delivery of another, and nearly always because the frame could not be pushed: the stack ' +
      'has run into its guard page, or its pointer leads nowhere. Under the IDT a bad gate, descriptor or TSS does it too. ' +
      'RSP and CR2 at that moment say which.',
    known: ['Linux commit de31b3cd7063 (2025): IA32_FRED_RSP0 was 0 on return to user mode'],
    scenario: 'examples/linux-host/rsp0-out-of-step.yaml',
  },
  {
    id: 'exception-unknown',
    when: {
      type: [3],
      vector: [
        [2, 2],
        [9, 9],
        [15, 15],
        [22, 27],
        [31, 255],
      ],
    },
    text:
      'A hardware exception with a number that no exception has. A CPU raises none: the event was injected, or the frame was ' +
      'made or changed by software.',
  },
  {
    id: 'nmi-vector',
    when: {
      type: [2],
      vector: [
        [0, 1],
        [3, 255],
      ],
    },
    text: 'An NMI whose vector is not 2. A CPU raises none: the event was injected, or the frame was made by software.',
  },
  {
    id: 'int1-vector',
    when: {
      type: [5],
      vector: [
        [0, 0],
        [2, 255],
      ],
    },
    text: 'An INT1 whose vector is not 1. A CPU raises none: the event was injected, or the frame was made by software.',
  },
  {
    id: 'software-exception-vector',
    when: {
      type: [6],
      vector: [
        [0, 2],
        [5, 255],
      ],
    },
    text:
      'A software exception that is neither INT3 nor INTO. A CPU raises none: the event was injected, or the frame was made by ' +
      'software.',
  },
  {
    id: 'system-call-ring-0',
    when: { type: [7], vector: [[1, 2]], ring: 0 },
    text:
      'SYSCALL or SYSENTER in ring 0. Under FRED both are events that ring 0 can raise too, and then they come from ring 0: a ' +
      'kernel serves none of its own.',
  },
  {
    id: 'other-vector',
    when: {
      type: [7],
      vector: [
        [0, 0],
        [3, 255],
      ],
    },
    text:
      'A type 7 event that is neither SYSCALL nor SYSENTER. Vector 0 of this type stands for a pending monitor trap in what a ' +
      'hypervisor injects, and is delivered to nobody.',
  },
  {
    id: 'no-type',
    when: { type: [1, 8, 9, 10, 11, 12, 13, 14, 15] },
    text: 'No event has this type: the frame was overwritten, made by software, or this is no frame.',
  },
  {
    id: 'xen-nmi',
    when: { type: [2], reporter: ['Xen'] },
    text:
      'An NMI that Xen found fatal: the watchdog, or an error that the platform reports so (`nmi=fatal`). Where it arrived is ' +
      'where the CPU was stuck.',
  },
  {
    id: 'page-fault',
    when: { type: [3], vector: one(14), ring: 0 },
    text: 'Ring 0 used an address that is not mapped so. The address is in CR2, and under FRED in the event data.',
  },
  {
    id: 'invalid-opcode',
    when: { type: [3], vector: one(6), ring: 0 },
    text:
      'An instruction that does not exist here, or an assertion (UD2). Under FRED SWAPGS, SYSRET, SYSEXIT, SETSSBSY and ' +
      'CLRSSBSY are among those; without FRED ERETS and ERETU are.',
    known: ['Xen commits 9ea7d7f939, 3ff1030ea7: SWAPGS in a diagnostic path under FRED'],
  },
  {
    id: 'general-protection',
    when: { type: [3], vector: one(13), ring: 0 },
    text:
      'Ring 0 did what is not allowed. At an ERETS or ERETU it is the frame: a CS or SS that is not the current one (ERETS), a ' +
      'stack level above 0 (ERETU), flags that no return may load. At a far transfer under FRED: a call gate, another ring.',
    known: ['Linux cpu_init_fred_exceptions: SS was null in the frame and loaded at ERETS', 'Xen commit dbd936248f'],
    scenario: 'examples/linux-host/null-ss-at-erets.yaml',
  },
  {
    id: 'lost-error-code',
    when: { lostErrorCode: true },
    aside: true,
    text:
      'The error code is not the event’s: the kernel prints its field after having overwritten it with −1. Kernels that keep ' +
      'a copy print the real one.',
    known: ['fred_bad_type in Linux before it passed the error code on'],
    scenario: 'examples/linux-host/error-code-in-the-report.yaml',
  },
]

/** What may have led to an event: the likely cause first, then what is known besides. */
export function likelyCauses(facts: EventFacts, reporter: string): Cause[] {
  const matching = CAUSES.filter((cause) => matches(cause, facts, reporter))
  const likely = matching.find(({ aside }) => aside !== true)
  return [...(likely === undefined ? [] : [likely]), ...matching.filter(({ aside }) => aside === true)]
}

function matches({ when }: Cause, facts: EventFacts, reporter: string): boolean {
  const { vector, errorCode } = facts
  const type = facts.type ?? typeOf(vector)
  if (when.reporter !== undefined && !when.reporter.includes(reporter)) return false
  if (when.type !== undefined && (type === null || !when.type.includes(type))) return false
  if (when.vector !== undefined && !when.vector.some(([from, to]) => vector >= from && vector <= to)) return false
  // a report without CS is a kernel's own end
  if (when.ring !== undefined && (ringOf(facts) ?? 0) !== when.ring) return false
  return when.lostErrorCode !== true || (errorCode !== null && errorCode >= 0xffff_ffffn)
}

/** The type that an event told by its vector alone must have had; null where it may be several. */
function typeOf(vector: number): number | null {
  if (vector === VECTOR_NMI) return NMI
  return vector < 32 ? HARDWARE_EXCEPTION : null
}
