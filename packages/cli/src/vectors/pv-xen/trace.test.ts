import { fileURLToPath } from 'node:url'
import { createMachine, type Machine } from '@trapframe/core'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { ANCHORS, entryPointAt } from '@trapframe/pv'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Vector } from '../format.js'
import { readVectors } from '../read.js'
import { pvXenFormat } from './format.js'
import { describe as inAnchors } from './number.js'

const FILE = fileURLToPath(new URL('../../../../../conformance/pv-xen.jsonl.gz', import.meta.url))

/** What an experiment runs through from its first instruction to the first entry into the guest's kernel. */
interface Path {
  /** Guest instructions, fetched in ring 3. */
  readonly code: string
  /** Events as the CPU delivered them, type/vector, and Xen's C functions that saw them. */
  readonly idt: string
  readonly fred: string
  /** Where the guest's kernel is entered. */
  readonly entry: string
}

/** One experiment of each group. SYSCALL and SYSENTER are events only under FRED. */
const PATHS: Readonly<Record<string, Path>> = {
  'exc/int3-66/user': { code: 'int3', idt: '6/3 do_int3', fred: '6/3 do_int3', entry: 'handler:0x3' },
  'int/01-dpl3/user': {
    code: 'int',
    idt: '3/13 do_general_protection',
    fred: '4/1',
    entry: 'handler:0x1',
  },
  'flags/ud2-df/user': { code: 'ud2', idt: '3/6 do_invalid_op', fred: '3/6 do_invalid_op', entry: 'handler:0x6' },
  'frame/kstack-minus-1': { code: 'ud2', idt: '3/6 do_invalid_op', fred: '3/6 do_invalid_op', entry: 'handler:0x6' },
  'syscall/cb-mask/user': { code: 'syscall', idt: 'do_syscall', fred: '7/1 do_syscall', entry: 'handler:syscall' },
  'sysenter/none/user': { code: 'sysenter', idt: 'do_sysenter', fred: '7/2 do_sysenter', entry: 'handler:0xd' },
  'db/tf-first/user': { code: 'nop', idt: '3/1 do_debug', fred: '3/1 do_debug', entry: 'handler:0x1' },
  'iret/flags-nt-plain/user': {
    code: 'pushf pop mov mov int',
    idt: '3/13 do_general_protection',
    fred: '4/241',
    entry: 'handler:0xf1',
  },
  'evt/unmask-then-hypercall/kernel': {
    code: 'mov syscall',
    idt: 'do_syscall do_xen_version',
    fred: '7/1 do_syscall do_xen_version',
    entry: 'handler:event',
  },
  'gs/read/user': { code: 'mov int', idt: '3/13 do_general_protection', fred: '4/241', entry: 'handler:0xf1' },
  'desc/code64-dpl0': { code: 'nop int', idt: '3/13 do_general_protection', fred: '4/241', entry: 'handler:0xf1' },
  'callgate/lcall-gdt-dpl0/user': {
    code: 'mov mov callf',
    idt: '3/13 do_general_protection',
    fred: '3/13 do_general_protection',
    entry: 'handler:0xd',
  },
  'hcall/stack-switch-noncanon': {
    code: 'nop int',
    idt: '3/13 do_general_protection',
    fred: '4/241',
    entry: 'handler:0xf1',
  },
  'crash/null-entry-6/user': {
    code: 'ud2',
    idt: '3/6 do_invalid_op',
    fred: '3/6 do_invalid_op',
    entry: 'domain crash',
  },
}

const vectors = new Map<string, Vector>()
beforeAll(() => {
  for (const vector of readVectors(FILE, [pvXenFormat])) vectors.set(vector.id, vector)
})

/** Entry and exit code's own functions, which every event passes. */
const EVERY = ['pv_async_event', 'pv_sync_event', 'test_guest_events']

function follow(machine: Machine, vector: Vector, delivery: string): { path: string[]; mechanisms: Set<string> } {
  const code: string[] = []
  const seen: string[] = []
  const mechanisms = new Set<string>()
  let state: 'before' | 'on' | 'over' = 'before'
  let entry = 'none'
  const stop = machine.observe({
    instruction(cpu, { mnemonic }) {
      if (cpu.cpl !== 3 || state === 'over' || cpu.rip >> 12n !== ANCHORS.code >> 12n) return
      state = 'on'
      code.push(mnemonic)
    },
    delivered(_, { type, vector: n }, mechanism) {
      mechanisms.add(mechanism)
      if (state === 'on') seen.push(`${type}/${n}`)
    },
    dispatched(_, name) {
      if (state === 'on' && !EVERY.includes(name)) seen.push(name)
    },
    returned(cpu) {
      if (state !== 'on' || cpu.cpl !== 3 || entryPointAt(cpu.rip) === null) return
      entry = inAnchors(cpu.rip)
      state = 'over'
    },
    log(_, text) {
      if (state !== 'on' || !text.includes('domain crash')) return
      entry = 'domain crash'
      state = 'over'
    },
  })
  expect(vector.play(machine), `${vector.id} under ${delivery}`).toBeNull()
  stop()
  return { path: [code.join(' '), seen.join(' '), entry], mechanisms }
}

describe.each(['idt', 'fred'] as const)('experiments under %s run on the machine (P1)', (delivery) => {
  let machine: Machine
  beforeAll(() => {
    const { cpu, host } = vectors.get(`exc/int3-66/user@${delivery}@intel`)!
    machine = createMachine({ cpu, plugins: [isa(), idt(), ...host!.plugins()] })
  })

  test.each(Object.keys(PATHS))('%s: guest bytes in ring 3, the event, Xen’s functions, the guest’s kernel', (id) => {
    const vector = vectors.get(`${id}@${delivery}@intel`)!
    const { path, mechanisms } = follow(machine, vector, delivery)
    const { code, entry, [delivery]: events } = PATHS[id]!
    expect(path).toEqual([code, events, entry])
    expect([...mechanisms]).toEqual([delivery])
  })
})
