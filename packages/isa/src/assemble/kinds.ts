import { OpCodeOperandKind as K, OpKind, Register } from '../decode/iced.js'
import type { RegisterFile } from './registers.js'

/** An immediate of an encoding: its range, and how iced is told of it. */
export interface ImmediateKind {
  /** Bytes in the encoding. */
  readonly encoded: number
  /** Bytes that the instruction makes of them. */
  readonly extended: number
  readonly least: bigint
  readonly most: bigint
  readonly opKind: OpKind
}

/** A memory operand by how it is encoded. */
export type MemoryKind = 'modrm' | 'offset' | 'source' | 'destination' | 'maskDestination' | 'table'

/** What an operand of an encoding accepts. */
export interface Accepts {
  readonly file?: RegisterFile
  /** Exactly this register. */
  readonly register?: Register
  readonly memory?: MemoryKind
  readonly immediate?: ImmediateKind
  /** Bytes of a relative branch's displacement; without an `opKind` the mode decides how iced is told. */
  readonly branch?: { readonly bytes: number; readonly opKind?: OpKind }
  readonly far?: OpKind
}

function unsigned(bytes: number, opKind: OpKind): Accepts {
  const bits = BigInt(bytes * 8)
  return {
    immediate: { encoded: bytes, extended: bytes, least: -(1n << (bits - 1n)), most: (1n << bits) - 1n, opKind },
  }
}

function signed(encoded: number, extended: number, opKind: OpKind): Accepts {
  const half = 1n << BigInt(encoded * 8 - 1)
  return { immediate: { encoded, extended, least: -half, most: half - 1n, opKind } }
}

const exactly = (value: bigint, most: bigint): Accepts => ({
  immediate: { encoded: 1, extended: 1, least: value, most, opKind: OpKind.Immediate8 },
})
const file = (name: RegisterFile): Accepts => ({ file: name })
const either = (name: RegisterFile): Accepts => ({ file: name, memory: 'modrm' })
const only = (register: Register): Accepts => ({ register })
const relative = (bytes: number, opKind: OpKind): Accepts => ({ branch: { bytes, opKind } })
const MODRM: Accepts = { memory: 'modrm' }

