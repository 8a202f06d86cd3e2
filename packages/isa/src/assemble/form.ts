import { Code, CodeExt, MemorySizeExt, Mnemonic, OpCodeOperandKind } from '../decode/iced.js'
import { aliasNames, aliasOf, type Selection } from './aliases.js'

/** One way to encode an instruction: an iced `Code` and what must be known to choose it. */
export interface Form {
  readonly code: Code
  readonly kinds: readonly OpCodeOperandKind[]
  /** In bits; 0 where the code has no operand size. */
  readonly operandSize: number
  /** 66h before it changes nothing: no operand size, or a near branch, which is always of 64 bits on Intel. */
  readonly ignoresOperandSize: boolean
  /** In bits, for LOOP and JCXZ; 0 elsewhere. */
  readonly addressSize: number
  /** Bytes of its memory operand; 0 where any will do. */
  readonly memorySize: number
  readonly modes: { readonly 16: boolean; readonly 32: boolean; readonly 64: boolean }
  /** 64 bits without REX.W. */
  readonly defaults64: boolean
  /** Where operands leave the operand size open, the mode's default is meant: stack, branches, NOP, far pointers. */
  readonly hasDefaultSize: boolean
  /** Reads 16 bits of a register, so that the form without 66h does as well: LTR, LLDT, LKGS, MOV to a segment. */
  readonly readsWord: boolean
  readonly far: boolean
  readonly string: boolean
  /** As the manual writes it, in lower case. */
  readonly text: string
}

const FAR = /^(?:Call|Jmp)_(?:m16|ptr16)/
const READS_WORD = /^(?:Lldt|Ltr|Lmsw|Verr|Verw|Lkgs|Mov_Sreg)_r32m16$/
/** Encodings that mean a prefetch everywhere but on processors long gone. */
const NO_NOP = /^Reservednop_.*_0F(?:0D|18)$/
const ENCODINGS: readonly string[] = ['EVEX_', 'VEX_', 'XOP_', 'D3NOW_']

let byInitials: Map<string, [name: string, code: Code][]> | undefined
const byMnemonic = new Map<string, readonly Form[]>()

/** Forms that a written mnemonic can take in any mode; undefined where nobody knows the mnemonic. */
export function formsNamed(name: string): readonly Form[] | undefined {
  const alias = aliasOf(name)
  if (alias !== undefined) return alias.mnemonics.flatMap((mnemonic) => formsOf(mnemonic)).filter(selects(alias))
  return isMnemonic(name) ? formsOf(name) : undefined
}

/** Whether a word is an instruction's name. */
export function isInstruction(word: string): boolean {
  return aliasOf(word) !== undefined || isMnemonic(word)
}

/** Every name that may be an instruction's, for suggestions; {@link isInstruction} tells those that are none. */
export function instructionNames(): string[] {
  return [...aliasNames(), ...Object.keys(Mnemonic).map((key) => key.toLowerCase())]
}

const selects = (selection: Selection) => (form: Form) =>
  (selection.operandSize === undefined || form.operandSize === selection.operandSize) &&
  (selection.far !== true || form.far) &&
  (selection.wideOnly === undefined || form.operandSize === 64 || !form.text.startsWith(`${selection.wideOnly} `)) &&
  (selection.absolute !== true || form.kinds.some((kind) => ABSOLUTE.has(kind)))

const DEFAULT_SIZE: ReadonlySet<Mnemonic> = new Set([Mnemonic.Jmp, Mnemonic.Xbegin])

const ABSOLUTE: ReadonlySet<OpCodeOperandKind> = new Set([OpCodeOperandKind.imm64, OpCodeOperandKind.mem_offs])

/** iced has mnemonics without codes, and some whose codes only an option of its decoder makes valid. */
function isMnemonic(name: string): boolean {
  if (!/^[a-z][a-z0-9_]*$/.test(name)) return false
  return Object.hasOwn(Mnemonic, name[0]!.toUpperCase() + name.slice(1)) && formsOf(name).length > 0
}

function formsOf(mnemonic: string): readonly Form[] {
  let forms = byMnemonic.get(mnemonic)
  if (forms === undefined) {
    forms = findForms(mnemonic)
    byMnemonic.set(mnemonic, forms)
  }
  return forms
}

/** Names of codes begin with their mnemonic, so that only few need be asked for it. */
function findForms(mnemonic: string): Form[] {
  const wanted = Mnemonic[(mnemonic[0]!.toUpperCase() + mnemonic.slice(1)) as keyof typeof Mnemonic]
  const stem = mnemonic === 'xlatb' ? 'xlat' : mnemonic
  const forms: Form[] = []
  for (const [name, code] of index().get(stem.slice(0, 2)) ?? []) {
    if (!name.startsWith(stem)) continue
    const form = describe(code, wanted)
    if (form !== undefined) forms.push(form)
  }
  return forms
}

/** Codes by the first two letters of their names without the encoding. Built once, in a few milliseconds. */
function index(): Map<string, [string, Code][]> {
  if (byInitials !== undefined) return byInitials
  byInitials = new Map()
  for (let code: Code = 0; Code[code] !== undefined; code++) {
    const key = Code[code]!
    const encoding = ENCODINGS.find((prefix) => key.startsWith(prefix))
    const name = (encoding === undefined ? key : key.slice(encoding.length)).toLowerCase()
    const initials = name.slice(0, 2)
    const list = byInitials.get(initials)
    if (list === undefined) byInitials.set(initials, [[name, code]])
    else list.push([name, code])
  }
  return byInitials
}

function describe(code: Code, wanted: Mnemonic): Form | undefined {
  const opCode = CodeExt.opCode(code)
  try {
    // codes that only a decoder option makes valid are not those that people write
    if (opCode.mnemonic !== wanted || !opCode.isInstruction || opCode.decoderOption !== 0) return undefined
    const name = Code[code]
    if (NO_NOP.test(name)) return undefined
    const kinds = Array.from({ length: opCode.opCount }, (_, i) => opCode.opKind(i))
    const far = FAR.test(name)
    return {
      code,
      kinds,
      operandSize: opCode.operandSize,
      ignoresOperandSize: opCode.operandSize === 0 || opCode.intelForceOpSize64,
      addressSize: opCode.addressSize,
      memorySize: MemorySizeExt.size(opCode.memorySize),
      modes: {
        16: opCode.mode16,
        32: opCode.mode32,
        64: opCode.mode64 && (opCode.intelDecoder64 || code === Code.Ud0),
      },
      defaults64: opCode.defaultOpSize64,
      hasDefaultSize: DEFAULT_SIZE.has(wanted) || opCode.isStackInstruction || opCode.isNop || far,
      readsWord: READS_WORD.test(name),
      far,
      string: kinds.includes(OpCodeOperandKind.es_rDI) || kinds.includes(OpCodeOperandKind.seg_rSI),
      text: opCode.instructionString.toLowerCase().replace(/^reserved/, ''),
    }
  } finally {
    opCode.free()
  }
}
