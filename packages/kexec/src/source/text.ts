import { assemble, type Program } from '@trapframe/isa'
import { RELOC, SHARED_SYMBOLS, TEXT } from '../memory/layout.js'
import { crashSource } from './crash-source.js'
import { handlerSource } from './handler-source.js'
import { machineKexecSource, relocSource, TRAP_NOP_SOURCE } from './leave-source.js'

/** Programs by delivery: they are immutable. */
const assembled = new Map<string, Program>()
let reloc: Program | undefined

/** The crash code for one delivery, assembled at its place; `trap_nop` is its first instruction. */
export function assembleCrashText(delivery: string): Program {
  let program = assembled.get(delivery)
  if (program === undefined) {
    const source = [
      TRAP_NOP_SOURCE,
      handlerSource(delivery),
      crashSource(delivery),
      machineKexecSource(delivery, TEXT.linear),
    ].join('\n')
    program = assemble(source, { origin: TEXT.linear, symbols: { ...SHARED_SYMBOLS } })
    assembled.set(delivery, program)
  }
  return program
}

/** kexec_reloc, which runs at its place in Xen and, from `kexec_identity` on, at its physical address. */
export function assembleReloc(): Program {
  reloc ??= assemble(relocSource(), { origin: RELOC.linear })
  return reloc
}
