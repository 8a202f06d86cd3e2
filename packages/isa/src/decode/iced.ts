import { createRequire } from 'node:module'
import type * as Iced from 'iced-x86'

/**
 * iced-x86, by `require`: an `import` of its 900 kB of CommonJS makes Node search them for names first, which costs
 * 40 ms at every start.
 */
const iced = createRequire(import.meta.url)('iced-x86') as typeof Iced

export const {
  Code,
  CodeExt,
  CpuidFeature,
  Decoder,
  DecoderError,
  DecoderOptions,
  Encoder,
  EncodingKind,
  Formatter,
  FormatterSyntax,
  Instruction,
  InstructionInfoFactory,
  MandatoryPrefix,
  MemorySizeExt,
  Mnemonic,
  OpAccess,
  OpCodeOperandKind,
  OpKind,
  Register,
  RegisterExt,
} = iced

export type Code = Iced.Code
export type CpuidFeature = Iced.CpuidFeature
export type DecoderError = Iced.DecoderError
export type Encoder = Iced.Encoder
export type Formatter = Iced.Formatter
export type Instruction = Iced.Instruction
export type InstructionInfoFactory = Iced.InstructionInfoFactory
export type Mnemonic = Iced.Mnemonic
export type OpCodeOperandKind = Iced.OpCodeOperandKind
export type OpKind = Iced.OpKind
export type Register = Iced.Register
