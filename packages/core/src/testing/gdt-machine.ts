import type { Cpu } from '../cpu/cpu.js'
import { Fault } from '../event/fault.js'
import type { TransferPolicy } from '../event/mechanism.js'
import { type Decoded, NO_REGISTER, OPERAND_IMMEDIATE, OPERAND_MEMORY, type Operand } from '../instruction/decoded.js'
import { createMachine } from '../machine/machine.js'
import { dataAccess } from '../machine/reset.js'
import { pageFlags } from '../memory/access.js'
import { definePlugin, MECHANISMS } from '../plugin/plugin.js'
import { loadFixedCode, loadFixedStack } from '../segment/fixed.js'
import { DS, GDTR, TABLE_LIMIT } from '../state/registers.js'

/** Where the tests of segments and transfers keep things. */
export const GDT = 0x1_0000n
export const TSS = 0x1_1000n
export const CODE = 0x2_0000n
export const DATA = 0x3_0000n
/** Tops of the stack that is in use and of RSP0. */
export const STACK = 0x4_1000n
export const RING0_STACK = 0x5_1000n
/** A shadow-stack page of the supervisor and one of ring 3. */
export const SHADOW = 0x6_0000n
export const USER_SHADOW = 0x7_0000n

/** Descriptors of the test GDT, by selector. */
export const DESCRIPTORS = {
  ring0Code: [0x08, 0x00af_9b00_0000_ffffn],
  ring0Data: [0x10, 0x00cf_9300_0000_ffffn],
  ring3Code32: [0x18, 0x00cf_fb00_0000_ffffn],
  ring3Data: [0x20, 0x00cf_f300_0000_ffffn],
  ring3Code: [0x28, 0x00af_fb00_0000_ffffn],
  ring0Code32: [0x30, 0x00cf_9b00_0000_ffffn],
  /** Code that is both 64-bit and 32-bit, which long mode does not have. */
  bothSizes: [0x38, 0x00ef_9b00_0000_ffffn],
  conforming: [0x40, 0x00af_9f00_0000_ffffn],
  absentCode: [0x48, 0x00af_1b00_0000_ffffn],
  absentData: [0x50, 0x00cf_1300_0000_ffffn],
  readOnlyData: [0x58, 0x00cf_9100_0000_ffffn],
  executeOnly: [0x60, 0x00af_9900_0000_ffffn],
  /** Ring 3 data that was never used: base 0x12345678, 1 MiB less one byte. */
  freshData: [0x68, 0x124f_f234_5678_ffffn],
  ring1Code: [0x70, 0x00af_bb00_0000_ffffn],
  ring1Data: [0x78, 0x00cf_b300_0000_ffffn],
  /** 16 bytes each from here on. */
  tss: [0x80, 0x0000_8901_1000_0067n],
  ldt: [0x90, 0x0000_8203_0000_00ffn],
  gate: [0xa0, 0x0002_ec00_0008_0100n],
  innerGate: [0xb0, 0x0002_8c00_0008_0100n],
  absentGate: [0xc0, 0x0002_6c00_0008_0100n],
  /** A 16-bit stack of ring 3. */
  ring3Data16: [0xd0, 0x0000_f300_0000_ffffn],
} as const satisfies Record<string, readonly [selector: number, descriptor: bigint]>

/** Selector of a test descriptor with RPL `rpl`. */
export const sel = (name: keyof typeof DESCRIPTORS, rpl = 0): number => DESCRIPTORS[name][0] | rpl

export const PERMISSIVE: TransferPolicy = {
  returnToOuterRing: true,
  callGates: true,
  ring0CompatibilityMode: true,
  shadowStackTokens: true,
}

/** A CPU with the test GDT, in 64-bit mode at `cpl`, whose mechanism has a transfer policy and delivers nothing. */
export function gdtCpu({ cpl = 0, policy = PERMISSIVE, model = 'sapphire-rapids' } = {}): Cpu {
  const mechanism = definePlugin({
    name: 'policy',
    setup: (host) =>
      host.add(MECHANISMS, 'policy', {
        name: 'policy',
        activeWhen: {},
        fallback: true,
        transferPolicy: policy,
        deliver: () => {
          throw new Error('nothing is delivered here')
        },
      }),
  })
  const { cpu } = createMachine({ cpu: model, plugins: [mechanism] })
  const { space } = cpu
  space.map(GDT, pageFlags('w'))
  space.map(TSS, pageFlags(''))
  space.map(CODE, pageFlags('xu'))
  space.map(DATA, pageFlags('wu'))
  space.map(STACK - 0x1000n, pageFlags(cpl === 3 ? 'wu' : 'w'))
  space.map(RING0_STACK - 0x1000n, pageFlags('w'))
  space.map(SHADOW, pageFlags('s'))
  space.map(USER_SHADOW, pageFlags('su'))
  for (const [selector, descriptor] of Object.values(DESCRIPTORS)) space.write64(GDT + BigInt(selector), descriptor)
  space.write64(TSS + 4n, RING0_STACK)
  cpu.set64(GDTR, GDT)
  cpu.words[GDTR + TABLE_LIMIT] = 0xdf
  loadFixedCode(cpu, sel(cpl === 3 ? 'ring3Code' : 'ring0Code', cpl), cpl, 64)
  const data = sel(cpl === 3 ? 'ring3Data' : 'ring0Data', cpl)
  loadFixedStack(cpu, data, cpl)
  cpu.setSegment(DS, { base: 0n, limit: 0xffff_ffff, selector: data, access: dataAccess(cpl) })
  cpu.setCpl(cpl)
  cpu.rip = CODE
  cpu.rsp = STACK
  return cpu
}

/** The fault that an action throws, as `#GP(0x8)`-like pair; undefined when it throws none. */
export function faultOf(action: () => void): { vector: number; errorCode: number } | undefined {
  try {
    action()
  } catch (thrown) {
    if (thrown instanceof Fault) return { vector: thrown.vector, errorCode: thrown.errorCode }
    throw thrown
  }
  return undefined
}

/** Pushes quadwords, the first one highest. */
export function push64(cpu: Cpu, ...values: (bigint | number)[]): void {
  for (const value of values) {
    cpu.rsp -= 8n
    cpu.space.write64(cpu.rsp, BigInt(value))
  }
}

/** An instruction with one operand: memory at an absolute address, or an immediate; or none. */
export function instruction(
  mnemonic: string,
  operandSize: number,
  operand?: { memory: bigint } | { imm: number },
): Decoded {
  return {
    mnemonic,
    length: 2,
    codeSize: 64,
    operandSize,
    addressSize: 8,
    operands: operand === undefined ? [] : [toOperand(operand, operandSize)],
    lock: false,
    rep: false,
    repne: false,
    notrack: false,
    text: mnemonic,
  }
}

function toOperand(operand: { memory: bigint } | { imm: number }, operandSize: number): Operand {
  const blank = {
    register: NO_REGISTER,
    high: false,
    segment: DS,
    base: NO_REGISTER,
    index: NO_REGISTER,
    scale: 1,
    selector: 0,
  }
  return 'memory' in operand
    ? { ...blank, kind: OPERAND_MEMORY, size: operandSize + 2, lo: Number(operand.memory), hi: 0 }
    : { ...blank, kind: OPERAND_IMMEDIATE, size: 2, lo: operand.imm, hi: 0 }
}
