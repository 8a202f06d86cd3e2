/** A 64-bit ELF image for x86-64, read and checked. Nothing in it depends on a machine. */
export interface ElfImage {
  /** It can be loaded anywhere (ET_DYN); else its addresses are fixed (ET_EXEC). */
  readonly movable: boolean
  /** Where its header says that it begins; 0 where it does not say. */
  readonly entry: bigint
  readonly segments: readonly ElfSegment[]
  /** Addresses by name; of several symbols of one name the global one. */
  readonly symbols: ReadonlyMap<string, bigint>
  /** Places whose 64 bits become the load address plus the addend (R_X86_64_RELATIVE). */
  readonly relocations: readonly ElfRelocation[]
  /** Bytes of memory that all segments take. */
  readonly size: number
}

/** What PT_LOAD says. */
export interface ElfSegment {
  /** Address of the first byte, before the load address is added. */
  readonly address: bigint
  /** What the file has; the rest up to `size` is zeros. */
  readonly content: Uint8Array
  readonly size: number
  readonly writable: boolean
  readonly executable: boolean
}

export interface ElfRelocation {
  readonly address: bigint
  readonly addend: bigint
}
