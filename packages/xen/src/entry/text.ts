import { assemble, type Program } from '@trapframe/isa'
import { CPU_INFO, type CpuInfoLayout } from '../layout/cpu-info.js'
import { TEXT } from '../layout/memory.js'
import { fredSource } from './fred-source.js'
import { type EntryFeatures, idtSource } from './idt-source.js'

/** Programs by what they depend on: they are immutable, and there are few of them. */
const assembled = new Map<string, Program>()

/** Xen's entry and exit code for one delivery, assembled at its place. Under FRED it begins with the entry page. */
export function assembleText(
  delivery: 'idt' | 'fred',
  features: EntryFeatures,
  layout: CpuInfoLayout = CPU_INFO,
): Program {
  const source = delivery === 'fred' ? fredSource(layout) : idtSource(features, layout)
  let program = assembled.get(source)
  if (program === undefined) {
    program = assemble(source, { origin: TEXT.linear })
    assembled.set(source, program)
  }
  return program
}
