import {
  CPL as CPL_WORD,
  type Cpu,
  type CpuEvent,
  type Decoded,
  GS,
  GS_BASE,
  type Observer,
  OPERAND_MEMORY,
  PAGE_SHADOW_STACK,
  RFLAGS,
  RIP as RIP_WORD,
  RSP as RSP_WORD,
  SSP as SSP_WORD,
  type Writer,
} from '@trapframe/core'
import { harm, noteOverwritten } from './clobber.js'
import { contextChecksum } from './context.js'
import { distance } from './distance.js'
import { noteFrozen } from './frozen.js'
import {
  ADDRESS,
  BEFORE_CONTEXT,
  BEFORE_CPL,
  BEFORE_FLAGS,
  BEFORE_LEVEL,
  BEFORE_RIP,
  BEFORE_RSP,
  BEFORE_SSP,
  BYTES,
  CONTEXT,
  COUNT,
  CPL,
  CURRENT,
  DELIVERING,
  EVENT,
  EVENT_NESTED,
  FLAGS,
  FRESH,
  GS_USED,
  GS_USED_BASE,
  HANDLER,
  INSTRUCTION_CPL,
  INSTRUCTION_RSP,
  INSTRUCTION_SSP,
  LEFT,
  LEVEL,
  NOTED,
  OVERWRITER,
  OVERWRITTEN,
  PARENT,
  RETURNED,
  RIP,
  RSP,
  RUN_CAPACITY,
  RUN_TABLE,
  RUNS,
  SHUT_DOWN,
  SSP,
  STATE,
  USER_RUN_CAPACITY,
  USER_RUN_TABLE,
  USER_RUNS,
} from './region.js'
import { addStore, clearRuns, writtenFrom } from './runs.js'
import { stackLevel } from './stack-level.js'
import { appendFrame, endFrame, frameAt, isLive } from './table.js'

/**
 * A handler is on its frame's stack while RSP is at most this far below the frame. One that goes deeper is taken for one
 * that left: what happens to its frame meanwhile is then reported when it comes back.
 */
const STACK_SPAN = 4096

/** Keeps the ghost region, which starts at word `ghost` of every CPU. */
export function ghostObserver(ghost: number): Observer {
  return {
    instruction: (cpu, insn) => beginInstruction(cpu, ghost, insn),
    delivering: (cpu, event) => beginDelivery(cpu, ghost, event),
    delivered: (cpu, event) => endDelivery(cpu, ghost, event),
    stored: (cpu, lo, hi, bytes, by) => noteStore(cpu, ghost, lo, hi, bytes, by),
    shutdown: ({ words }) => {
      words[ghost + NOTED] = 1
      words[ghost + SHUT_DOWN] = 1
    },
    returned: (cpu, mnemonic) => endReturn(cpu, ghost, mnemonic),
  }
}

/** Notes RSP for a return, and whether the running handler is still on the stack that its frame lies on. */
function beginInstruction(cpu: Cpu, ghost: number, insn: Decoded): void {
  const { words } = cpu
  words[ghost + NOTED] = 1
  words[ghost + INSTRUCTION_CPL] = 1 + words[CPL_WORD]!
  if (words[CPL_WORD] !== 3 && usesGs(insn)) {
    words[ghost + GS_USED] = 1
    words[ghost + GS_USED_BASE] = words[GS_BASE]!
    words[ghost + GS_USED_BASE + 1] = words[GS_BASE + 1]!
  }
  words[ghost + INSTRUCTION_RSP] = words[RSP_WORD]!
  words[ghost + INSTRUCTION_RSP + 1] = words[RSP_WORD + 1]!
  words[ghost + INSTRUCTION_SSP] = words[SSP_WORD]!
  words[ghost + INSTRUCTION_SSP + 1] = words[SSP_WORD + 1]!
  const n = words[ghost + CURRENT]!
  if (n === 0 || words[CPL_WORD] === 3) return
  const frame = frameAt(ghost, n)
  const offset = offsetInFrame(words, frame, RSP_WORD)
  const state = words[frame + STATE]!
  if (offset >= words[frame + BYTES]! || offset < -STACK_SPAN) {
    words[frame + STATE] = state | LEFT
  } else if ((state & LEFT) !== 0) {
    words[frame + STATE] = state & ~(LEFT | OVERWRITTEN)
    const by = words[frame + OVERWRITER]!
    words[frame + OVERWRITER] = 0
    if ((state & OVERWRITTEN) !== 0) harm(cpu, ghost, n, cpu, by, words[frame + ADDRESS]!, words[frame + ADDRESS + 1]!)
  }
}

/** Remembers what the event interrupts: nothing is changed yet. */
function beginDelivery(cpu: Cpu, ghost: number, event: CpuEvent): void {
  const { words } = cpu
  words[ghost + NOTED] = 1
  words[ghost + DELIVERING] = (event.type << 8) | event.vector | (event.nested ? EVENT_NESTED : 0)
  words[ghost + BEFORE_RIP] = words[RIP_WORD]!
  words[ghost + BEFORE_RIP + 1] = words[RIP_WORD + 1]!
  words[ghost + BEFORE_RSP] = words[RSP_WORD]!
  words[ghost + BEFORE_RSP + 1] = words[RSP_WORD + 1]!
  words[ghost + BEFORE_CPL] = words[CPL_WORD]!
  words[ghost + BEFORE_LEVEL] = stackLevel(cpu)
  words[ghost + BEFORE_CONTEXT] = contextChecksum(words)
  words[ghost + BEFORE_FLAGS] = words[RFLAGS]!
  words[ghost + BEFORE_SSP] = words[SSP_WORD]!
  words[ghost + BEFORE_SSP + 1] = words[SSP_WORD + 1]!
  clearRuns(words, ghost)
}

