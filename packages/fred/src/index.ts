/** FRED event delivery as a plugin of `@trapframe/core`. */

export { DELIVERY_STEPS } from './delivery/delivery-steps.js'
export { checkExtendedFeature } from './delivery/event-data.js'
export { FLAT_FRED } from './flat/host.js'
export { decodeFrame, encodeFrame, type FredFrame, type ReservedBits, readFrame } from './frame/frame.js'
export {
  CS_AUGMENTED,
  CS_CSL_SHIFT,
  CS_WAIT_FOR_ENDBRANCH,
  FRAME_BYTES,
  FRAME_CS,
  FRAME_ERROR_CODE,
  FRAME_EVENT_DATA,
  FRAME_RESERVED,
  FRAME_RFLAGS,
  FRAME_RIP,
  FRAME_RSP,
  FRAME_SS,
  SS_64BIT_MODE,
  SS_ENCLAVE,
  SS_LENGTH_SHIFT,
  SS_NESTED,
  SS_NMI,
  SS_SOFTWARE_EVENT,
  SS_STI_BLOCKING,
  SS_TYPE_SHIFT,
} from './frame/layout.js'
export { VECTOR_SYSCALL, VECTOR_SYSENTER } from './instructions/events.js'
export {
  CONFIG_CSL,
  CONFIG_INTERRUPT_LEVEL_SHIFT,
  CONFIG_RED_ZONE,
  CONFIG_SSP_GAP,
  IA32_FRED_CONFIG,
  IA32_FRED_RSP0,
  IA32_FRED_RSP1,
  IA32_FRED_RSP2,
  IA32_FRED_RSP3,
  IA32_FRED_SSP0,
  IA32_FRED_SSP1,
  IA32_FRED_SSP2,
  IA32_FRED_SSP3,
  IA32_FRED_STKLVLS,
  IA32_XFD,
  IA32_XFD_ERR,
} from './msrs.js'
export { type FredOptions, fred } from './plugin.js'
