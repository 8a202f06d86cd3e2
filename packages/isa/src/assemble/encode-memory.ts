import { type Instruction, OpKind, Register } from '../decode/iced.js'
import { type Unfit, unfit, type Work } from './encoding.js'
import { addressWeight, evaluate } from './evaluate.js'
import type { ReadyMemory, WrittenInstruction } from './instruction.js'
import type { Accepts } from './kinds.js'

/** Fills operand `i` with a memory reference. */
export function fillMemory(work: Work, i: number, accepted: Accepts, operand: ReadyMemory): Unfit | undefined {
  const { instruction } = work
  const segment = operand.segment
  if (segment !== undefined && accepted.memory !== 'destination') instruction.segmentPrefix = segment
  const { base, index, scale, size } = operand.parts
  if (accepted.memory !== 'modrm' && accepted.memory !== 'offset') {
    return fillStringMemory(instruction, i, accepted, size ?? work.written.codeSize / 8)
  }
  instruction.setOpKind(i, OpKind.Memory)
  instruction.memoryIndex = index
  instruction.memoryIndexScale = scale
  if (base === Register.RIP || base === Register.EIP || operand.relative === true) {
    return fillRelative(work, operand, base === Register.EIP ? Register.EIP : Register.RIP)
  }
  instruction.memoryBase = base
  return fillDisplacement(work, accepted, operand)
}

/** `[rSI]`, `[rDI]` and XLATB's `[rBX + AL]`, which no ModRM byte names. */
export function fillStringMemory(
  instruction: Instruction,
  i: number,
  { memory }: Accepts,
  addressSize: number,
): undefined {
  const width = addressSize === 2 ? 0 : addressSize === 4 ? 1 : 2
  if (memory === 'table') {
    instruction.setOpKind(i, OpKind.Memory)
    instruction.memoryBase = [Register.BX, Register.EBX, Register.RBX][width]!
    instruction.memoryIndex = Register.AL
    return undefined
  }
  const first =
    memory === 'source' ? OpKind.MemorySegSI : memory === 'destination' ? OpKind.MemoryESDI : OpKind.MemorySegDI
  instruction.setOpKind(i, first + width)
  return undefined
}

/** `[rip + label]` means the label, `[rip + 8]` the bytes 8 after the instruction. */
function fillRelative(work: Work, operand: ReadyMemory, base: Register): undefined {
  const { instruction, around } = work
  const { displacement } = operand.parts
  const value = displacement === undefined ? 0n : evaluate(displacement, around)
  const literal =
    operand.relative !== true && (displacement === undefined || addressWeight(displacement, around.symbols) === 0)
  work.literalDisplacement = literal
  instruction.memoryBase = base
  instruction.memoryDisplSize = base === Register.EIP ? 4 : 8
  const target = literal ? work.next + value : value
  instruction.memoryDisplacement = base === Register.EIP ? BigInt.asUintN(32, target) : BigInt.asIntN(64, target)
  return undefined
}

function fillDisplacement(work: Work, accepted: Accepts, operand: ReadyMemory): Unfit | undefined {
  const { instruction, written, around, long } = work
  const { base, displacement, size } = operand.parts
  const value = displacement === undefined ? 0n : evaluate(displacement, around)
  const width = size ?? addressSizeOf(operand, written, value)
  const bits = width === 8 ? 64 : width * 8
  if (accepted.memory === 'offset') {
    const most = 1n << BigInt(bits)
    if (value >= most || value < -most) return unfit('out-of-range', displacementMessage(value), operand.place, width)
    instruction.memoryDisplSize = width
    instruction.memoryDisplacement = BigInt.asIntN(64, BigInt.asUintN(bits, value))
    return undefined
  }
  const signed = width === 8 ? BigInt.asIntN(64, value) : value
  const most = width === 8 ? 1n << 31n : 1n << BigInt(bits)
  const least = width === 8 ? -most : -(most >> 1n)
  if (signed < least || signed >= most) {
    const hint =
      base === Register.None && width === 8
        ? 'load it into a register first, or write [rel …] for what lies near'
        : undefined
    return unfit('out-of-range', displacementMessage(value), operand.place, 4, hint)
  }
  const wide = base === Register.None || long || (operand.displacementSize ?? 1) > 1
  instruction.memoryDisplSize = wide ? width : displacement === undefined || value === 0n ? 0 : 1
  instruction.memoryDisplacement = base === Register.None ? BigInt.asUintN(bits, signed) : BigInt.asIntN(bits, signed)
  return undefined
}

const displacementMessage = (value: bigint) =>
  `the displacement ${value < 0n ? '-' : ''}0x${(value < 0n ? -value : value).toString(16)} does not fit`

/**
 * Bytes of an address without registers: by prefix, by `[dword …]` outside 64-bit mode, by mode; 4 where only they can
 * hold it, as 0x80000000 in 64-bit code, whose 32-bit displacements are signed.
 */
function addressSizeOf({ displacementSize }: ReadyMemory, written: WrittenInstruction, value: bigint): number {
  const { prefixes, codeSize } = written
  if (prefixes.addressSize !== undefined) return prefixes.addressSize / 8
  if (codeSize !== 64 && (displacementSize === 2 || displacementSize === 4)) return displacementSize
  const least = codeSize === 16 ? 1n << 16n : codeSize === 64 && displacementSize !== 8 ? 1n << 31n : 1n << 32n
  return value >= least && value < 1n << 32n ? 4 : codeSize / 8
}
