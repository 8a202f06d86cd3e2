/** Bits of CR0, CR4, EFER, DR6, DR7 and the CET MSRs that the model gives a meaning (SDM 3A 2.2.1, 2.5, 17.2; SDM 1 17.3). */

/** Bits of CR0. */
export const CR0_PE = 1 << 0
export const CR0_MP = 1 << 1
export const CR0_EM = 1 << 2
export const CR0_TS = 1 << 3
export const CR0_ET = 1 << 4
export const CR0_NE = 1 << 5
export const CR0_WP = 1 << 16
export const CR0_AM = 1 << 18
export const CR0_NW = 1 << 29
export const CR0_CD = 1 << 30
export const CR0_PG = 1 << 31

/** Bits of CR4, its low half; plugins define more. */
export const CR4_PVI = 1 << 1
export const CR4_TSD = 1 << 2
export const CR4_DE = 1 << 3
export const CR4_PAE = 1 << 5
export const CR4_OSFXSR = 1 << 9
export const CR4_UMIP = 1 << 11
export const CR4_LA57 = 1 << 12
export const CR4_FSGSBASE = 1 << 16
export const CR4_PCIDE = 1 << 17
export const CR4_OSXSAVE = 1 << 18
export const CR4_SMEP = 1 << 20
export const CR4_SMAP = 1 << 21
export const CR4_CET = 1 << 23

/** Bits of IA32_EFER. */
export const EFER_SCE = 1 << 0
export const EFER_LME = 1 << 8
export const EFER_LMA = 1 << 10
export const EFER_NXE = 1 << 11

/** DR6: B3–B0 conditions, BLD (inverted), BD, BS, RTM (inverted). */
/** B3–B0: which breakpoint conditions were met. */
export const DR6_BREAKPOINTS = 0xf
export const DR6_BD = 1 << 13
export const DR6_BS = 1 << 14
/** Bits of DR6 that read as 1 when nothing happened. */
export const DR6_FIXED = 0xffff0ff0 | 0
export const DR7_GD = 1 << 13
/** DR7 bit 10 reads as 1. */
export const DR7_FIXED = 1 << 10

/** IA32_S_CET and IA32_U_CET. */
export const CET_SH_STK_EN = 1 << 0
export const CET_WR_SHSTK_EN = 1 << 1
export const CET_ENDBR_EN = 1 << 2
export const CET_LEG_IW_EN = 1 << 3
export const CET_NO_TRACK_EN = 1 << 4
export const CET_SUPPRESS_DIS = 1 << 5
export const CET_SUPPRESS = 1 << 10
/** WAIT_FOR_ENDBRANCH: the next instruction must be an ENDBRANCH. */
export const CET_TRACKER = 1 << 11

/** Access word of a segment: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15, unusable 16. */
export const ACCESS_ACCESSED = 1 << 0
/** Writable data, readable code. */
export const ACCESS_WRITABLE = 1 << 1
/** Conforming code, expand-down data. */
export const ACCESS_CONFORMING = 1 << 2
export const ACCESS_CODE = 1 << 3
export const ACCESS_S = 1 << 4
export const ACCESS_DPL_SHIFT = 5
export const ACCESS_PRESENT = 1 << 7
export const ACCESS_L = 1 << 13
export const ACCESS_DB = 1 << 14
export const ACCESS_G = 1 << 15
export const ACCESS_UNUSABLE = 1 << 16

/** IA32_MCG_STATUS (SDM 3B, "Machine-Check Architecture"): the saved RIP is where execution can go on. */
export const MCG_RIPV = 1 << 0
/** The error is one of the instruction at the saved RIP. */
export const MCG_EIPV = 1 << 1
/** A machine check is being handled: a second one shuts the CPU down. Software clears it. */
export const MCG_MCIP = 1 << 2
