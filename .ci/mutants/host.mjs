// The small system that mutants are made of: a flat host whose handlers save registers, use memory through GS and return, a
// ring 3 program that is interrupted, and two invariants of FRED's frames. Correct as it is: a search finds nothing.
import { createMachine, definePlugin, HOSTS, MECHANISMS, PAGE_USER, PAGE_WRITABLE } from '@trapframe/core'
import { DEBUG_EVENT, explore, INVARIANTS, interruptEvent, NMI_EVENT, search } from '@trapframe/explore'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { assemble, isa } from '@trapframe/isa'

const CR4 = 110
const FSGSBASE = 1n << 16n

/** The handler of every event: under the IDT it finds out by itself whose GS base it has. */
export const HANDLERS = {
  idt: `push rax
push rbx
rdgsbase rax
xor ebx, ebx
cmp rax, 0x130000
je has_base
swapgs
inc ebx
has_base: mov rax, gs:[0]
test ebx, ebx
jz keeps_base
swapgs
keeps_base: pop rbx
pop rax
iretq`,
  fred: `push rax
push rbx
mov rax, gs:[0]
mov rbx, rax
pop rbx
pop rax
return`,
}
export const PROGRAM = 'inc rcx\nint 0x80\ninc rcx\nend: nop'

const HANDLED = [1, 2, 3, 6, 13, 14, 0x21, 0x80]

/** The same plugin, with what it contributes changed: `mechanism` and `instructions` get a value and return another. */
export function changed(plugin, { mechanism, instructions = {} }) {
  return {
    ...plugin,
    setup: (host) =>
      plugin.setup({
        ...host,
        add: (slot, name, value, options) =>
          host.add(slot, name, slot === MECHANISMS && mechanism ? mechanism(value) : value, options),
        instructions: {
          define: (definition) => {
            const change = instructions[definition.mnemonic]
            host.instructions.define(change ? { ...definition, execute: change(definition.execute) } : definition)
          },
        },
      }),
  }
}

/** What FRED's frame says about its event is what happened; no return leads to an address that is none. */
const frames = definePlugin({
  name: 'fred-frames',
  setup(host) {
    host.add(INVARIANTS, 'fred-frame', {
      name: 'fred-frame',
      summary: 'vector, type and nested bit of a FRED frame are those of its event',
      check({ cpu, boot, delivered }) {
        if (boot.delivery !== 'fred') return null
        for (const { address, event } of delivered) {
          const info = cpu.space.read64(address + 40n)
          const says = [Number((info >> 32n) & 0xffn), Number((info >> 48n) & 0xfn), ((info >> 58n) & 1n) === 1n]
          if (says[0] === event.vector && says[1] === event.type && says[2] === event.nested) continue
          return { invariant: 'fred-frame', message: `the frame says ${says.join(' ')}`, cpu: cpu.id }
        }
        return null
      },
    })
    host.add(INVARIANTS, 'canonical-return', {
      name: 'canonical-return',
      summary: 'no handler returns to a RIP that is not canonical',
      check({ cpu, returned }) {
        const high = cpu.rip >> 47n
        if (returned === null || high === 0n || high === 0x1ffffn) return null
        return { invariant: 'canonical-return', message: `returned to ${cpu.rip.toString(16)}`, cpu: cpu.id }
      },
    })
  },
})

/** Builds the system of a mutant and searches it. */
export function searchMutant(mutant) {
  const { delivery, cpus = 1, plugins = {}, extra = [], request = {}, program = PROGRAM, after, depth = 2 } = mutant
  const machine = createMachine({
    cpu: 'panther-lake',
    cpus,
    plugins: [isa(), plugins.idt ?? idt(), plugins.fred ?? fred(), frames, ...extra, explore()],
  })
  const boot = machine.boot(`flat-${delivery}`, { options: delivery === 'idt' ? { ist: false, ...request } : request })
  const space = machine.space(0n)
  for (const cpu of machine.cpus) cpu.setControl(CR4, cpu.cr4 | FSGSBASE)
  const code = boot.labels.get('host')
  const write = (at, source) => space.write(at, assemble(source, { origin: at }).bytes)
  if (delivery === 'idt') {
    write(code, mutant.handler ?? HANDLERS.idt)
    for (const vector of HANDLED) write(boot.labels.get(`handler_${vector}`), `jmp ${code}`)
  } else {
    const handler = mutant.handler ?? HANDLERS.fred
    const from0 = code + 0x800n
    write(code, handler.replace('return', 'eretu'))
    write(from0, (mutant.handler0 ?? handler).replace('return', 'erets'))
    write(boot.labels.get('entry_ring3'), `jmp ${code}`)
    write(boot.labels.get('entry_ring0'), `jmp ${from0}`)
  }
  const { guest } = boot.sites
  const assembled = assemble(program, { origin: guest.origin })
  space.write(guest.origin, assembled.bytes)
  for (const cpu of machine.cpus) guest.enter(cpu)
  after?.(machine, boot, { write, code, space })
  const end = assembled.labels.get('end')
  return search(machine, boot, {
    events: [NMI_EVENT, DEBUG_EVENT, interruptEvent(0x21)],
    maxEvents: depth,
    deadStacks: true,
    maxStates: 50_000,
    maxSeconds: 10,
    atEnd: ({ rip }) => rip === end,
  })
}

export { definePlugin, fred, HOSTS, idt, PAGE_USER, PAGE_WRITABLE }
