import type { Boot, Cpu, Machine, MemoryArea } from '@trapframe/core'
import { noteOf } from './memory/layout.js'
import { isContained } from './memory/state.js'
import { NOTE_BYTES } from './note/layout.js'

/** Xen's code that handles NMI and #MC of a CPU in ring 0: each label up to the next one. */
const ENTRY_PATHS: Readonly<Record<string, readonly string[]>> = {
  idt: ['entry_NMI', 'entry_MC', 'handle_ist_exception', 'do_nmi', 'do_machine_check', 'restore_all_xen', 'iretq_xen'],
  fred: ['entry_FRED_R0', 'entry_from_xen', 'xen_async_event', 'restore_all_xen', 'erets_xen'],
}

const byLabels = new WeakMap<ReadonlyMap<string, bigint>, readonly MemoryArea[]>()

/** Where a contained CPU may execute: the crash handler with its HLT, and the ways in and out of NMI and #MC. */
function allowedAreas({ labels, delivery }: Boot): readonly MemoryArea[] {
  let areas = byLabels.get(labels)
  if (areas === undefined) {
    areas = [
      ...(ENTRY_PATHS[delivery] ?? []).flatMap((name) => areaFrom(labels, name)),
      between(labels, 'kexec_nmi', 'kexec_nmi_end'),
      between(labels, 'trap_nop', 'kexec_nmi'),
    ]
    byLabels.set(labels, areas)
  }
  return areas
}

const between = (labels: ReadonlyMap<string, bigint>, from: string, to: string): MemoryArea => ({
  address: labels.get(from)!,
  bytes: Number(labels.get(to)! - labels.get(from)!),
})

/** From a label to the next one that is no part of it. */
function areaFrom(labels: ReadonlyMap<string, bigint>, name: string): MemoryArea[] {
  const address = labels.get(name)
  if (address === undefined) return []
  let end: bigint | null = null
  for (const [other, at] of labels) {
    if (at > address && !other.includes('.') && (end === null || at < end)) end = at
  }
  return end === null ? [] : [{ address, bytes: Number(end - address) }]
}

/**
 * What it means that a CPU was stopped (K1, K2), for `explore/containments`: after acknowledging it executes the crash
 * handler, the ways in and out of #MC and NMI, or HLT, never code of what it was interrupted in; and nobody writes its crash
 * note any more.
 */
export const KEXEC_CONTAINMENT = {
  name: 'kexec',
  contained: (_machine: Machine, cpu: Cpu): boolean => isContained(cpu),
  allowed: (boot: Boot, _cpu: Cpu): readonly MemoryArea[] => allowedAreas(boot),
  frozen: (_machine: Machine, cpu: Cpu): readonly MemoryArea[] => [{ address: noteOf(cpu.id), bytes: NOTE_BYTES }],
} as const
