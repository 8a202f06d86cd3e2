// Systems with one fault each, and what is expected of a search: the invariants of which one at least must notice, or why the
// fault makes no difference.

import { writeMsr } from '@trapframe/core'
import { CONTAINMENTS } from '@trapframe/explore'
import { changed, fred, HANDLERS, idt } from './host.mjs'

const FRED_RSP0 = 0x1cc
const FRED_STKLVLS = 0x1d0
const IDT_FRAME = { rip: 0n, cs: 8n, flags: 16n, rsp: 24n, ss: 32n }
const FRED_FRAME = { rip: 8n, cs: 16n, flags: 24n, rsp: 32n, ss: 40n }

const edit = (from, to) => (source) => {
  if (!source.includes(from)) throw new Error(`the handler has no "${from}"`)
  return source.replace(from, to)
}
const idtHandler = (from, to) => edit(from, to)(HANDLERS.idt)
const fredHandler = (from, to) => edit(from, to)(HANDLERS.fred)

/** FRED or the IDT with a delivery that does something before and after. */
const delivering = (make, before, after) =>
  changed(make(), {
    mechanism: (mechanism) => ({
      ...mechanism,
      deliver(cpu, event) {
        const undo = before?.(cpu, event)
        try {
          mechanism.deliver(cpu, undo?.event ?? event)
        } finally {
          undo?.undo?.()
        }
        after?.(cpu, event)
      },
    }),
  })
const idtDelivers = (before, after) => ({ plugins: { idt: delivering(idt, before, after) } })
const fredDelivers = (before, after) => ({ plugins: { fred: delivering(fred, before, after) } })
const add = (cpu, at, delta) => cpu.space.write64(at, cpu.space.read64(at) + delta)
const msr = (cpu, index, value) => {
  const { slot } = cpu.machine.msrs.get(index)
  const before = cpu.get64(slot)
  cpu.set64(slot, value)
  return { undo: () => cpu.set64(slot, before) }
}
/** A word of memory as the delivery finds it. */
const word = (cpu, at, value) => {
  const before = cpu.space.read64(at)
  cpu.space.write64(at, value)
  return { undo: () => cpu.space.write64(at, before) }
}

const contained = (frozen) => ({
  name: 'stopped',
  setup: (host) =>
    host.add(CONTAINMENTS, 'stopped', {
      name: 'stopped',
      contained: (machine, { id }) => id === 1 && machine.space(0n).read64(0x13_0800n) !== 0n,
      allowed: () => (frozen ? [{ address: 0n, bytes: 2 ** 40 }] : []),
      frozen: () => (frozen ? [{ address: 0x50_0000n, bytes: 8 }] : []),
    }),
})

