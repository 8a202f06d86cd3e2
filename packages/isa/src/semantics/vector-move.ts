import {
  type Cpu,
  CR0,
  CR0_EM,
  CR0_TS,
  CR4,
  CR4_OSFXSR,
  carried,
  type Decoded,
  gp,
  load64,
  nm,
  OPERAND_XMM,
  type Operand,
  operandAddress,
  probe,
  READ,
  type Semantics,
  store64,
  ud,
  WRITE,
  XMM,
} from '@trapframe/core'

const BYTES = 16
const WORDS = 4

/** @throws #UD with CR0.EM or without CR4.OSFXSR, #NM with CR0.TS (SDM 3A 13.1.3) */
function requireSse(cpu: Cpu): void {
  const { words } = cpu
  if ((words[CR0]! & CR0_EM) !== 0 || (words[CR4]! & CR4_OSFXSR) === 0) throw ud()
  if ((words[CR0]! & CR0_TS) !== 0) throw nm()
}

/** First word of an XMM register. */
const slotOf = (op: Operand): number => XMM + op.register * WORDS

/**
 * Linear address of 16 bytes that all may be accessed. A misaligned one is #GP(0) where `aligned`; elsewhere #AC is for
 * any address that is not a multiple of 16 (recorded on Zen 4; Intel leaves it to the implementation).
 */
function checkedAddress(cpu: Cpu, insn: Decoded, op: Operand, access: number, aligned: boolean): number {
  const lo = operandAddress(cpu, insn, op, BYTES, (access & WRITE) !== 0, aligned ? 1 : BYTES)
  const hi = cpu.hi
  if (aligned && (lo & (BYTES - 1)) !== 0) throw gp(0)
  probe(cpu, lo, hi, BYTES, access)
  cpu.hi = hi
  return lo
}

/** A 128-bit operand: register or memory. */
function read(cpu: Cpu, insn: Decoded, op: Operand, aligned: boolean): readonly number[] {
  const { words } = cpu
  if (op.kind === OPERAND_XMM) return Array.from(words.subarray(slotOf(op), slotOf(op) + WORDS))
  const access = READ | cpu.user
  const at = checkedAddress(cpu, insn, op, access, aligned)
  const atHi = cpu.hi
  const a = load64(cpu, at, atHi, access)
  const b = cpu.hi
  const upper = (at + 8) | 0
  const c = load64(cpu, upper, carried(at, atHi, upper, 8), access)
  return [a, b, c, cpu.hi]
}

function write(cpu: Cpu, insn: Decoded, op: Operand, value: readonly number[], aligned: boolean): void {
  if (op.kind === OPERAND_XMM) {
    cpu.words.set(value, slotOf(op))
    return
  }
  const access = WRITE | cpu.user
  const at = checkedAddress(cpu, insn, op, access, aligned)
  const atHi = cpu.hi
  const upper = (at + 8) | 0
  store64(cpu, at, atHi, value[0]!, value[1]!, access)
  store64(cpu, upper, carried(at, atHi, upper, 8), value[2]!, value[3]!, access)
}

function move(aligned: boolean): Semantics {
  return (cpu, insn) => {
    requireSse(cpu)
    write(cpu, insn, insn.operands[0]!, read(cpu, insn, insn.operands[1]!, aligned), aligned)
  }
}

const exclusiveOr: Semantics = (cpu, insn) => {
  requireSse(cpu)
  const target = insn.operands[0]!
  const right = read(cpu, insn, insn.operands[1]!, true)
  const left = read(cpu, insn, target, true)
  write(
    cpu,
    insn,
    target,
    left.map((word, i) => word ^ right[i]!),
    true,
  )
}

/** 128-bit moves and XOR of the legacy SSE encodings: what code that saves or clears XMM registers uses. */
export const vectorMoves: Readonly<Record<string, Semantics>> = {
  movaps: move(true),
  movapd: move(true),
  movdqa: move(true),
  movups: move(false),
  movupd: move(false),
  movdqu: move(false),
  xorps: exclusiveOr,
  xorpd: exclusiveOr,
  pxor: exclusiveOr,
}
