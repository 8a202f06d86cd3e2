/** Everything held. */
export const EXIT_OK = 0
/** An expectation failed, or a vector. */
export const EXIT_FAILED = 1
/** A scenario, a file or the command line is wrong. */
export const EXIT_MISUSE = 2
/** A defect of trapframe (EX_SOFTWARE of sysexits). */
export const EXIT_DEFECT = 70

/** A person ended it with Ctrl-C: 128 and the number of SIGINT, as shells have it. */
export const EXIT_INTERRUPTED = 130

export type ExitCode = 0 | 1 | 2 | 70 | 130