/** The frame reaches from the final RSP up to where the delivery wrote without a gap. */
function endDelivery(cpu: Cpu, ghost: number, event: CpuEvent): void {
  const { words } = cpu
  const bytes = writtenFrom(words, ghost, words[RSP_WORD]!, words[RSP_WORD + 1]!)
  if (bytes === 0) return
  const frame = appendFrame(words, ghost)
  words[frame + ADDRESS] = words[RSP_WORD]!
  words[frame + ADDRESS + 1] = words[RSP_WORD + 1]!
  words[frame + BYTES] = bytes
  words[frame + EVENT] = (event.type << 8) | event.vector | (event.nested ? EVENT_NESTED : 0)
  words[frame + RIP] = words[ghost + BEFORE_RIP]!
  words[frame + RIP + 1] = words[ghost + BEFORE_RIP + 1]!
  words[frame + RSP] = words[ghost + BEFORE_RSP]!
  words[frame + RSP + 1] = words[ghost + BEFORE_RSP + 1]!
  words[frame + CPL] = words[ghost + BEFORE_CPL]!
  words[frame + LEVEL] = words[ghost + BEFORE_LEVEL]!
  words[frame + CONTEXT] = words[ghost + BEFORE_CONTEXT]!
  words[frame + FLAGS] = words[ghost + BEFORE_FLAGS]!
  words[frame + SSP] = words[ghost + BEFORE_SSP]!
  words[frame + SSP + 1] = words[ghost + BEFORE_SSP + 1]!
  words[frame + HANDLER] = words[RIP_WORD]!
  words[frame + HANDLER + 1] = words[RIP_WORD + 1]!
  words[frame + STATE] = FRESH
}

/** Shadow stacks hold no frame that software could take for one. */
function noteStore(cpu: Cpu, ghost: number, lo: number, hi: number, bytes: number, by: Writer): void {
  cpu.words[ghost + NOTED] = 1
  if (by === 'delivery' && (cpu.space.lookup(lo, hi) & PAGE_SHADOW_STACK) === 0) {
    addStore(cpu.words, ghost + RUNS, ghost + RUN_TABLE, RUN_CAPACITY, lo, hi, bytes)
  } else if (by === 'software' && cpu.words[CPL_WORD] === 3) {
    addStore(cpu.words, ghost + USER_RUNS, ghost + USER_RUN_TABLE, USER_RUN_CAPACITY, lo, hi, bytes)
  }
  noteFrozen(cpu, ghost, lo, hi, bytes)
  noteOverwritten(cpu, ghost, lo, hi, bytes, by)
}

/**
 * Ends the frame that a return consumed: the one that RSP stood in; else, for a frame that software had copied and for
 * returns that pop nothing, the one that interrupted this very stack; else, once back at CPL 3, all that led here.
 */
function endReturn(cpu: Cpu, ghost: number, mnemonic: string): void {
  const { words } = cpu
  const n =
    (popsFrame(mnemonic) ? consumedFrame(words, ghost) : 0) ||
    interruptedFrame(words, ghost) ||
    abandonedFrame(words, ghost)
  if (n === 0) return
  words[ghost + RETURNED] = n
  endFrame(words, ghost, n)
}

/** Whether an instruction has an operand in memory through GS; LEA only computes with it. */
function usesGs({ operands, mnemonic }: Decoded): boolean {
  for (let i = 0; i < operands.length; i++) {
    const operand = operands[i]!
    if (operand.kind === OPERAND_MEMORY && operand.segment === GS) return mnemonic !== 'lea' && mnemonic !== 'nop'
  }
  return false
}

const popsFrame = (mnemonic: string): boolean => mnemonic !== 'sysret' && mnemonic !== 'sysexit'

function consumedFrame(words: Int32Array, ghost: number): number {
  for (let n = words[ghost + COUNT]!; n >= 1; n--) {
    if (!isLive(words, ghost, n)) continue
    const frame = frameAt(ghost, n)
    const offset = offsetInFrame(words, frame, ghost + INSTRUCTION_RSP)
    if (offset >= 0 && offset < words[frame + BYTES]!) return n
  }
  return 0
}

function interruptedFrame(words: Int32Array, ghost: number): number {
  for (let n = words[ghost + COUNT]!; n >= 1; n--) {
    if (!isLive(words, ghost, n)) continue
    const frame = frameAt(ghost, n)
    const sameStack = words[frame + RSP] === words[RSP_WORD] && words[frame + RSP + 1] === words[RSP_WORD + 1]
    if (sameStack && words[frame + CPL] === words[CPL_WORD]) return n
  }
  return 0
}

function abandonedFrame(words: Int32Array, ghost: number): number {
  if (words[CPL_WORD] !== 3) return 0
  let root = words[ghost + CURRENT]!
  for (let n = root; n !== 0; n = words[frameAt(ghost, n) + PARENT]!) root = n
  return root
}

/** How far the address in words `slot` and `slot + 1` is above the lowest byte of a frame. */
function offsetInFrame(words: Int32Array, frame: number, slot: number): number {
  return distance(words[slot]!, words[slot + 1]!, words[frame + ADDRESS]!, words[frame + ADDRESS + 1]!)
}
