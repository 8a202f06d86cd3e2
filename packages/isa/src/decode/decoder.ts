import type { CodeSize, Decoded, Decoder, Operand } from '@trapframe/core'
import { DecoderError, DecoderOptions, Decoder as Iced, Instruction } from './iced.js'
import { readOperand } from './operand.js'
import { type Operation, operationOf } from './operation.js'
import { emptyPrefixes, type Prefixes, readPrefixes } from './prefixes.js'
import { instructionText } from './text.js'
import { runsPastFifteen, undefinedWhateverFollows } from './undefined.js'

const LONGEST = 15
const REX_W = 8
const NOTRACK = 0x3e

/**
 * The decoder that fills core's slot: iced-x86, told mode and vendor. Vendors differ in what 66h does to near branches
 * and REX.W to far ones, in the length of UD0 and in LOCK MOV CR0, which is AMD's MOV CR8.
 *
 * `null` is #UD, also for reserved control and debug registers, for LOCK where it may not be, for MOV to CS and for what
 * only the other vendor has, such as VMX on AMD.
 */
export function createDecoder(): Decoder {
  // wasm objects that live as long as the module: one decode at a time writes into them
  const instruction = new Instruction()
  const prefixes = emptyPrefixes()

  return {
    decode(bytes, codeSize, vendor) {
      const options = vendor === 'amd' ? DecoderOptions.AMD : DecoderOptions.None
      const fetched = bytes.length > LONGEST ? bytes.subarray(0, LONGEST) : bytes
      const iced = new Iced(codeSize, fetched, options)
      iced.decodeOut(instruction)
      const error = iced.lastError
      iced.free()
      if (error === DecoderError.None) {
        const operation = operationOf(instruction.code, instruction)
        if (operation.makers !== 'both' && operation.makers !== vendor) return null
        readPrefixes(fetched, codeSize, prefixes)
        return new DecodedInstruction(instruction, operation, prefixes, fetched, codeSize, options)
      }
      if (fetched.length === LONGEST) return runsPastFifteen(fetched, codeSize, options) ? 'too-long' : null
      if (error === DecoderError.InvalidInstruction) return null
      return undefinedWhateverFollows(fetched, codeSize, options) ? null : 'truncated'
    },
  }
}

class DecodedInstruction implements Decoded {
  readonly mnemonic: string
  readonly length: number
  readonly codeSize: CodeSize
  readonly operandSize: number
  readonly addressSize: number
  readonly operands: readonly Operand[]
  readonly lock: boolean
  readonly rep: boolean
  readonly repne: boolean
  readonly notrack: boolean
  readonly #bytes: Uint8Array
  readonly #options: number

  constructor(
    instruction: Instruction,
    operation: Operation,
    prefixes: Prefixes,
    bytes: Uint8Array,
    codeSize: CodeSize,
    options: number,
  ) {
    this.mnemonic = operation.mnemonic
    this.length = instruction.length
    this.codeSize = codeSize
    this.operandSize = operandSize(operation, prefixes, codeSize)
    this.addressSize = addressSize(prefixes, codeSize)
    const operands: Operand[] = []
    const count = instruction.opCount
    for (let i = 0; i < count; i++) operands.push(readOperand(instruction, i, operation, this))
    this.operands = operands
    this.lock = instruction.hasLockPrefix
    this.rep = instruction.hasRepPrefix
    this.repne = instruction.hasRepnePrefix
    this.notrack = prefixes.segment === NOTRACK && operation.trackable
    this.#bytes = bytes.slice(0, this.length)
    this.#options = options
  }

  get text(): string {
    return instructionText(this.#bytes, this.codeSize, this.#options)
  }
}

function operandSize(operation: Operation, prefixes: Prefixes, codeSize: CodeSize): number {
  const wide = codeSize === 64 && (prefixes.rex & REX_W) !== 0
  // AMD reads m16:32 for a far transfer with REX.W and still works on 8-byte stack slots (recorded on Zen 4)
  if (operation.operandSize !== 0) return operation.farPointer && wide ? 8 : operation.operandSize
  if (wide) return 8
  const toggled = prefixes.operandSize && !operation.ownsOperandSizePrefix
  return (codeSize === 16) === toggled ? 4 : 2
}

function addressSize(prefixes: Prefixes, codeSize: CodeSize): number {
  if (codeSize === 64) return prefixes.addressSize ? 4 : 8
  return (codeSize === 16) === prefixes.addressSize ? 4 : 2
}
