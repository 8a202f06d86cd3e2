import type { Cpu } from '@trapframe/core'
import { CONFIG_CSL, decodeFrame, IA32_FRED_CONFIG } from '@trapframe/fred'
import type { FrameFields } from '../session/delivery.js'
import type { DeliveryView } from './slots.js'

/** Bits of a FRED frame that are worth a word. */
const NOTED: readonly (readonly [field: string, note: string])[] = [
  ['nested', 'nested bit'],
  ['nmi', 'NMI bit'],
  ['stiBlocking', 'STI blocking'],
  ['waitForEndbranch', 'waiting for ENDBRANCH'],
]

const big = (value: FrameFields[string]): bigint => BigInt(value ?? 0)

const fredBits = (fields: FrameFields): string =>
  NOTED.filter(([field]) => fields[field] === true)
    .map(([, note]) => `, ${note}`)
    .join('')

/** The frame of FRED: 64 bytes, always with room for an error code. */
export const FRED_VIEW: DeliveryView = {
  decode: (bytes) => {
    const { reserved: _reserved, ...fields } = decodeFrame(bytes)
    return fields
  },
  notes: (fields) => [
    `type ${fields.type} vector ${fields.vector}`,
    ...(Number(fields.length) > 0 ? [`length ${fields.length}`] : []),
    ...(fields.eventData === undefined || fields.eventData === 0n ? [] : [`data ${fields.eventData.toString(16)}`]),
    ...NOTED.filter(([field]) => fields[field] === true).map(([, note]) => note),
  ],
  quadwords: (fields) => [
    ['reserved', 0n],
    ['event data', big(fields.eventData)],
    ['SS', big(fields.ss), `type ${fields.type}, vector ${fields.vector}${fredBits(fields)}`],
    ['RSP', fields.rsp],
    ['RFLAGS', fields.rflags],
    ['CS', big(fields.cs), `stack level ${fields.stackLevel}`],
    ['RIP', fields.rip],
    ['error code', big(fields.errorCode)],
  ],
  stackLevel: (cpu: Cpu) => {
    const msr = cpu.machine.msrs.get(IA32_FRED_CONFIG)
    return msr === undefined ? 0 : cpu.words[msr.slot]! & CONFIG_CSL
  },
}

/** The frame of IDT delivery in 64-bit mode: error code for some vectors, RIP, CS, RFLAGS, RSP, SS (SDM 3A 6.14.2). */
export const IDT_VIEW: DeliveryView = {
  decode: (bytes, { hasErrorCode }) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const start = hasErrorCode ? 8 : 0
    const quad = (n: number): bigint => view.getBigUint64(start + 8 * n, true)
    return {
      ...(hasErrorCode ? { errorCode: view.getUint32(0, true) } : {}),
      rip: quad(0),
      cs: Number(quad(1) & 0xffffn),
      rflags: quad(2),
      rsp: quad(3),
      ss: Number(quad(4) & 0xffffn),
    }
  },
  quadwords: (fields) => [
    ['SS', big(fields.ss)],
    ['RSP', fields.rsp],
    ['RFLAGS', fields.rflags],
    ['CS', big(fields.cs)],
    ['RIP', fields.rip],
    ...(fields.errorCode === undefined ? [] : [['error code', big(fields.errorCode)] as const]),
  ],
}
