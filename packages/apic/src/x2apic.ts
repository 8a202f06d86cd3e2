import { type Cpu, gp0, type MsrDefinition } from '@trapframe/core'
import { COMMAND_RESERVED, logicalX2apicId } from './command.js'
import { apicMode } from './mode.js'
import { DIVIDE, ESR, ICR, LVT, LVT_CMCI, localApic, NOTHING, SVR, TPR } from './region.js'
import {
  DIVIDE_BITS,
  entryBits,
  R_CMCI,
  R_CURRENT_COUNT,
  R_DIVIDE,
  R_EOI,
  R_ESR,
  R_ICR,
  R_ID,
  R_INITIAL_COUNT,
  R_IRR,
  R_ISR,
  R_LDR,
  R_LVT,
  R_PPR,
  R_SVR,
  R_TMR,
  R_TPR,
  R_VERSION,
  readRegister,
  SVR_BITS,
  sendCommand,
  writeRegister,
} from './registers.js'
import { LVT_RESET, SVR_RESET } from './reset.js'

/** Index of register 0 among the MSRs. */
const FIRST_MSR = 0x800
const SELF_IPI = 0x3f
/** A command to oneself: fixed, asserted, by shorthand. */
const TO_SELF = 0x4_4000

/** How a register is an MSR: what may be written, if anything, and where it is kept. */
interface Shape {
  readonly register: number
  readonly name: string
  readonly slot?: number
  readonly reset?: number
  /** Bits that may be written; others are #GP(0). Left out: read-only. */
  readonly writable?: number
  readonly writeOnly?: boolean
}

const words = (register: number, name: string): Shape[] =>
  Array.from({ length: 8 }, (_, n) => ({ register: register + n, name: `${name}${n}` }))

const entry = (register: number, name: string, slot: number): Shape => ({
  register,
  name: `LVT_${name}`,
  slot,
  reset: LVT_RESET,
  writable: entryBits(register),
})

const SHAPES: readonly Shape[] = [
  { register: R_ID, name: 'APICID' },
  { register: R_VERSION, name: 'VERSION' },
  { register: R_TPR, name: 'TPR', slot: TPR, writable: 0xff },
  { register: R_PPR, name: 'PPR' },
  { register: R_EOI, name: 'EOI', writable: 0, writeOnly: true },
  { register: R_LDR, name: 'LDR' },
  { register: R_SVR, name: 'SIVR', slot: SVR, reset: SVR_RESET, writable: SVR_BITS },
  ...words(R_ISR, 'ISR'),
  ...words(R_TMR, 'TMR'),
  ...words(R_IRR, 'IRR'),
  { register: R_ESR, name: 'ESR', slot: ESR, writable: 0 },
  entry(R_CMCI, 'CMCI', LVT_CMCI),
  ...['TIMER', 'THERMAL', 'PMI', 'LINT0', 'LINT1', 'ERROR'].map((name, n) => entry(R_LVT + n, name, LVT + 2 * n)),
  { register: R_INITIAL_COUNT, name: 'INIT_COUNT', writable: -1 },
  { register: R_CURRENT_COUNT, name: 'CUR_COUNT' },
  { register: R_DIVIDE, name: 'DIV_CONF', slot: DIVIDE, writable: DIVIDE_BITS },
]

/** The MSRs are there in x2APIC mode only. @throws #GP(0) */
function demandX2apic(cpu: Cpu): void {
  if (apicMode(cpu) !== 'x2apic') gp0()
}

const low = (value: bigint): number => Number(BigInt.asIntN(32, value))
const unsigned = (value: number): bigint => BigInt(value >>> 0)

/**
 * The registers as MSRs 802h to 83Fh (SDM 3A "x2APIC Register Address Space"), where the region begins at word `region`.
 * Reserved bits are #GP(0), and so are reading EOI and SELF_IPI, and writing what is read-only. ICR is one MSR of 64 bits
 * whose write sends, and has no delivery status.
 */
export function x2apicMsrs(region: number): MsrDefinition[] {
  return [
    ...SHAPES.map((shape) => fromShape(shape, region)),
    {
      index: FIRST_MSR + R_ICR,
      name: 'IA32_X2APIC_ICR',
      feature: 'x2apic',
      slot: region + ICR,
      read: (value, cpu) => {
        demandX2apic(cpu)
        return value
      },
      write: (value, cpu) => {
        demandX2apic(cpu)
        if ((low(value) & COMMAND_RESERVED) !== 0) gp0()
        sendCommand(cpu, low(value), low(value >> 32n))
        return value
      },
    },
    {
      index: FIRST_MSR + SELF_IPI,
      name: 'IA32_X2APIC_SELF_IPI',
      feature: 'x2apic',
      slot: region + NOTHING,
      read: () => gp0(),
      write: (value, cpu) => {
        demandX2apic(cpu)
        if (value >> 8n !== 0n) gp0()
        const icr = cpu.get64(localApic(cpu) + ICR)
        sendCommand(cpu, TO_SELF | low(value), 0)
        cpu.set64(localApic(cpu) + ICR, icr)
        return 0n
      },
    },
  ]
}

function fromShape({ register, name, slot = NOTHING, reset, writable, writeOnly = false }: Shape, region: number) {
  return {
    index: FIRST_MSR + register,
    name: `IA32_X2APIC_${name}`,
    feature: 'x2apic',
    slot: region + slot,
    ...(reset === undefined ? {} : { reset: BigInt(reset) }),
    read(_value: bigint, cpu: Cpu): bigint {
      demandX2apic(cpu)
      if (writeOnly) gp0()
      return unsigned(register === R_LDR ? logicalX2apicId(cpu) : readRegister(cpu, register)!)
    },
    write(value: bigint, cpu: Cpu): bigint {
      demandX2apic(cpu)
      if (writable === undefined || value >> 32n !== 0n || (low(value) & ~writable) !== 0) gp0()
      writeRegister(cpu, register, low(value))
      return cpu.get64(region + slot)
    },
  } satisfies MsrDefinition
}
