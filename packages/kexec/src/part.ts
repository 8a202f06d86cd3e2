import { enableLocalApic } from '@trapframe/apic'
import {
  type Boot,
  type Cpu,
  IDTR,
  type Machine,
  MachineError,
  type MemoryArea,
  PAGE_EXECUTABLE,
  PAGE_WRITABLE,
  VECTOR_NMI,
} from '@trapframe/core'
import { type Call, type Outcome, type PlacedPart, panic, type XenPart } from '@trapframe/xen'
import { bindCrashKernel, CRASH_KERNEL_CODE } from './arrival.js'
import {
  CRASH_KERNEL,
  CRASH_KERNEL_32,
  DATA,
  IDENTITY_CR3,
  type Mapping,
  noteOf,
  notes,
  PAGE_BYTES,
  RELOC,
  RELOC_STACK,
  SHARED_SYMBOLS,
  shared,
  TEXT,
} from './memory/layout.js'
import {
  isContained,
  isLoaded,
  isPlaced,
  readShared,
  readShared32,
  setPlaced,
  writeShared,
  writeShared32,
} from './memory/state.js'
import { readCrashNote } from './note/crash-note.js'
import { precautionBits } from './precautions.js'
import { crashingCpu, notShotDown } from './report.js'
import { bindRoutines } from './source/routines.js'
import { assembleCrashText, assembleReloc } from './source/text.js'

/** Crash and kexec as a part of Xen. */
export const KEXEC_PART: XenPart = { place, exception, panicked }

function place(machine: Machine, boot: Boot): PlacedPart {
  if (!machine.cpu.has('x2apic')) {
    throw new MachineError(
      'no-x2apic',
      `CPU "${machine.model.name}" has no x2APIC mode, in which the crash code sends IPIs`,
    )
  }
  const text = assembleCrashText(boot.delivery)
  const reloc = assembleReloc()
  mapMemory(machine)
  const space = machine.space(0n)
  space.write(TEXT.linear, text.bytes)
  space.write(RELOC.linear, reloc.bytes)
  const out = machine.space(IDENTITY_CR3)
  out.write(CRASH_KERNEL.linear, CRASH_KERNEL_CODE)
  out.write(CRASH_KERNEL_32, CRASH_KERNEL_CODE)
  space.write(DATA.linear, new Uint8Array(DATA.pages * PAGE_BYTES))
  writeShared(machine, 'crashing_cpu', (1n << 64n) - 1n)
  writeShared(machine, 'cpu_online_map', (1n << BigInt(machine.cpus.length)) - 1n)
  writeShared32(machine, 'console_lock', -1)
  writeShared32(machine, 'precautions', precautionBits({}))
  for (const cpu of machine.cpus) {
    enableLocalApic(cpu, 'x2apic')
    space.write64(shared('idt_tables') + BigInt(8 * cpu.id), cpu.get64(IDTR))
  }
  bindRoutines(machine, text.labels)
  bindCrashKernel(machine)
  setPlaced(machine)
  return { labels: labelsOf(machine, text.labels, reloc.labels), areas: areasOf(machine), facts: (cpu) => factsOf(cpu) }
}

/** In the page tables of the way out everything that it needs is at its physical address. */
function mapMemory(machine: Machine): void {
  const space = machine.space(0n)
  const out = machine.space(IDENTITY_CR3)
  const note = notes(machine.cpus.length)
  space.map(TEXT.linear, PAGE_EXECUTABLE, TEXT.pages, TEXT.physical)
  space.map(DATA.linear, PAGE_WRITABLE, DATA.pages, DATA.physical)
  space.map(note.linear, PAGE_WRITABLE, note.pages, note.physical)
  space.map(RELOC.linear, PAGE_EXECUTABLE, RELOC.pages, RELOC.physical)
  out.map(RELOC.linear, PAGE_EXECUTABLE, RELOC.pages, RELOC.physical)
  out.map(RELOC.physical, PAGE_EXECUTABLE, RELOC.pages, RELOC.physical)
  out.map(RELOC_STACK.linear, PAGE_WRITABLE, RELOC_STACK.pages, RELOC_STACK.physical)
  out.map(CRASH_KERNEL.linear, PAGE_EXECUTABLE, CRASH_KERNEL.pages, CRASH_KERNEL.physical)
}

function labelsOf(
  machine: Machine,
  text: ReadonlyMap<string, bigint>,
  reloc: ReadonlyMap<string, bigint>,
): ReadonlyMap<string, bigint> {
  const labels = new Map([...text, ...reloc, ...Object.entries(SHARED_SYMBOLS)])
  // What runs after the jump runs at its physical address.
  const moved = labels.get('kexec_identity')!
  for (const [name, address] of reloc) if (address >= moved) labels.set(name, address - RELOC.linear + RELOC.physical)
  labels.set('crash_kernel', CRASH_KERNEL.linear)
  labels.set('crash_kernel_32', CRASH_KERNEL_32)
  for (const { id } of machine.cpus) labels.set(`crash_note${id === 0 ? '' : `_${id}`}`, noteOf(id))
  return labels
}

function areasOf(machine: Machine): Boot['areas'] {
  const area = ({ linear, pages }: Mapping): MemoryArea => ({ address: linear, bytes: pages * PAGE_BYTES })
  return {
    host: [TEXT, DATA, RELOC, notes(machine.cpus.length)].map(area),
    kexec: [RELOC_STACK, CRASH_KERNEL].map(area),
  }
}

/** What is known of a crash on a CPU. */
function factsOf(cpu: Cpu): Readonly<Record<string, unknown>> {
  const { machine } = cpu
  return {
    get crash() {
      return {
        crashing: crashingCpu(machine) === cpu.id,
        contained: isContained(cpu),
        notShotDown: notShotDown(machine).join(),
        note: readCrashNote(machine, cpu.id)?.registers ?? null,
      }
    },
  }
}

/** An NMI goes to the callback, once there is one; and before, where nobody has asked for it, it may be the reason to crash. */
function exception(call: Call, vector: number): Outcome | null {
  const { machine, cpu } = call
  if (vector !== VECTOR_NMI || !isPlaced(machine)) return null
  const callback = readShared(machine, 'nmi_callback')
  if (callback !== 0n) {
    cpu.rip = callback
    return 'gone'
  }
  return readShared32(machine, 'fatal_nmi') === 0 ? null : panic(call, 'FATAL NMI')
}

/** Only a loaded image is a reason not to stop. */
function panicked({ machine }: Call): bigint | null {
  if (!isLoaded(machine)) return null
  return assembleCrashText(machine.cpu.mechanism!.name).labels.get('kexec_crash')!
}
