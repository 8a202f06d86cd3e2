import { ElfError } from './error.js'

/** The bytes of an image, little-endian; what lies beyond their end is an error that names what was wanted there. */
export class ElfBytes {
  readonly #bytes: Uint8Array
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get length(): number {
    return this.#bytes.length
  }

  u8(offset: number): number {
    return this.#view.getUint8(offset)
  }

  u16(offset: number): number {
    return this.#view.getUint16(offset, true)
  }

  u32(offset: number): number {
    return this.#view.getUint32(offset, true)
  }

  u64(offset: number): bigint {
    return this.#view.getBigUint64(offset, true)
  }

  /** A stretch of the file, shared with it. @throws ElfError when the file ends before it does */
  slice(offset: bigint, length: bigint, what: string): Uint8Array {
    const start = this.offset(offset, length, what)
    return this.#bytes.subarray(start, start + Number(length))
  }

  /** An offset as a number. @throws ElfError when `length` bytes do not fit behind it */
  offset(offset: bigint, length: bigint, what: string): number {
    if (offset + length > BigInt(this.length)) {
      throw new ElfError('truncated', `it ends before its ${what}`, 'the file is truncated: copy or link it again')
    }
    return Number(offset)
  }
}
