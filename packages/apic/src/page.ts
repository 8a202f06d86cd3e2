import { type Device, UnsupportedError } from '@trapframe/core'
import { ILLEGAL_REGISTER, noteError } from './interrupts.js'
import { APIC_PAGE, apicMode } from './mode.js'
import { readRegister, writeRegister } from './registers.js'

/** The number of the register at a page offset. @throws UnsupportedError between two of them */
function registerAt(offset: number): number {
  if ((offset & 0xf) === 0) return offset >>> 4
  throw new UnsupportedError('instruction', `offset 0x${offset.toString(16)} of the local APIC's page is accessed`, {
    hint: 'its registers lie at multiples of 16; the manual leaves accesses between them open',
  })
}

/** The registers of xAPIC mode as a page of memory; each CPU sees its own. A register that is not there is an error in ESR. */
export const XAPIC_PAGE: Device = {
  page: APIC_PAGE,
  claims: (cpu) => apicMode(cpu) === 'xapic',
  load(cpu, offset) {
    const value = readRegister(cpu, registerAt(offset))
    if (value === undefined) noteError(cpu, ILLEGAL_REGISTER)
    return value ?? 0
  },
  store(cpu, offset, value) {
    if (!writeRegister(cpu, registerAt(offset), value)) noteError(cpu, ILLEGAL_REGISTER)
  },
}
