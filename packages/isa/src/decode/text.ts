import type { CodeSize } from '@trapframe/core'
import { Code, Decoder, Formatter, FormatterSyntax, type Instruction, OpKind } from './iced.js'

let formatter: Formatter | undefined

/** iced's NASM style, lower case, `0x` before hexadecimal numbers, `[rip+0x10]` as it is encoded. */
function nasm(): Formatter {
  if (formatter !== undefined) return formatter
  formatter = new Formatter(FormatterSyntax.Nasm)
  formatter.hexPrefix = '0x'
  formatter.hexSuffix = ''
  formatter.uppercaseHex = false
  formatter.smallHexNumbersInDecimal = false
  formatter.ripRelativeAddresses = true
  formatter.spaceAfterOperandSeparator = true
  formatter.usePseudoOps = false
  return formatter
}

/** NASM names by the default width of the mode; a trace is read without knowing it. */
const EXPLICIT: ReadonlyMap<Code, string> = new Map([
  [Code.Iretw, 'iretw'],
  [Code.Iretd, 'iretd'],
  [Code.Iretq, 'iretq'],
  [Code.Pushfw, 'pushfw'],
  [Code.Pushfd, 'pushfd'],
  [Code.Pushfq, 'pushfq'],
  [Code.Popfw, 'popfw'],
  [Code.Popfd, 'popfd'],
  [Code.Popfq, 'popfq'],
  [Code.Sysretd, 'sysretl'],
  [Code.Sysretq, 'sysretq'],
  [Code.Sysexitd, 'sysexitl'],
  [Code.Sysexitq, 'sysexitq'],
])

/** NASM says how wide the offset of a far pointer is only where it is not the mode's default. */
const FAR_OFFSETS: ReadonlyMap<Code, string> = new Map([
  [Code.Call_m1616, 'word'],
  [Code.Call_m1632, 'dword'],
  [Code.Call_m1664, 'qword'],
  [Code.Jmp_m1616, 'word'],
  [Code.Jmp_m1632, 'dword'],
  [Code.Jmp_m1664, 'qword'],
])

/**
 * Machine code in Intel syntax, as `assemble` takes it. Branch targets are relative to the instruction: `jmp $+0x10`.
 *
 * @param options the `DecoderOptions` that the bytes were decoded with
 */
export function instructionText(bytes: Uint8Array, codeSize: CodeSize, options: number): string {
  const decoder = new Decoder(codeSize, bytes, options)
  const instruction = decoder.decode()
  try {
    return widthsSpelledOut(instruction, nasm().format(instruction))
  } finally {
    instruction.free()
    decoder.free()
  }
}

function widthsSpelledOut(instruction: Instruction, text: string): string {
  const code = instruction.code
  const name = EXPLICIT.get(code)
  if (name !== undefined) return text.replace(/(?:o(?:16|32|64) )?\S+$/, name)
  const offset = FAR_OFFSETS.get(code)
  if (offset !== undefined) return text.replace(/(?:d?word )?far /, `far ${offset} `)
  const kind = instruction.op0Kind
  if (kind >= OpKind.NearBranch16 && kind <= OpKind.NearBranch64) {
    return text.replace(/(?:short )?0x[0-9a-f]+(?=$|,)/, relative(instruction.nearBranchTarget, kind))
  }
  return text.replace(/ to (st\d)$/, ' $1, st0')
}

/** The instruction was decoded at 0, so its target is the distance from its own first byte. */
function relative(target: bigint, kind: OpKind): string {
  const width = kind === OpKind.NearBranch16 ? 16 : kind === OpKind.NearBranch32 ? 32 : 64
  const distance = BigInt.asIntN(width, target)
  return distance < 0n ? `$-0x${(-distance).toString(16)}` : `$+0x${distance.toString(16)}`
}
