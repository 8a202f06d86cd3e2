import { CPU_PRESETS, type CpuidBits, type CpuModel, type Plugin } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { pv } from '@trapframe/pv'
import { xen } from '@trapframe/xen'
import type { Vector, VectorFormat } from '../format.js'
import { readExperiment } from './experiment.js'
import { playExperiment } from './play.js'
import type { Json } from './read.js'

const preset = (name: string): CpuModel => {
  const model = CPU_PRESETS.find((candidate) => candidate.name === name)
  if (model === undefined) throw new RangeError(`no CPU preset ${name}`)
  return model
}

const bits = (...positions: readonly number[]): number => positions.reduce((all, n) => all | (1 << n), 0)

/** What the recording's Intel model shows of instruction sets that are in no experiment: guests ask CPUID about them. */
const OTHER_INSTRUCTION_SETS: readonly CpuidBits[] = [
  // MTRR
  { leaf: 1, edx: bits(12) },
  // SHA512, SM3, SM4, AVX-VNNI, FSRS, AVX-IFMA; AVX-VNNI-INT8, AVX-NE-CONVERT, AVX-VNNI-INT16
  { leaf: 7, subleaf: 1, eax: bits(0, 1, 2, 4, 11, 23), edx: bits(4, 5, 10) },
  // LZCNT, PREFETCHW
  { leaf: 0x8000_0001, ecx: bits(5, 8) },
]

/** The models that come closest to those of the recording. */
const CPUS = { intel: { ...preset('panther-lake'), shows: OTHER_INSTRUCTION_SETS }, amd: preset('zen6') } as const

/** Under what the guests ran, and how the CPU that they ran on reads FRED's specification where that leaves a doubt. */
const recorder = (): readonly Plugin[] => [fred({ int1Conditions: 'pending' }), xen(), pv()]

function parse(line: Json): Vector {
  const experiment = readExperiment(line)
  const { id, delivery, cpu } = experiment
  return {
    id: `${id}@${delivery}@${cpu}`,
    group: `pv/${id.split('/', 1)[0]!}`,
    cpu: CPUS[cpu],
    host: { name: `xen ${delivery}`, plugins: recorder },
    play: (machine) => playExperiment(machine, experiment),
  }
}

/** The format of `pv-xen.jsonl`: what a PV64 guest saw on a real Xen. */
export const pvXenFormat: VectorFormat = {
  name: 'pv-xen',
  recognises: (first) => 'seen' in first && 'setup' in first && 'delivery' in first,
  parse,
}
