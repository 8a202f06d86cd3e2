/** IDT event delivery for trapframe: gates, TSS, IST, IRET, SYSCALL, SWAPGS. */

export { DELIVERY_STEPS } from './delivery-steps.js'
export { decodeFrame, FRAME_BYTES, type Frame, readFrame } from './frame.js'
export { decodeGate, encodeGate, GATE_BYTES, type Gate, readGate } from './gate.js'
export { IDT } from './mechanism.js'
export {
  IA32_CSTAR,
  IA32_INTERRUPT_SSP_TABLE_ADDR,
  IA32_LSTAR,
  IA32_SYSENTER_CS,
  IA32_SYSENTER_EIP,
  IA32_SYSENTER_ESP,
} from './msrs.js'
export { idt } from './plugin.js'
export { encodeTss, readIst, readRsp, TSS_BYTES, TSS_IO_MAP_BASE, type Tss } from './tss.js'
