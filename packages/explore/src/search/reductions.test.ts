import { definePlugin, UserError } from '@trapframe/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BUMP, CODE, FAULT, HALT, HANDLER, NOP, RETURN, STORE, toyMachine } from '../../test/toy.js'
import { REDUCTIONS } from '../reduction/reduction.js'
import type { SearchCheckpoint } from './checkpoint.js'
import { NMI_EVENT } from './event.js'
import { interruptedContexts } from './interrupted-context.js'
import type { SearchOptions } from './options.js'
import type { SearchResult } from './result.js'
import { search } from './search.js'

/** Where CPU `id` runs its own program. */
const codeOf = (id: number): bigint => CODE + BigInt(id) * 16n
const LOCAL = [NOP, BUMP]

/** Two CPUs with a program each; STORE writes RBX, which BUMP counts up, to one place that both share. */
function twoCpus(programs: readonly (readonly number[])[], handler: readonly number[]) {
  const toy = toyMachine({ cpus: 2 })
  toy.write(HANDLER, ...handler)
  for (const cpu of toy.machine.cpus) {
    toy.write(codeOf(cpu.id), ...programs[cpu.id]!)
    cpu.rip = codeOf(cpu.id)
    cpu.setGpr(0, 0x8_0000n)
  }
  return (options: SearchOptions): SearchResult =>
    search(toy.machine, toy.boot, {
      atEnd: ({ id, rip }) => rip === codeOf(id) + BigInt(programs[id]!.length),
      maxViolations: 10_000,
      deadStacks: true,
      ...options,
    })
}

const found = ({ violations }: SearchResult) =>
  new Set(violations.map(({ invariant, cpu, rip, events }) => `${invariant} ${cpu} ${rip} ${events}`))

describe('a CPU that is alone (docs/explore-reductions.md)', () => {
  const instruction = fc.constantFrom(NOP, BUMP, STORE)
  const program = fc.array(instruction, { minLength: 1, maxLength: 4 })

  it('random programs: with local instructions alone, the same violations and the same ends as all interleavings', () => {
    fc.assert(
      fc.property(program, program, fc.constantFrom([RETURN], [BUMP, RETURN]), (first, second, handler) => {
        const programs = [first, second]
        const run = twoCpus(programs, handler)
        const options: SearchOptions = { events: [NMI_EVENT], maxEvents: 2 }
        const full = run(options)
        const reduced = run({
          ...options,
          alone: {
            // Local code of its own program; what an NMI does to it there touches its own stack alone.
            cpu: ({ id, rip }) => LOCAL.includes(programs[id]![Number(rip - codeOf(id))] ?? STORE),
            concerns: () => false,
          },
        })
        expect(reduced.complete && full.complete).toBe(true)
        expect(found(reduced)).toEqual(found(full))
        expect(reduced.terminals).toEqual(full.terminals)
        expect(reduced.states).toBeLessThanOrEqual(full.states)
      }),
      { numRuns: 12 },
    )
  })

  it('two CPUs with twelve local instructions each: a line instead of a square', () => {
    const line = new Array<number>(12).fill(NOP)
    const run = twoCpus([line, line], [RETURN])
    const alone = { cpu: () => true, concerns: () => false }
    expect(run({ straightLines: false }).states).toBe(13 * 13)
    expect(run({ straightLines: false, alone }).states).toBe(25)
  })
})

describe('interchangeable CPUs', () => {
  /** Both CPUs run one program from one place, with nothing of their own. */
  function same(program: readonly number[]) {
    const toy = toyMachine({ cpus: 2 })
    toy.write(CODE, ...program)
    toy.write(HANDLER, RETURN)
    for (const cpu of toy.machine.cpus) cpu.setGpr(0, 0x8_0000n)
    return (interchangeable: SearchOptions['interchangeable']) =>
      search(toy.machine, toy.boot, {
        atEnd: ({ rip }) => rip === CODE + BigInt(program.length),
        straightLines: false,
        maxSteps: 30,
        maxViolations: 10_000,
        ...(interchangeable === undefined ? {} : { interchangeable }),
      })
  }

  it('random programs: the same violations but for who breaks them, and fewer states', () => {
    const instruction = fc.constantFrom(NOP, BUMP, STORE)
    fc.assert(
      fc.property(fc.array(instruction, { minLength: 1, maxLength: 7 }), fc.boolean(), (program, breaks) => {
        const run = same(breaks ? [...program, FAULT] : program)
        const full = run(undefined)
        const reduced = run([[0, 1]])
        const places = ({ violations }: SearchResult) =>
          new Set(violations.map(({ invariant, rip, steps }) => `${invariant} ${rip} ${steps}`))
        expect(places(reduced)).toEqual(places(full))
        expect(Math.sign(reduced.terminals.end)).toBe(Math.sign(full.terminals.end))
        expect(reduced.states).toBeLessThan(full.states)
      }),
      { numRuns: 12 },
    )
  })

  it('two CPUs with six instructions each: the triangle of the square', () => {
    const run = same(new Array<number>(6).fill(NOP))
    expect([run(undefined).states, run([[0, 1]]).states]).toEqual([49, 28])
  })
})

