import {
  Code,
  CodeExt,
  EncodingKind,
  type Instruction,
  InstructionInfoFactory,
  MandatoryPrefix,
  Mnemonic,
  OpAccess,
  OpCodeOperandKind,
} from './iced.js'
import { type Makers, makersOf } from './vendor.js'

/** What holds for every instruction of one iced `Code`. */
export interface Operation {
  readonly mnemonic: string
  /** Operand size in bytes where the code fixes it, 0 where 66h and REX.W decide. */
  readonly operandSize: number
  /** 66h is part of the opcode, not an operand size. */
  readonly ownsOperandSizePrefix: boolean
  /** 3Eh before it means NOTRACK (SDM 1, 17.3). */
  readonly trackable: boolean
  /** Its memory operand is an address and nothing more: LEA, INVLPG, NOP, prefetches. */
  readonly addressOnly: boolean
  /** Whose processors have it. */
  readonly makers: Makers
  /** A far CALL or JMP through memory, whose pointer AMD reads as m16:32 under REX.W. */
  readonly farPointer: boolean
}

/** Operations that iced names by width, which core tells by `operandSize`, or has two names for. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  iret: ['iretd', 'iretq'],
  sysret: ['sysretq'],
  sysexit: ['sysexitq'],
  pushf: ['pushfd', 'pushfq'],
  popf: ['popfd', 'popfq'],
  pusha: ['pushad'],
  popa: ['popad'],
  movs: ['movsb', 'movsw', 'movsq'],
  stos: ['stosb', 'stosw', 'stosd', 'stosq'],
  lods: ['lodsb', 'lodsw', 'lodsd', 'lodsq'],
  scas: ['scasb', 'scasw', 'scasd', 'scasq'],
  cmps: ['cmpsb', 'cmpsw', 'cmpsq'],
  ins: ['insb', 'insw', 'insd'],
  outs: ['outsb', 'outsw', 'outsd'],
  nop: ['reservednop'],
  shl: ['sal'],
}

const oneName = new Map(Object.entries(SAME).flatMap(([name, widths]) => widths.map((w) => [w, name])))

/** Codes whose mnemonic says too little: far transfers, and the string instructions that share an SSE name. */
const byCode: ReadonlyMap<Code, string> = new Map([
  [Code.Movsd_m32_m32, 'movs'],
  [Code.Cmpsd_m32_m32, 'cmps'],
  [Code.Call_ptr1616, 'callf'],
  [Code.Call_ptr1632, 'callf'],
  [Code.Call_m1616, 'callf'],
  [Code.Call_m1632, 'callf'],
  [Code.Call_m1664, 'callf'],
  [Code.Jmp_ptr1616, 'jmpf'],
  [Code.Jmp_ptr1632, 'jmpf'],
  [Code.Jmp_m1616, 'jmpf'],
  [Code.Jmp_m1632, 'jmpf'],
  [Code.Jmp_m1664, 'jmpf'],
])

const operations: (Operation | undefined)[] = []
let information: InstructionInfoFactory | undefined

/** The operation that a valid instruction performs; described when its code is first met. */
export function operationOf(code: Code, instruction: Instruction): Operation {
  return (operations[code] ??= describe(code, instruction))
}

function describe(code: Code, instruction: Instruction): Operation {
  const opCode = CodeExt.opCode(code)
  try {
    const kinds: OpCodeOperandKind[] = []
    for (let i = 0; i < opCode.opCount; i++) kinds.push(opCode.opKind(i))
    return {
      mnemonic: nameOf(code, opCode.mnemonic),
      operandSize: fixedSize(code, opCode.operandSize / 8, opCode.forceOpSize64, kinds),
      ownsOperandSizePrefix: opCode.mandatoryPrefix === MandatoryPrefix.P66 || opCode.encoding !== EncodingKind.Legacy,
      trackable: opCode.canUseNotrackPrefix,
      addressOnly: opCode.isNop || opCode.isReservedNop || accessesNothing(instruction, kinds.length),
      makers: makersOf(instruction.cpuidFeatures()),
      farPointer: code === Code.Call_m1632 || code === Code.Jmp_m1632,
    }
  } finally {
    opCode.free()
  }
}

/** The name by which core knows a code: the operation's, without a width. */
export function nameOf(code: Code, mnemonic: Mnemonic): string {
  const name = Mnemonic[mnemonic].toLowerCase()
  return byCode.get(code) ?? oneName.get(name) ?? name
}

function fixedSize(code: Code, given: number, forced64: boolean, kinds: readonly OpCodeOperandKind[]): number {
  if (given !== 0) return given
  if (forced64) return 8
  if (code === Code.Sysretd || code === Code.Sysexitd) return 4
  if (kinds.some((kind) => BYTE_KINDS.has(kind))) return 1
  if (kinds.some((kind) => DWORD_KINDS.has(kind))) return 4
  return kinds.some((kind) => QWORD_KINDS.has(kind)) ? 8 : 0
}

const BYTE_KINDS: ReadonlySet<OpCodeOperandKind> = new Set([
  OpCodeOperandKind.r8_or_mem,
  OpCodeOperandKind.r8_reg,
  OpCodeOperandKind.r8_opcode,
  OpCodeOperandKind.al,
  OpCodeOperandKind.es_rDI,
  OpCodeOperandKind.seg_rSI,
  OpCodeOperandKind.seg_rBX_al,
])

const DWORD_KINDS: ReadonlySet<OpCodeOperandKind> = new Set([
  OpCodeOperandKind.r32_rm,
  OpCodeOperandKind.r32_reg,
  OpCodeOperandKind.r32_or_mem,
])

const QWORD_KINDS: ReadonlySet<OpCodeOperandKind> = new Set([
  OpCodeOperandKind.r64_rm,
  OpCodeOperandKind.r64_reg,
  OpCodeOperandKind.r64_or_mem,
])

function accessesNothing(instruction: Instruction, operands: number): boolean {
  information ??= new InstructionInfoFactory()
  const info = information.info(instruction)
  let nothing = false
  for (let i = 0; i < operands; i++) nothing ||= info.opAccess(i) === OpAccess.NoMemAccess
  info.free()
  return nothing
}
