/** Bits of RFLAGS (SDM 1 3.4.3). */
export const CF = 1 << 0
/** Bit 1 reads as 1. */
export const RFLAGS_FIXED = 1 << 1
export const PF = 1 << 2
export const AF = 1 << 4
export const ZF = 1 << 6
export const SF = 1 << 7
export const TF = 1 << 8
export const IF = 1 << 9
export const DF = 1 << 10
export const OF = 1 << 11
export const IOPL = 3 << 12
export const NT = 1 << 14
export const RF = 1 << 16
export const VM = 1 << 17
export const AC = 1 << 18
export const VIF = 1 << 19
export const VIP = 1 << 20
export const ID = 1 << 21

/** CF PF AF ZF SF OF: what arithmetic changes. */
export const ARITHMETIC_FLAGS = CF | PF | AF | ZF | SF | OF
/** Every bit that exists, the fixed one included. */
export const RFLAGS_MASK = 0x3f7fd7
