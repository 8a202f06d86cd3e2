import {
  type CpuEvent,
  HARDWARE_EXCEPTION,
  pushesErrorCode,
  VECTOR_AC,
  VECTOR_CP,
  VECTOR_DB,
  VECTOR_DE,
  VECTOR_DF,
  VECTOR_GP,
  VECTOR_NM,
  VECTOR_NP,
  VECTOR_PF,
  VECTOR_SS,
  VECTOR_TS,
  VECTOR_UD,
  VECTOR_VE,
} from './event.js'

/**
 * A fault on its way: the architecture at work, not an error of ours. It is thrown by an instruction or by a delivery
 * mechanism and caught by the stepping loop only, which turns it into an event, #DF or shutdown. It is no `Error`, so
 * that throwing it captures no stack.
 */
export class Fault {
  readonly vector: number
  readonly errorCode: number
  /** Event data in halves: the linear address of #PF, the debug conditions of #DB. */
  readonly dataLo: number
  readonly dataHi: number

  constructor(vector: number, errorCode = 0, dataLo = 0, dataHi = 0) {
    this.vector = vector
    this.errorCode = errorCode
    this.dataLo = dataLo
    this.dataHi = dataHi
  }
}

/** #DE. */
export const de = (): Fault => new Fault(VECTOR_DE)
/** #DB as a fault; `conditions` in DR6's layout, all positive. */
export const db = (conditions: number): Fault => new Fault(VECTOR_DB, 0, conditions)
/** #UD. */
export const ud = (): Fault => new Fault(VECTOR_UD)
/** #NM. */
export const nm = (): Fault => new Fault(VECTOR_NM)
/** #TS, #NP, #SS and #GP with an error code: a selector with EXT, IDT and TI in bits 2:0, or 0. */
export const ts = (errorCode: number): Fault => new Fault(VECTOR_TS, errorCode)
export const np = (errorCode: number): Fault => new Fault(VECTOR_NP, errorCode)
export const ss = (errorCode: number): Fault => new Fault(VECTOR_SS, errorCode)
export const gp = (errorCode: number): Fault => new Fault(VECTOR_GP, errorCode)
/** #AC(0). */
export const ac = (): Fault => new Fault(VECTOR_AC)
/** #PF with its error code and the linear address, which goes to CR2 when the fault is taken. */
export const pf = (errorCode: number, lo: number, hi: number): Fault => new Fault(VECTOR_PF, errorCode, lo, hi)

/** Error codes of #CP (SDM 1 17.3.1). */
export const CP_NEAR_RET = 1
export const CP_FAR_RET = 2
export const CP_ENDBRANCH = 3
export const CP_RSTORSSP = 4
export const CP_SETSSBSY = 5
/** #CP with one of the codes above. */
export const cp = (errorCode: number): Fault => new Fault(VECTOR_CP, errorCode)

/** The event that a fault becomes; `nested` when it was met while another event was delivered. */
export function faultEvent(fault: Fault, nested: boolean): CpuEvent {
  return {
    type: HARDWARE_EXCEPTION,
    vector: fault.vector,
    errorCode: fault.errorCode,
    hasErrorCode: pushesErrorCode(fault.vector),
    dataLo: fault.dataLo,
    dataHi: fault.dataHi,
    length: 0,
    nested,
  }
}

/** #DF. It is never nested (fred.md, Delivery) and its error code is 0. */
export function doubleFault(): CpuEvent {
  return faultEvent(new Fault(VECTOR_DF), false)
}

/** Class of an exception vector in SDM 3A table 6-4. */
export type FaultClass = 'benign' | 'contributory' | 'page-fault'

/** The class that decides whether two faults make #DF (SDM 3A table 6-4). */
export function faultClass(vector: number): FaultClass {
  switch (vector) {
    case VECTOR_DE:
    case VECTOR_TS:
    case VECTOR_NP:
    case VECTOR_SS:
    case VECTOR_GP:
    case VECTOR_CP:
      return 'contributory'
    case VECTOR_PF:
    case VECTOR_VE:
      return 'page-fault'
    default:
      return 'benign'
  }
}

/**
 * Whether a fault met while `first` was delivered is a double fault (SDM 3A table 6-5). Interrupts, NMIs and software
 * events are benign whatever their vector.
 */
export function isDoubleFault(first: CpuEvent, second: Fault): boolean {
  if (first.type !== HARDWARE_EXCEPTION) return false
  const secondClass = faultClass(second.vector)
  switch (faultClass(first.vector)) {
    case 'contributory':
      return secondClass === 'contributory'
    case 'page-fault':
      return secondClass !== 'benign'
    default:
      return false
  }
}
