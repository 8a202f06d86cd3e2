// Takes single instructions out of the entry and exit code of hosts, as it lies in memory after their boot, and searches what
// is left: each such mutant must be caught, or be known to make no difference, by the table of .ci/entry-mutants. Works on
// the built packages: run `pnpm build` first.
//
//   node .ci/entry-mutants.mjs [--host xen] [--delivery fred] [--only TEXT] [--verbose] [--without ORACLE,…]
//
// A mutant is one instruction replaced by a NOP of its length, or one conditional jump with its condition inverted. It is
// searched with each program that comes to the instruction, with no event and then with one event at every boundary. Caught
// is one that breaks an invariant, that the model cannot go on with, that does not end, that tells a C function something
// else than the unmutated host does, or that ends otherwise. `--without` leaves out some of the oracles of
// .ci/entry-mutants/judge.mjs, to see what the others are good for.
import { parseArgs } from 'node:util'
import { instructionsOf, mutantsOf, nameOf } from './entry-mutants/code.mjs'
import { EQUIVALENT } from './entry-mutants/equivalent.mjs'
import { Judged } from './entry-mutants/judge.mjs'
import { bootSystem, enterProgram, rangesOf, SYSTEMS } from './entry-mutants/systems.mjs'

const { values } = parseArgs({
  options: {
    host: { type: 'string' },
    delivery: { type: 'string' },
    only: { type: 'string', default: '' },
    without: { type: 'string', default: '' },
    verbose: { type: 'boolean', default: false },
  },
})

/** What a mutant may take beyond what the unmutated host does; a search that uses it up does not end. */
const MORE_STEPS = 200
const MORE_STATES = 4
const MOST_SECONDS = 60

const began = performance.now()
const EXPLANATIONS = explanations()
const searched = new Set()
let failures = 0
const all = { mutants: 0, caught: 0, equivalent: 0 }
for (const system of SYSTEMS) {
  if ((values.host ?? system.host) !== system.host || (values.delivery ?? system.delivery) !== system.delivery) continue
  searched.add(system.id)
  const since = performance.now()
  report(system, mutate(system), since)
}
if (values.only === '' && values.without === '') {
  for (const { system, place, instruction, how, used, caught } of EXPLANATIONS) {
    if (!searched.has(system) || (used && caught === null)) continue
    console.log(
      `STALE: ${system}, ${place}, ${instruction}, ${how}: ${caught === null ? 'no such survivor' : `caught at ${caught}`}`,
    )
    failures++
  }
}
console.log(
  `${all.mutants} mutants, ${all.caught} caught, ${all.equivalent} equivalent, ${failures} not as expected; ${((performance.now() - began) / 1000).toFixed(1)} s`,
)
process.exitCode = failures > 0 ? 1 : 0

/** Every mutant of a host, with what caught it: null for nothing. */
function mutate(system) {
  const booted = bootSystem(system)
  const { machine, boot } = booted
  const found = rangesOf(booted, system).flatMap((range) => instructionsOf(machine, boot.labels, range))
  // NOPs are there for alignment.
  const instructions = found.filter(({ mnemonic, text }) => mnemonic !== 'nop' && (system.only?.test(text) ?? true))
  for (const { from, to } of rangesOf(booted, system)) {
    machine.ignoreInHash(machine.space(0n).physicalAt(from), Number(to - from))
  }
  const start = machine.snapshot()
  const programs = system.programs.map((program) => {
    machine.restore(start)
    const judged = new Judged(booted, enterProgram(booted, system, program), values.without.split(','))
    return { judged, start: machine.snapshot(), ...unmutated(judged, program) }
  })
  const mutants = instructions.flatMap(mutantsOf).filter((mutant) => nameOf(mutant).includes(values.only))
  return {
    instructions: instructions.length,
    mutants: mutants.map((mutant) => ({ mutant, ...tryOut(machine, mutant, programs) })),
  }
}

