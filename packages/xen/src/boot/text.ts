import { assemble, type Program } from '@trapframe/isa'
import { functionSource } from '../entry/functions.js'
import { idtSource } from '../entry/idt-source.js'
import type { CpuInfoLayout } from '../layout/cpu-info.js'
import { EARLY_TEXT, INIT_TEXT } from '../layout/memory.js'
import type { Revision } from './decision.js'
import { deliverySource, type EntryPoints } from './delivery-source.js'
import { INIT_FUNCTION_NAMES } from './functions.js'
import { INIT_SYMBOLS } from './init-data.js'
import { stackSource } from './stack-source.js'
import { FUNCTIONS } from './stage.js'
import { apSource, START_DATA, startSource } from './start-source.js'

/** Programs by their source: they are immutable. */
const assembled = new Map<string, Program>()

function once(source: string, options: Parameters<typeof assemble>[1]): Program {
  let program = assembled.get(source)
  if (program === undefined) {
    program = assemble(source, options)
    assembled.set(source, program)
  }
  return program
}

/**
 * The IDT's entry and exit code as it is before the boot has decided anything: nothing of what is patched into it later is
 * there.
 */
export const earlyText = (info: CpuInfoLayout): Program =>
  once(idtSource({ smap: false, shadowStacks: false }, info), { origin: EARLY_TEXT.linear })

/** The boot itself, for the first CPU and the others. `idleLoop` is where it ends. */
export function initText(revision: Revision, entry: EntryPoints, idleLoop: bigint, info: CpuInfoLayout): Program {
  const source = [
    `idle_loop equ ${idleLoop}`,
    startSource(info),
    apSource(info),
    deliverySource(revision, entry, info),
    stackSource(info),
    `${FUNCTIONS}:`,
    functionSource(INIT_FUNCTION_NAMES),
    START_DATA,
  ].join('\n')
  return once(source, { origin: INIT_TEXT.linear, symbols: INIT_SYMBOLS })
}
