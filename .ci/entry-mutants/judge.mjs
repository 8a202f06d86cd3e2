// What tells a mutant from the unmutated host: the invariants, and three oracles that compare what the two do.
//
//   called-with       what each C function finds when it is called: interrupt and direction flag, AC, CR3, segments, which
//                     registers hold something, and a guest's registers as they were saved, on which stack
//   registers-at-end  the registers, flags and segments of the guest when its program is over, or where the CPU is halted
//   machine-at-end    all the rest then, but for stacks: memory, MSRs, what is pending or blocked, tokens of shadow stacks
//
// Each is a set over all paths of a search, and the two sets must be equal.
import { ARITHMETIC_FLAGS, BLOCKED_BY_NMI, CR3, GPR, RFLAGS, RIP, SSP, STATUS } from '../../packages/core/dist/index.js'
import { INVARIANTS, interruptedContexts, search } from '../../packages/explore/dist/index.js'

const low = (address) => Number(BigInt.asIntN(32, address))

/** TF, IF, DF, IOPL, NT and AC: all that a C function could notice. */
const FLAGS_OF_A_CALL = 0x47700
/** The registers that a C function need not keep: RCX, RDX, RSI, RDI, R8 to R11. RAX may be its result. */
const CALLER_SAVED = [1, 2, 6, 7, 8, 9, 10, 11]
const JUNK = 0x6a756e6b
const RSP = 4
const RSI = 6
const RDI = 7
/** Of the 21 quadwords of saved registers: what was pushed below the frame, error code and vector, and CS. */
const SAVED = 21
const [SAVED_CODE, SAVED_CS] = [15, 17]

/** Searches one program on one host, unmutated or not. */
export class Judged {
  #machine
  #cpu
  #boot
  #program
  #functions
  #without
  #returns
  #end
  #clear
  #invariants
  #seen = null
  #expected = null
  #problem = null

  /**
   * @param booted the machine, its boot, and the names of C functions by address; there a function runs, and a RET follows
   * @param without oracles that are not asked
   * @param program where it ends, and what its events are
   */
  constructor({ machine, boot, functions }, program, without) {
    this.#without = without
    this.mostEvents = program.most
    this.#machine = machine
    this.#cpu = program.cpu
    this.#boot = boot
    this.#program = program
    this.#functions = new Map([...functions].map(([at, name]) => [low(at), name]))
    this.#returns = new Set([...functions].filter(([, name]) => name !== 'schedule').map(([at]) => low(at) + 1))
    this.#end = low(program.end)
    this.#clear = interruptedContexts(machine, boot)
    const names = machine.contributions(INVARIANTS).map(({ name }) => name)
    this.#invariants = program.panics ? names.filter((name) => name !== 'no-panic') : names
  }

  /** Searches with up to so many events. `expected` is what the unmutated host did, null for itself. */
  run(maxEvents, expected, budget = {}) {
    this.#seen = new Map()
    this.#expected = expected?.seen ?? null
    this.#problem = null
    const judged = this
    const { end, events } = this.#program
    const result = search(this.#machine, this.#boot, {
      events: maxEvents === 0 ? [] : events,
      maxEvents,
      eventCpus: [this.#cpu.id],
      deadStacks: true,
      invariants: this.#invariants,
      atEnd: ({ rip }) => rip === end,
      forget: (cpu) => this.#look(cpu),
      ...(expected === null
        ? { maxSteps: 5000 }
        : {
            maxViolations: 1,
            signal: {
              get aborted() {
                return judged.#problem !== null
              },
            },
          }),
      ...budget,
    })
    return { result, seen: this.#seen, problem: this.#problem }
  }

  #look(cpu) {
    if (cpu !== this.#cpu) return
    const { words } = cpu
    const rip = words[RIP]
    const name = this.#functions.get(rip)
    if (name !== undefined && cpu.cpl === 0) this.#note('called-with', this.#calledWith(cpu, name))
    // What C code keeps for nobody: the functions here are routines, which change no register.
    if (this.#returns.has(rip) && cpu.cpl === 0) {
      for (const n of CALLER_SAVED) {
        words[GPR + 2 * n] = JUNK
        words[GPR + 2 * n + 1] = JUNK
      }
      words[RFLAGS] |= ARITHMETIC_FLAGS
    }
    if (rip === this.#end) {
      this.#clear(cpu, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
      this.#note('registers-at-end', `${words.subarray(GPR, RFLAGS + 1).join()},${segmentsOf(cpu)}`)
      this.#note('machine-at-end', String(this.#machine.hash()))
    } else if (cpu.halted) {
      this.#note('registers-at-end', `halted at ${rip}, IF ${words[RFLAGS] & 0x200}, CPL ${cpu.cpl}`)
    }
  }

  #note(oracle, what) {
    if (this.#without.includes(oracle)) return
    const key = `${oracle} ${what}`
    if (this.#seen.has(key)) return
    this.#seen.set(key, oracle)
    if (this.#expected !== null && !this.#expected.has(key)) this.#problem ??= { oracle, what }
  }

  #calledWith(cpu, name) {
    const { words } = cpu
    let used = 0
    for (let n = 0; n < 16; n++) if ((words[GPR + 2 * n] | words[GPR + 2 * n + 1]) !== 0) used |= 1 << n
    return [
      name,
      words[RFLAGS] & FLAGS_OF_A_CALL,
      words[STATUS] & BLOCKED_BY_NMI,
      used,
      cpu.get64(CR3),
      segmentsOf(cpu),
      name === 'idt_dispatch' ? cpu.gpr(RSI) : 0,
      this.#saved(cpu, cpu.gpr(RDI)),
    ].join()
  }

  /**
   * The saved registers that RDI points to. Those of a guest in full, with the stack that they are on. Of ring 0 only why
   * it was interrupted: where, and with what in its registers, is return-identity's business, and what is not executed at
   * all is no difference by itself.
   */
  #saved(cpu, address) {
    const at = low(address)
    const hi = Number(BigInt.asIntN(32, address >> 32n))
    if (cpu.space.lookup(at, hi) === 0 || cpu.space.lookup(at + 8 * SAVED - 1, hi) === 0) return address
    const saved = new BigUint64Array(cpu.space.read(address, 8 * SAVED).buffer)
    const distance = address - cpu.gpr(RSP)
    return (saved[SAVED_CS] & 3n) === 0n
      ? [saved[SAVED_CODE], saved[SAVED_CS], distance].join()
      : [saved.join(), address, distance, cpu.get64(SSP)].join()
  }
}

const segmentsOf = (cpu) =>
  [
    ...[0, 1, 2, 3, 4, 5].map((n) => cpu.segment(n)).map(({ selector, base }) => `${selector}:${base}`),
    cpu.kernelGsBase,
  ].join()