/** What a program does on the host as it is: without an event, and with one. */
function unmutated(judged, { name }) {
  const levels = [...new Set([0, judged.mostEvents])].map((events) => {
    const run = judged.run(events, null)
    const { complete, violations, limits, stopped } = run.result
    if (!complete || violations.length > 0) {
      const why = [...violations, ...limits].map(({ message }) => message)
      throw new Error(`the unmutated host does not get through "${name}": ${why.join('; ')} ${stopped.join()}`)
    }
    return { ...run, events, reached: new Set(run.result.coverage.map(({ rip }) => rip)) }
  })
  return { name, levels }
}

/** Searches a mutant with the programs that come to its instruction, those that come there without an event first. */
function tryOut(machine, { insn, bytes }, programs) {
  let reached = false
  for (const depth of [0, 1]) {
    for (const { name, judged, start, levels } of programs) {
      const level = levels[depth]
      if (level === undefined || !level.reached.has(insn.address)) continue
      reached = true
      machine.restore(start)
      machine.space(0n).write(insn.address, bytes)
      const by = judgedBy(judged, level)
      if (by !== null) return { reached, by: by.oracle, how: `${by.what}, ${name}, ${level.events} events` }
    }
  }
  return { reached, by: null, how: '' }
}

function judgedBy(judged, level) {
  const { result, seen, problem } = judged.run(level.events, level, {
    maxSteps: level.result.depth + MORE_STEPS,
    maxStates: MORE_STATES * level.result.states + 1000,
    maxSeconds: MOST_SECONDS,
  })
  const [violation] = result.violations
  if (violation !== undefined) return { oracle: violation.invariant, what: violation.message }
  if (problem !== null) return problem
  if (result.limits.length > 0) return { oracle: 'model', what: result.limits[0].message }
  if (!result.complete) return { oracle: 'never-ends', what: result.stopped.join() }
  for (const [key, oracle] of level.seen) if (!seen.has(key)) return { oracle, what: `nothing that is ${key}` }
  return null
}

function report({ id }, { instructions, mutants }, since) {
  const by = new Map()
  const open = []
  let equivalent = 0
  for (const { mutant, by: oracle, how, reached } of mutants) {
    const text = nameOf(mutant)
    if (oracle !== null) by.set(oracle, (by.get(oracle) ?? 0) + 1)
    const known = EXPLANATIONS.filter((entry) => explains(entry, id, mutant))
    for (const entry of known) {
      if (oracle === null) entry.used = true
      else entry.caught = text
    }
    if (oracle === null && known.length > 0) equivalent++
    else if (oracle === null) open.push(`${text}${reached ? '' : ' (no program comes here)'}`)
    if (values.verbose)
      console.log(`  ${text}: ${oracle ?? known[0]?.why ?? 'NOTHING'}${how === '' ? '' : `: ${how.slice(0, 160)}`}`)
  }
  failures += open.length
  const seconds = ((performance.now() - since) / 1000).toFixed(1)
  const caught = mutants.length - open.length - equivalent
  all.mutants += mutants.length
  all.caught += caught
  all.equivalent += equivalent
  const counts = [...by].sort(([, a], [, b]) => b - a).map(([oracle, n]) => `${oracle} ${n}`)
  console.log(
    `${id}: ${instructions} instructions, ${mutants.length} mutants, ${caught} caught, ${equivalent} equivalent; ${seconds} s`,
  )
  console.log(`  caught by ${counts.join(', ')}`)
  for (const text of open) console.log(`  SURVIVED: ${text}`)
}

/** Whether an explanation is about a mutant. */
function explains({ system, place, instruction, how }, id, { insn, how: made }) {
  const { label, offset, text } = insn
  if (system !== id || how !== made || instruction !== text) return false
  return place === label || place === `${label}+0x${offset.toString(16)}`
}

/** The table, an entry for each place of each host. */
function explanations() {
  return EQUIVALENT.flatMap(({ systems, places, mutants, why }) =>
    systems.split(' ').flatMap((system) =>
      places.split(' ').flatMap((place) =>
        mutants.map((mutant) => {
          const [instruction, how] = mutant.split(': ')
          return { system, place, instruction, how, why, used: false, caught: null }
        }),
      ),
    ),
  )
}
