import type { Cpu } from '@trapframe/core'
import {
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
} from './layout.js'

/** The frame that FRED event delivery pushes, in the manual's terms (SDM 3A 8.3). */
export interface FredFrame {
  /** 0 where the event has none; 32 bits. */
  readonly errorCode: number
  /** The instruction itself for faults, the next one for types 4 to 7. */
  readonly rip: bigint
  readonly cs: number
  /** CSL before the event, 0–3; 0 from ring 3. */
  readonly stackLevel: number
  /** The ring 0 tracker was waiting for an ENDBRANCH. */
  readonly waitForEndbranch: boolean
  readonly rflags: bigint
  readonly rsp: bigint
  readonly ss: number
  /** STI blocking was in effect. */
  readonly stiBlocking: boolean
  /** SYSCALL, SYSENTER or INT n. */
  readonly softwareEvent: boolean
  /** An NMI: returning unblocks NMIs. */
  readonly nmi: boolean
  /** 0–255. */
  readonly vector: number
  /** 0 external interrupt, 2 NMI, 3 hardware exception, 4 INT n, 5 INT1, 6 INT3 and INTO, 7 SYSCALL and SYSENTER; 0–15. */
  readonly type: number
  readonly enclave: boolean
  /** The interrupted code ran in 64-bit mode. */
  readonly mode64: boolean
  /** The event was met while another was delivered. */
  readonly nested: boolean
  /** Length of the instruction in bytes, for types 4 to 7; 0–15. */
  readonly length: number
  /** The linear address of #PF, the conditions of #DB, the components of an XFD #NM, the sources of an NMI; else 0. */
  readonly eventData: bigint
  /** What lies in bits that have no meaning, in place; left out where all of them are 0, as a CPU leaves them. */
  readonly reserved?: ReservedBits
}

/** The bits without meaning, by quadword. */
export interface ReservedBits {
  readonly errorCode: bigint
  readonly cs: bigint
  readonly ss: bigint
  readonly last: bigint
}

const flag = (value: boolean, bit: number): number => (value ? bit : 0)

const CS_KNOWN = BigInt(0xffff | CS_AUGMENTED)
const SS_LOW = 0xffff | SS_STI_BLOCKING | SS_SOFTWARE_EVENT | SS_NMI
const SS_HIGH =
  (0xff | (0xf << SS_TYPE_SHIFT) | SS_ENCLAVE | SS_64BIT_MODE | SS_NESTED | (0xf << SS_LENGTH_SHIFT)) >>> 0
const SS_KNOWN = (BigInt(SS_HIGH) << 32n) | BigInt(SS_LOW)

/** The frame in 64 bytes, little-endian. @throws RangeError for another number of bytes */
export function decodeFrame(bytes: Uint8Array): FredFrame {
  if (bytes.length !== FRAME_BYTES) throw new RangeError(`a FRED frame has ${FRAME_BYTES} bytes, not ${bytes.length}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_BYTES)
  const quad = (offset: number): bigint => view.getBigUint64(offset, true)
  const cs = view.getUint32(FRAME_CS, true)
  const ss = view.getUint32(FRAME_SS, true)
  const event = view.getUint32(FRAME_SS + 4, true)
  const reserved: ReservedBits = {
    errorCode: quad(FRAME_ERROR_CODE) & ~0xffff_ffffn,
    cs: quad(FRAME_CS) & ~CS_KNOWN,
    ss: quad(FRAME_SS) & ~SS_KNOWN,
    last: quad(FRAME_RESERVED),
  }
  return {
    errorCode: view.getUint32(FRAME_ERROR_CODE, true),
    rip: quad(FRAME_RIP),
    cs: cs & 0xffff,
    stackLevel: (cs >>> CS_CSL_SHIFT) & 3,
    waitForEndbranch: (cs & CS_WAIT_FOR_ENDBRANCH) !== 0,
    rflags: quad(FRAME_RFLAGS),
    rsp: quad(FRAME_RSP),
    ss: ss & 0xffff,
    stiBlocking: (ss & SS_STI_BLOCKING) !== 0,
    softwareEvent: (ss & SS_SOFTWARE_EVENT) !== 0,
    nmi: (ss & SS_NMI) !== 0,
    vector: event & 0xff,
    type: (event >>> SS_TYPE_SHIFT) & 0xf,
    enclave: (event & SS_ENCLAVE) !== 0,
    mode64: (event & SS_64BIT_MODE) !== 0,
    nested: (event & SS_NESTED) !== 0,
    length: event >>> SS_LENGTH_SHIFT,
    eventData: quad(FRAME_EVENT_DATA),
    ...((reserved.errorCode | reserved.cs | reserved.ss | reserved.last) !== 0n && { reserved }),
  }
}

/** The 64 bytes of a frame. Fields are cut to their widths. */
export function encodeFrame(frame: FredFrame): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES)
  const view = new DataView(bytes.buffer)
  const { reserved } = frame
  const put = (offset: number, value: bigint, more = 0n): void => view.setBigUint64(offset, value | more, true)
  const cs =
    (frame.cs & 0xffff) | ((frame.stackLevel & 3) << CS_CSL_SHIFT) | flag(frame.waitForEndbranch, CS_WAIT_FOR_ENDBRANCH)
  const ss =
    (frame.ss & 0xffff) |
    flag(frame.stiBlocking, SS_STI_BLOCKING) |
    flag(frame.softwareEvent, SS_SOFTWARE_EVENT) |
    flag(frame.nmi, SS_NMI)
  const event =
    (frame.vector & 0xff) |
    ((frame.type & 0xf) << SS_TYPE_SHIFT) |
    flag(frame.enclave, SS_ENCLAVE) |
    flag(frame.mode64, SS_64BIT_MODE) |
    flag(frame.nested, SS_NESTED) |
    ((frame.length & 0xf) << SS_LENGTH_SHIFT)
  put(FRAME_ERROR_CODE, BigInt(frame.errorCode >>> 0), reserved?.errorCode)
  put(FRAME_RIP, frame.rip)
  put(FRAME_CS, BigInt(cs), reserved?.cs)
  put(FRAME_RFLAGS, frame.rflags)
  put(FRAME_RSP, frame.rsp)
  put(FRAME_SS, (BigInt(event >>> 0) << 32n) | BigInt(ss), reserved?.ss)
  put(FRAME_EVENT_DATA, frame.eventData)
  put(FRAME_RESERVED, 0n, reserved?.last)
  return bytes
}

/** The frame at RSP, as a handler finds it at its first instruction. @throws RangeError where nothing is mapped */
export function readFrame(cpu: Cpu): FredFrame {
  return decodeFrame(cpu.space.read(cpu.rsp, FRAME_BYTES))
}