describe('dead stacks', () => {
  it('what a returned handler left on its shadow stack tells states apart no more than what it left on its stack', () => {
    const states = (shadowStacks: boolean, deadStacks: boolean): number => {
      const toy = toyMachine({ shadowStacks })
      toy.write(HANDLER, NOP, RETURN)
      const atEnd: SearchOptions['atEnd'] = ({ rip }) => rip === CODE + 6n
      const options = { events: [NMI_EVENT], maxEvents: 2, straightLines: false, atEnd, deadStacks }
      const found = search(toy.machine, toy.boot, options)
      expect(found).toMatchObject({ complete: true, violations: [] })
      return found.states
    }
    expect(states(true, true)).toBe(states(false, true))
    expect(states(true, true)).toBeLessThan(states(true, false))
  })
})

describe('a CPU that never goes back to what it was interrupted in', () => {
  /** An NMI at any of six boundaries, and a handler that forgets what it interrupted at its second instruction. */
  function stopped(handler: readonly number[], forgets: boolean) {
    const toy = toyMachine({ shadowStacks: true })
    toy.write(HANDLER, ...handler)
    toy.cpu.setGpr(BUMPED, 0n)
    const clear = interruptedContexts(toy.machine, toy.boot)
    return search(toy.machine, toy.boot, {
      events: [NMI_EVENT],
      atEnd: ({ rip }) => rip === CODE + 5n,
      ...(forgets ? { forget: (cpu) => void (cpu.rip === HANDLER + 1n && clear(cpu, [])) } : {}),
    })
  }
  const BUMPED = 3

  it('ends in one state instead of one for each place that was interrupted', () => {
    expect(stopped([BUMP, NOP, HALT], false).terminals).toMatchObject({ halted: 6 })
    expect(stopped([BUMP, NOP, HALT], true)).toMatchObject({
      terminals: { halted: 1 },
      complete: true,
      violations: [],
    })
  })

  it('is noticed when it does go back', () => {
    expect(stopped([BUMP, RETURN], false)).toMatchObject({ violations: [{ invariant: 'return-identity' }] })
    const { violations } = stopped([NOP, RETURN], true)
    expect(violations.map(({ invariant }) => invariant)).toContain('return-identity')
    expect(stopped([NOP, RETURN], false).violations).toEqual([])
  })
})

describe('a reduction that a plugin knows of', () => {
  /** Twelve local instructions on each of two CPUs, and a plugin that says so. */
  function local() {
    const promise = {
      name: 'local',
      summary: 'all is local',
      alone: () => ({ cpu: () => true, concerns: () => false }),
    }
    const plugin = definePlugin({
      name: 'local',
      requires: ['explore'],
      setup: (host) => host.add(REDUCTIONS, promise.name, promise),
    })
    const toy = toyMachine({ cpus: 2, plugins: [plugin] })
    return (options: SearchOptions) =>
      search(toy.machine, toy.boot, {
        atEnd: ({ rip }) => rip === CODE + 12n,
        straightLines: false,
        ...options,
      })
  }

  it('is used by its name, and by nobody who does not name it', () => {
    const run = local()
    expect([run({}).states, run({ reductions: ['local'] }).states]).toEqual([13 * 13, 25])
  })

  it('is part of what a search is: its checkpoint is refused by a search that leaves nothing out', () => {
    const run = local()
    let saved: SearchCheckpoint | undefined
    const checkpoint = { everySeconds: 0, save: (one: SearchCheckpoint) => void (saved ??= one) }
    run({ checkpoint, maxStates: 30 })
    expect(saved).toBeDefined()
    const resume = saved!
    expect(run({ resume })).toMatchObject({ complete: true, states: 13 * 13 })
    expect(() => run({ resume, reductions: ['local'] })).toThrow(UserError)
  })
})
