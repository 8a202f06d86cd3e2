/** FRED event delivery as a plugin of `@trapframe/core`. */

export { checkExtendedFeature } from './delivery/event-data.js'
export { FLAT_FRED } from './flat/host.js'
export { decodeFrame, encodeFrame, type FredFrame, type ReservedBits, readFrame } from './frame/frame.js'
export * from './frame/layout.js'
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
