import { UserError } from '@trapframe/core'

/** What can be wrong with an image; the error's `code` is `elf-` and one of these. */
export type ElfFault =
  | 'not-elf'
  | 'class'
  | 'byte-order'
  | 'machine'
  | 'type'
  | 'truncated'
  | 'malformed'
  | 'too-big'
  | 'dynamic'

/** An image that cannot be loaded. Messages never quote what is in the file beyond numbers of its headers. */
export class ElfError extends UserError {
  constructor(fault: ElfFault, message: string, hint?: string) {
    super(`elf-${fault}`, message, hint === undefined ? {} : { hint })
  }
}
