import { PAGE_WRITABLE } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { BUMP, CODE, FAULT, HALT, HANDLER, NOP, nmiTop, primaryTop, RETURN, STORE, toyMachine } from '../../test/toy.js'
import { DEBUG_EVENT, interruptEvent, NMI_EVENT, pageFaultEvent } from './event.js'
import type { SearchOptions } from './options.js'
import { search, searchAsync } from './search.js'

const END = CODE + 6n

/** Six instructions of ring 3 code, and a handler that returns at once. */
function program(options: Parameters<typeof toyMachine>[0] = {}, handler = [RETURN]) {
  const toy = toyMachine(options)
  toy.write(HANDLER, ...handler)
  const find = (more: SearchOptions = {}) =>
    search(toy.machine, toy.boot, { atEnd: ({ rip }) => rip === END, verify: true, ...more })
  return { ...toy, find }
}

describe('the state space', () => {
  it('without events a program is one line: as many steps as instructions, and one end', () => {
    const { find } = program()
    const { states, transitions, depth, complete, terminals, violations } = find({ straightLines: false })
    expect({ states, transitions, depth, complete }).toEqual({ states: 7, transitions: 6, depth: 6, complete: true })
    expect(terminals).toEqual({ shutdown: 0, halted: 0, end: 1 })
    expect(violations).toEqual([])
  })

  it('a straight line is judged step by step and remembered at its end only', () => {
    const { states, passed, transitions } = program().find()
    expect({ states, passed, transitions }).toEqual({ states: 2, passed: 5, transitions: 6 })
  })

  it('one event: every boundary is hit with it, those of the end included', () => {
    const { coverage } = program().find({ events: [DEBUG_EVENT] })
    expect(coverage.map(({ label, events }) => [label, events])).toEqual([
      ...['code', 'code+0x1', 'code+0x2', 'code+0x3', 'code+0x4', 'code+0x5', 'code+0x6'].map((at) => [at, ['#DB']]),
      ['handler', []],
    ])
  })

  it('in regions only: nowhere else, and a blocked event may wait from there', () => {
    const regions = [{ address: CODE + 2n, bytes: 1 }]
    const { coverage } = program().find({ events: [NMI_EVENT], regions })
    expect(coverage.filter(({ events }) => events.length > 0).map(({ label }) => label)).toEqual(['code+0x2'])
  })

  it('two CPUs: every interleaving of two lines of six steps is 49 states', () => {
    expect(program({ cpus: 2 }).find({ straightLines: false })).toMatchObject({ states: 49, transitions: 84 })
    // Where one CPU is at its end, what the other does is a straight line.
    expect(program({ cpus: 2 }).find()).toMatchObject({ states: 37, complete: true, terminals: { end: 1 } })
  })

  it('a loop ends the search: its states are known', () => {
    const { machine, boot, write } = toyMachine()
    write(CODE, FAULT)
    write(HANDLER, RETURN)
    for (const strategy of ['breadth-first', 'depth-first'] as const) {
      expect(search(machine, boot, { strategy })).toMatchObject({ complete: true, violations: [] })
    }
  })

  it('a halted machine is a terminal state, and an event wakes it', () => {
    const { machine, boot, write } = toyMachine()
    write(CODE, HALT, HALT)
    write(HANDLER, RETURN)
    const found = search(machine, boot, { events: [NMI_EVENT], deadStacks: true })
    expect(found.terminals).toEqual({ shutdown: 0, halted: 2, end: 0 })
    expect(found.complete).toBe(true)
  })

  it('#PF on a page happens to the instructions that touch it, and the page is back afterwards', () => {
    const toy = program()
    toy.write(CODE, NOP, STORE, NOP)
    toy.cpu.setGpr(0, 0x8_0000n)
    const found = toy.find({ events: [pageFaultEvent(0x8_0000n)], straightLines: false })
    expect(found.coverage.filter(({ label }) => label === 'handler')).toHaveLength(1)
    expect(found.complete).toBe(true)
    expect(toy.machine.space(0n).flagsAt(0x8_0000n)).not.toBe(0)
  })

  it('memory below a returned frame tells states apart unless it is said to be dead', () => {
    const options = { events: [interruptEvent(0x21)], maxEvents: 2, straightLines: false }
    const toy = program()
    toy.cpu.rflags |= 0x200n
    const alive = toy.find(options)
    const dead = toy.find({ ...options, deadStacks: true })
    // Seven boundaries, and for each what one event in it does: its handler's two states.
    expect(dead.states).toBeLessThan(alive.states / 3)
    expect(dead).toMatchObject({ complete: true, violations: [] })
  })
})