export const MUTANTS = [
  { id: 'idt', what: 'nothing', delivery: 'idt', expect: [], why: 'the system as it is' },
  { id: 'fred', what: 'nothing', delivery: 'fred', depth: 3, expect: [], why: 'the system as it is' },

  // The handler's way in and out, under the IDT.
  {
    id: 'idt-no-swapgs-in',
    what: 'no SWAPGS on the way in',
    delivery: 'idt',
    handler: idtHandler('swapgs\ninc ebx', 'nop'),
    expect: ['gs'],
  },
  {
    id: 'idt-no-swapgs-out',
    what: 'no SWAPGS on the way out',
    delivery: 'idt',
    handler: idtHandler('swapgs\nkeeps_base', 'keeps_base'),
    expect: ['no-escalation', 'return-identity'],
  },
  {
    id: 'idt-always-swapgs',
    what: 'SWAPGS whoever was interrupted',
    delivery: 'idt',
    handler: idtHandler('je has_base', 'nop'),
    expect: ['gs', 'return-identity'],
  },
  {
    id: 'idt-cs-swapgs',
    what: 'GS by the interrupted CPL: the gap before SWAPGS',
    delivery: 'idt',
    handler:
      'test byte [rsp+8], 3\njz 1f\nswapgs\n1: push rax\nmov rax, gs:[0]\npop rax\ntest byte [rsp+8], 3\njz 2f\nswapgs\n2: iretq'
        .replaceAll('1f', 'one')
        .replaceAll('2f', 'two')
        .replace('1:', 'one:')
        .replace('2:', 'two:'),
    expect: ['gs'],
  },
  {
    id: 'idt-rax-lost',
    what: 'RAX is not restored',
    delivery: 'idt',
    handler: idtHandler('pop rax\niretq', 'add rsp, 8\niretq'),
    expect: ['return-identity'],
  },
  {
    id: 'idt-swapped-pops',
    what: 'RAX and RBX are popped in the wrong order',
    delivery: 'idt',
    handler: idtHandler('pop rbx\npop rax', 'pop rax\npop rbx'),
    expect: ['return-identity'],
    after: (machine) => machine.cpu.setGpr(3, 7n),
  },
  {
    id: 'idt-r15-changed',
    what: 'R15 is changed and never saved',
    delivery: 'idt',
    handler: idtHandler('pop rbx', 'inc r15\npop rbx'),
    expect: ['return-identity'],
  },
  {
    id: 'idt-pop-missing',
    what: 'a POP is missing before IRETQ',
    delivery: 'idt',
    depth: 0,
    handler: idtHandler('pop rax\niretq', 'iretq'),
    expect: ['never ends', 'no-shutdown'],
  },
  {
    id: 'idt-red-zone',
    what: 'writes above its frame, into that of the interrupted handler',
    delivery: 'idt',
    depth: 1,
    handler: idtHandler('has_base: ', 'has_base: mov qword [rsp+0x48], 0\n'),
    expect: ['no-clobber', 'return-identity', 'no-shutdown'],
  },
  {
    id: 'idt-frame-rip',
    what: 'steps over the interrupted instruction',
    delivery: 'idt',
    handler: idtHandler('iretq', 'inc qword [rsp]\niretq'),
    expect: ['return-identity'],
  },
  {
    id: 'idt-frame-rsp',
    what: 'moves the interrupted RSP',
    delivery: 'idt',
    handler: idtHandler('iretq', 'add qword [rsp+24], 8\niretq'),
    expect: ['return-identity'],
  },
  {
    id: 'idt-frame-if',
    what: 'clears IF in the frame',
    delivery: 'idt',
    handler: idtHandler('iretq', 'and dword [rsp+16], 0xfffffdff\niretq'),
    expect: ['return-identity'],
  },
  {
    id: 'idt-kernel-rsp',
    what: 'returns to ring 3 with its own stack',
    delivery: 'idt',
    handler: idtHandler('iretq', 'test byte [rsp+8], 3\njz out\nmov [rsp+24], rsp\nout: iretq'),
    expect: ['no-escalation', 'return-identity'],
  },

  // The same under FRED.
  {
    id: 'fred-rbx-lost',
    what: 'RBX is changed and not restored',
    delivery: 'fred',
    handler: fredHandler('pop rbx', 'add rsp, 8'),
    expect: ['return-identity'],
    after: (machine) => machine.cpu.setGpr(3, 7n),
  },
  {
    id: 'fred-extra-swapgs',
    what: 'SWAPGS as under the IDT',
    delivery: 'fred',
    handler: fredHandler('mov rax, gs', 'swapgs\nmov rax, gs'),
    depth: 0,
    expect: ['no-shutdown'],
  },
  {
    id: 'fred-frame-rip',
    what: 'steps over the interrupted instruction',
    delivery: 'fred',
    handler: fredHandler('return', 'inc qword [rsp+8]\nreturn'),
    expect: ['return-identity'],
  },
  {
    id: 'fred-frame-flags',
    what: 'clears IF in the frame',
    delivery: 'fred',
    handler: fredHandler('return', 'and dword [rsp+24], 0xfffffdff\nreturn'),
    expect: ['return-identity'],
  },
  {
    id: 'fred-erets-for-eretu',
    what: 'ERETS to ring 3',
    delivery: 'fred',
    handler: fredHandler('return', 'erets'),
    expect: ['never ends', 'no-shutdown', 'good-stack', 'no-clobber', 'return-identity'],
  },
  {
    id: 'fred-kernel-rsp',
    what: 'returns to ring 3 with its own stack',
    delivery: 'fred',
    handler: fredHandler('return', 'mov [rsp+32], rsp\nreturn'),
    handler0: HANDLERS.fred,
    expect: ['no-escalation', 'return-identity'],
  },

  // Tables and registers that the host sets up.
  {
    id: 'idt-rsp0-guest',
    what: 'TSS.RSP0 is in the guest’s memory',
    delivery: 'idt',
    expect: ['good-stack', 'domain-isolation'],
    after: (_machine, boot, { space }) => void space.write64(boot.labels.get('tss') + 4n, 0x60_0000n),
  },
  {
    id: 'fred-rsp0-guest',
    what: 'FRED_RSP0 is in the guest’s memory',
    delivery: 'fred',
    expect: ['good-stack', 'domain-isolation'],
    after: (machine) => writeMsr(machine.cpu, FRED_RSP0, 0x60_0000n),
  },
  {
    id: 'fred-shared-stack',
    what: 'two CPUs have one ring 0 stack',
    delivery: 'fred',
    cpus: 2,
    depth: 0,
    expect: ['good-stack', 'no-clobber'],
    after: ({ cpus, msrs }) => cpus[1].set64(msrs.get(FRED_RSP0).slot, cpus[0].get64(msrs.get(FRED_RSP0).slot)),
  },
  {
    id: 'idt-no-handlers',
    what: 'the handlers’ page is not executable',
    delivery: 'idt',
    depth: 0,
    expect: ['no-shutdown', 'good-stack', 'no-clobber', 'never ends'],
    after: (_machine, boot, { space }) => void space.unmap(boot.labels.get('handler_0'), 9),
  },
  {
    id: 'domain-shared',
    what: 'ring 3 may write the host’s data',
    delivery: 'fred',
    program: 'mov qword [0x130100], 1\nend: nop',
    depth: 0,
    expect: ['domain-isolation'],
    after: (_machine, _boot, { space }) => void space.map(0x13_0000n, 7),
  },
  {
    id: 'contained-runs',
    what: 'a CPU that is said to be stopped runs on',
    delivery: 'fred',
    cpus: 2,
    depth: 0,
    extra: [contained(false)],
    expect: ['nmi-containment'],
    after: (_machine, _boot, { space }) => void space.write64(0x13_0800n, 1n),
  },
  {
    id: 'contained-written',
    what: 'somebody writes what a stopped CPU left',
    delivery: 'fred',
    cpus: 2,
    depth: 0,
    program: 'mov qword [0x500000], 1\nend: nop',
    extra: [contained(true)],
    expect: ['nmi-containment'],
    after: (_machine, _boot, { space }) => void space.write64(0x13_0800n, 1n),
  },

  // Delivery through the IDT.
  {
    id: 'idt-rip',
    what: 'the frame’s RIP is one too high',
    delivery: 'idt',
    ...idtDelivers(null, (cpu) => add(cpu, cpu.rsp + IDT_FRAME.rip, 1n)),
    expect: ['return-identity'],
  },
  {
    id: 'idt-rsp',
    what: 'the frame’s RSP is eight too low',
    delivery: 'idt',
    ...idtDelivers(null, (cpu) => add(cpu, cpu.rsp + IDT_FRAME.rsp, -8n)),
    expect: ['return-identity'],
  },
  {
    id: 'idt-no-switch',
    what: 'no stack switch from ring 3',
    delivery: 'idt',
    ...idtDelivers((cpu) => (cpu.cpl === 3 ? word(cpu, 0n + cpu.machine.tss + 4n, cpu.rsp) : undefined)),
    expect: ['good-stack', 'domain-isolation'],
    after: (machine, boot) => {
      machine.tss = boot.labels.get('tss')
    },
  },
  {
    id: 'idt-flags',
    what: 'the frame’s RFLAGS have IF clear',
    delivery: 'idt',
    ...idtDelivers(null, (cpu) =>
      cpu.space.write64(cpu.rsp + IDT_FRAME.flags, cpu.space.read64(cpu.rsp + IDT_FRAME.flags) & ~0x200n),
    ),
    expect: ['return-identity'],
  },

  // FRED itself.
  {
    id: 'fred-rip',
    what: 'the frame’s RIP is one too high',
    delivery: 'fred',
    ...fredDelivers(null, (cpu) => add(cpu, cpu.rsp + FRED_FRAME.rip, 1n)),
    expect: ['return-identity'],
  },
  {
    id: 'fred-rsp',
    what: 'the frame’s RSP is eight too low',
    delivery: 'fred',
    ...fredDelivers(null, (cpu) => add(cpu, cpu.rsp + FRED_FRAME.rsp, -8n)),
    expect: ['return-identity'],
  },
  {
    id: 'fred-no-switch',
    what: 'no stack switch from ring 3',
    delivery: 'fred',
    ...fredDelivers((cpu) => (cpu.cpl === 3 ? msr(cpu, FRED_RSP0, cpu.rsp & ~63n) : undefined)),
    expect: ['good-stack', 'domain-isolation'],
  },
  {
    id: 'fred-level-top',
    what: 'every delivery begins at the top of the stack of its level',
    delivery: 'fred',
    ...fredDelivers((cpu) => {
      if (cpu.cpl === 0) cpu.rsp = (cpu.rsp | 0xfffn) + 1n
    }),
    expect: ['no-clobber'],
  },
  {
    id: 'fred-no-swapgs',
    what: 'the GS base is not swapped on the way in',
    delivery: 'fred',
    ...fredDelivers((cpu) => ({ from: cpu.cpl }), null),
    after: (machine) =>
      machine.observe({
        delivered: (cpu) => {
          const base = cpu.gsBase
          if (base === 0x13_0000n && cpu.kernelGsBase === 0x50_0000n) {
            cpu.gsBase = cpu.kernelGsBase
            cpu.kernelGsBase = base
          }
        },
      }),
    expect: ['gs', 'return-identity', 'no-escalation'],
  },
  {
    id: 'fred-ssp',
    what: 'SSP is not set to the stack level’s',
    delivery: 'fred',
    request: { shadowStacks: true },
    ...fredDelivers(null, (cpu) => {
      cpu.ssp = 0x40_0000n
    }),
    expect: ['shadow-stack', 'no-shutdown'],
  },
  {
    id: 'F23-nested',
    what: 'F23: a first event counts as nested',
    delivery: 'fred',
    ...fredDelivers((_cpu, event) => ({ event: { ...event, nested: true } })),
    expect: ['fred-frame'],
  },
  {
    id: 'F23-level',
    what: 'F23: a first event takes its level from STKLVLS though it came from ring 3',
    delivery: 'fred',
    ...fredDelivers(
      (_cpu, event) => ({ event: { ...event, nested: true } }),
      (cpu) => cpu.space.write64(cpu.rsp + FRED_FRAME.ss, cpu.space.read64(cpu.rsp + FRED_FRAME.ss) & ~(1n << 58n)),
    ),
    expect: [],
    why: 'with a stack for each level a frame on a higher one is as good; what the frame says is right again',
  },
  {
    id: 'F24-canonical',
    what: 'F24: ERETU does not check that RIP is canonical',
    delivery: 'fred',
    handler: fredHandler('return', 'test byte [rsp+16], 3\njz out\nbts qword [rsp+8], 62\nout: return'),
    handler0: HANDLERS.fred,
    plugins: {
      fred: changed(fred(), {
        instructions: {
          eretu: () => (cpu) => {
            const at = cpu.rsp
            cpu.rip = cpu.space.read64(at + 8n)
            cpu.setCpl(3)
            cpu.rsp = cpu.space.read64(at + 32n)
            cpu.observer?.returned?.(cpu, 'eretu')
          },
        },
      }),
    },
    expect: ['canonical-return'],
  },
  {
    id: 'F24-type',
    what: 'F24: software interrupts are delivered with another type',
    delivery: 'fred',
    ...fredDelivers(null, (cpu, { type }) => type === 4 && add(cpu, cpu.rsp + FRED_FRAME.ss, 3n << 48n)),
    expect: ['fred-frame'],
  },
  {
    id: 'F24-vector',
    what: 'the frame says another vector',
    delivery: 'fred',
    ...fredDelivers(null, (cpu) => add(cpu, cpu.rsp + FRED_FRAME.ss, 1n << 32n)),
    expect: ['fred-frame'],
  },
  {
    id: 'F24-cs',
    what: 'F24: ERETU takes the interrupted privilege from elsewhere: ring 3 returns to ring 0',
    delivery: 'fred',
    ...fredDelivers(null, (cpu) =>
      cpu.space.write64(cpu.rsp + FRED_FRAME.cs, cpu.space.read64(cpu.rsp + FRED_FRAME.cs) & ~3n),
    ),
    expect: ['never ends', 'return-identity', 'no-shutdown', 'good-stack'],
  },
  {
    id: 'fred-no-levels',
    what: 'STKLVLS is ignored',
    delivery: 'fred',
    depth: 3,
    ...fredDelivers((cpu) => msr(cpu, FRED_STKLVLS, 0n)),
    expect: [],
    why: 'frames of one level lie below each other: levels are for stacks that may be bad, which this system has none of',
  },
]
