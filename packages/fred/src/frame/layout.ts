/**
 * Where things lie in the 64 bytes that FRED event delivery pushes (SDM 3A 8.3): byte offsets from RSP, and the bits
 * that share a quadword with CS and SS. Delivery, ERETS, ERETU and the typed view all read these.
 */

/** Size of the frame, and what RSP is aligned to before it is pushed (A13). */
export const FRAME_BYTES = 64

/** Byte offsets of the frame’s quadwords from RSP. */
export const FRAME_ERROR_CODE = 0
export const FRAME_RIP = 8
/** CS with the augmented bits above it. */
export const FRAME_CS = 16
export const FRAME_RFLAGS = 24
export const FRAME_RSP = 32
/** SS with the event's description above it. */
export const FRAME_SS = 40
export const FRAME_EVENT_DATA = 48
/** A quadword of zeros, for what may come. */
export const FRAME_RESERVED = 56

// The low half of the CS quadword.

/** Bits 17:16: the stack level that was current. */
export const CS_CSL_SHIFT = 16
/** Bit 18: the ring 0 tracker was waiting for an ENDBRANCH. */
export const CS_WAIT_FOR_ENDBRANCH = 1 << 18
/** Bits 18:16: what ERETS takes from the quadword besides CS itself. */
export const CS_AUGMENTED = 7 << 16

// The low half of the SS quadword.

/** Bit 16: STI blocking was in effect. */
export const SS_STI_BLOCKING = 1 << 16
/** Bit 17: SYSCALL, SYSENTER or INT n; a return then pends the single step that the instruction itself did not get. */
export const SS_SOFTWARE_EVENT = 1 << 17
/** Bit 18: an NMI; a return unblocks NMIs. */
export const SS_NMI = 1 << 18

// The high half of the SS quadword: bits 63:32.

/** Bits 51:48: the event's type. */
export const SS_TYPE_SHIFT = 16
/** Bit 56: the event met an enclave. */
export const SS_ENCLAVE = 1 << 24
/** Bit 57: the interrupted code ran in 64-bit mode. */
export const SS_64BIT_MODE = 1 << 25
/** Bit 58: the event was met while another was delivered. */
export const SS_NESTED = 1 << 26
/** Bits 63:60: length of the instruction, for types 4 to 7. */
export const SS_LENGTH_SHIFT = 28