describe('violations', () => {
  /** NMI, an exception in its handler whose return unblocks NMIs, NMI again: the frame on the NMI stack is overwritten. */
  const REENTRY: SearchOptions = { events: [NMI_EVENT, DEBUG_EVENT], maxEvents: 3 }

  it('A1: finds NMI re-entry through the return of a nested handler, in the fewest events and steps', () => {
    const { violations, complete } = program().find({ ...REENTRY, invariants: ['no-clobber'] })
    expect(complete).toBe(true)
    expect(violations[0]).toMatchObject({ invariant: 'no-clobber', events: 3, steps: 4, label: 'handler' })
    expect(violations[0]!.path).toEqual([
      { step: 1, cpu: 0, event: 'NMI', happening: null, steps: 1, rip: CODE, label: 'code' },
      { step: 2, cpu: 0, event: '#DB', happening: null, steps: 2, rip: HANDLER, label: 'handler' },
      { step: 4, cpu: 0, event: 'NMI', happening: null, steps: 1, rip: HANDLER, label: 'handler' },
    ])
  })

  it('two events are not enough for it', () => {
    const found = program().find({ ...REENTRY, maxEvents: 2, invariants: ['no-clobber'] })
    expect(found).toMatchObject({ complete: true, violations: [] })
  })

  it('an NMI without a stack of its own nests well, and the search is complete without a violation', () => {
    const found = program({ ownNmiStack: false }).find({ ...REENTRY, deadStacks: true })
    expect(found).toMatchObject({ complete: true, violations: [] })
  })

  it('a path replays to the violation', () => {
    const toy = program()
    const [{ path }] = toy.find({ ...REENTRY, invariants: ['no-clobber'] }).violations as [never] as [
      { path: readonly { event: string | null; cpu: number; steps: number }[] },
    ]
    for (const { event, cpu, steps } of path) {
      if (event === 'NMI') NMI_EVENT.inject(toy.machine.cpus[cpu]!)
      if (event === '#DB') DEBUG_EVENT.inject(toy.machine.cpus[cpu]!)
      for (let n = 0; n < steps; n++) toy.machine.step(cpu)
    }
    expect(toy.cpu.rsp).toBe(nmiTop() - 24n)
  })

  it('every strategy and way of walking finds the same', () => {
    const shape = (options: SearchOptions, handler = [NOP, RETURN]) => {
      const { violations, complete, terminals } = program({}, handler).find({
        ...REENTRY,
        maxViolations: 100,
        ...options,
      })
      return { complete, terminals, violations: violations.map(({ path, message, ...rest }) => rest) }
    }
    const plain = shape({ straightLines: false })
    expect(plain.violations.length).toBeGreaterThan(0)
    expect(shape({})).toEqual(plain)
    const places = ({ violations }: typeof plain) =>
      new Set(violations.map(({ invariant, rip }) => `${invariant} ${rip}`))
    expect(places(shape({ strategy: 'depth-first' }))).toEqual(places(plain))
    expect(shape({ strategy: 'iterative-deepening' }).violations[0]).toMatchObject({ events: 3 })
  })

  it('what the model cannot do is a limit, not a success', () => {
    const { machine, boot, cpu } = toyMachine()
    // The first page of the stack is gone, so that #PF meets its own delivery until the CPU shuts down.
    machine.space(0n).unmap(primaryTop() - 0x1000n)
    cpu.rip = 0x9_0000n
    expect(search(machine, boot, { invariants: ['no-shutdown'] }).violations).toMatchObject([
      { invariant: 'no-shutdown', events: 0, steps: 1 },
    ])
  })
})

describe('budgets', () => {
  const events = [DEBUG_EVENT]

  it.each<[string, SearchOptions]>([
    ['states', { maxStates: 1 }],
    ['steps', { maxSteps: 3 }],
    ['time', { maxSeconds: 0 }],
    ['aborted', { signal: { aborted: true } }],
  ])('a search stopped by %s says so and tells what it knows', (reason, options) => {
    const { machine, boot, write } = toyMachine()
    write(HANDLER, RETURN)
    write(CODE, ...new Array<number>(2000).fill(BUMP))
    const atEnd = ({ rip }: { rip: bigint }) => rip === CODE + 2000n
    const found = search(machine, boot, { events, maxEvents: 2, atEnd, ...options })
    expect(found.stopped).toEqual([reason])
    expect(found.complete).toBe(false)
    expect(found.states).toBeGreaterThan(0)
  })

  it('violations: the first is enough where one is asked for', () => {
    const found = program().find({ events: [NMI_EVENT, DEBUG_EVENT], maxEvents: 4, maxViolations: 1 })
    expect(found.violations.length).toBeGreaterThan(0)
    expect(found.violations[0]).toMatchObject({ events: 3, steps: 4 })
  })

  it('numbers out of range are refused', () => {
    expect(() => program().find({ events, maxEvents: 1000 })).toThrow('maxEvents 1000 is not possible')
  })

  it('an asynchronous search can be aborted by a timer', async () => {
    const { machine, boot, write, cpu } = toyMachine()
    machine.space(0n).map(0x10_0000n, PAGE_WRITABLE)
    cpu.cpl = 3
    write(CODE, ...new Array<number>(4000).fill(BUMP))
    write(HANDLER, RETURN)
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 60)
    const found = await searchAsync(machine, boot, {
      events: [DEBUG_EVENT, interruptEvent(0x21)],
      maxEvents: 20,
      atEnd: ({ rip }) => rip === CODE + 4000n,
      signal: controller.signal,
    })
    expect(found.stopped).toEqual(['aborted'])
  })

  it('the machine is where it was', () => {
    const { machine, find } = program()
    const before = machine.snapshot()
    find({ events, maxEvents: 2 })
    expect(machine.equals(before)).toBe(true)
  })
})