const ACCEPTS: ReadonlyMap<K, Accepts> = new Map<K, Accepts>([
  [K.farbr2_2, { far: OpKind.FarBranch16 }],
  [K.farbr4_2, { far: OpKind.FarBranch32 }],
  [K.mem_offs, { memory: 'offset' }],
  [K.mem, MODRM],
  [K.sibmem, MODRM],
  [K.mem_vsib32x, MODRM],
  [K.mem_vsib64x, MODRM],
  [K.mem_vsib32y, MODRM],
  [K.mem_vsib64y, MODRM],
  [K.mem_vsib32z, MODRM],
  [K.mem_vsib64z, MODRM],
  [K.seg_rSI, { memory: 'source' }],
  [K.es_rDI, { memory: 'destination' }],
  [K.seg_rDI, { memory: 'maskDestination' }],
  [K.seg_rBX_al, { memory: 'table' }],
  [K.r8_or_mem, either('r8')],
  [K.r16_or_mem, either('r16')],
  [K.r32_or_mem, either('r32')],
  [K.r64_or_mem, either('r64')],
  [K.mm_or_mem, either('mm')],
  [K.xmm_or_mem, either('xmm')],
  [K.ymm_or_mem, either('ymm')],
  [K.zmm_or_mem, either('zmm')],
  [K.k_or_mem, either('k')],
  [K.r8_reg, file('r8')],
  [K.r8_opcode, file('r8')],
  [K.r16_reg, file('r16')],
  [K.r16_reg_mem, file('r16')],
  [K.r16_rm, file('r16')],
  [K.r16_opcode, file('r16')],
  [K.r32_reg, file('r32')],
  [K.r32_reg_mem, file('r32')],
  [K.r32_rm, file('r32')],
  [K.r32_opcode, file('r32')],
  [K.r32_vvvv, file('r32')],
  [K.r64_reg, file('r64')],
  [K.r64_reg_mem, file('r64')],
  [K.r64_rm, file('r64')],
  [K.r64_opcode, file('r64')],
  [K.r64_vvvv, file('r64')],
  [K.seg_reg, file('segment')],
  [K.k_reg, file('k')],
  [K.kp1_reg, file('k')],
  [K.k_rm, file('k')],
  [K.k_vvvv, file('k')],
  [K.mm_reg, file('mm')],
  [K.mm_rm, file('mm')],
  [K.xmm_reg, file('xmm')],
  [K.xmm_rm, file('xmm')],
  [K.xmm_vvvv, file('xmm')],
  [K.xmmp3_vvvv, file('xmm')],
  [K.xmm_is4, file('xmm')],
  [K.xmm_is5, file('xmm')],
  [K.ymm_reg, file('ymm')],
  [K.ymm_rm, file('ymm')],
  [K.ymm_vvvv, file('ymm')],
  [K.ymm_is4, file('ymm')],
  [K.ymm_is5, file('ymm')],
  [K.zmm_reg, file('zmm')],
  [K.zmm_rm, file('zmm')],
  [K.zmm_vvvv, file('zmm')],
  [K.zmmp3_vvvv, file('zmm')],
  [K.cr_reg, file('cr')],
  [K.dr_reg, file('dr')],
  [K.tr_reg, file('tr')],
  [K.bnd_reg, file('bnd')],
  [K.tmm_reg, file('tmm')],
  [K.tmm_rm, file('tmm')],
  [K.tmm_vvvv, file('tmm')],
  [K.sti_opcode, file('st')],
  [K.es, only(Register.ES)],
  [K.cs, only(Register.CS)],
  [K.ss, only(Register.SS)],
  [K.ds, only(Register.DS)],
  [K.fs, only(Register.FS)],
  [K.gs, only(Register.GS)],
  [K.al, only(Register.AL)],
  [K.cl, only(Register.CL)],
  [K.ax, only(Register.AX)],
  [K.dx, only(Register.DX)],
  [K.eax, only(Register.EAX)],
  [K.rax, only(Register.RAX)],
  [K.st0, only(Register.ST0)],
  [K.imm4_m2z, exactly(0n, 15n)],
  [K.imm8_const_1, exactly(1n, 1n)],
  [K.imm8, unsigned(1, OpKind.Immediate8)],
  [K.imm16, unsigned(2, OpKind.Immediate16)],
  [K.imm32, unsigned(4, OpKind.Immediate32)],
  [K.imm64, unsigned(8, OpKind.Immediate64)],
  [K.imm8sex16, signed(1, 2, OpKind.Immediate8to16)],
  [K.imm8sex32, signed(1, 4, OpKind.Immediate8to32)],
  [K.imm8sex64, signed(1, 8, OpKind.Immediate8to64)],
  [K.imm32sex64, signed(4, 8, OpKind.Immediate32to64)],
  [K.br16_1, relative(1, OpKind.NearBranch16)],
  [K.br32_1, relative(1, OpKind.NearBranch32)],
  [K.br64_1, relative(1, OpKind.NearBranch64)],
  [K.br16_2, relative(2, OpKind.NearBranch16)],
  [K.br32_4, relative(4, OpKind.NearBranch32)],
  [K.br64_4, relative(4, OpKind.NearBranch64)],
  [K.xbegin_2, { branch: { bytes: 2 } }],
  [K.xbegin_4, { branch: { bytes: 4 } }],
])

const NOTHING: Accepts = {}

/** What an operand kind accepts; nothing for those that no instruction of the default decoder has. */
export function accepts(kind: K): Accepts {
  return ACCEPTS.get(kind) ?? NOTHING
}

/**
 * A value as an immediate of this kind takes it, or undefined where it does not fit. A sign-extended one also takes the
 * unsigned reading of what it is extended to: 0xfffffff8 is -8 to an 8-bit immediate of a 32-bit instruction.
 */
export function fitted(kind: ImmediateKind, value: bigint): bigint | undefined {
  if (value >= kind.least && value <= kind.most) return value
  const width = kind.extended * 8
  if (kind.encoded === kind.extended || value < 0n || value >= 1n << BigInt(width)) return undefined
  const negative = BigInt.asIntN(width, value)
  return negative >= kind.least && negative < 0n ? negative : undefined
}
