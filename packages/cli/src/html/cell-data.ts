import type { StackMap, StackRegion } from '@trapframe/core'
import type { Explanation } from '../explain/explanation.js'
import type { Followed } from '../follow/follow-scenario.js'
import { REGISTER_NAMES } from '../follow/registers.js'
import type { TrailStep } from '../follow/trail.js'
import type { CellSpec } from '../scenario/scenario.js'
import type { CellRun, Violation } from '../session/cell-run.js'
import type { Delivery } from '../session/delivery.js'
import { DELIVERY_VIEWS } from '../verbs/slots.js'
import type { CellData, ExplainedData, FrameData, MapData, RegionData, StepData } from './report-data.js'

const digits = (value: bigint): string => value.toString(16)

/** What the page is told about one cell. */
export function cellData(followed: Followed): CellData {
  const { cell, run, result, trail } = followed
  const violations = run.violations.map((violation) => ({
    invariant: violation.invariant,
    step: violation.step,
    message: violation.message,
    expected: expects(cell, violation),
  }))
  return {
    name: cell.name,
    setting: settingOf(followed),
    passed: result.passed,
    outcome: run.outcome,
    steps: run.steps,
    omitted: trail.omitted,
    expectations: result.expectations.map(({ verb, place, holds, expected, actual }) => ({
      verb,
      line: place.line,
      holds,
      expected,
      actual,
    })),
    violations,
    log: run.log.slice(-LOG_LINES),
    registers: REGISTER_NAMES,
    initial: trail.initial.map((values) => values.map(digits)),
    maps: trail.maps.map((map) => mapData(map, run)),
    initialMaps: trail.initialMaps,
    initialStrayed: trail.initialStrayed,
    frames: trail.deliveries.map((delivery) => frameData(delivery, run)),
    trail: stepsData(followed),
  }
}

/** Lines of the log that a page shows, the last ones. */
const LOG_LINES = 200

const expects = ({ expect }: CellSpec, { invariant }: Violation): boolean =>
  expect.some(({ verbs }) => verbs.some(({ name, value }) => name === 'violates' && [value].flat().includes(invariant)))

function settingOf({ cell, run }: Followed): string {
  const { cpu, host, cpus, options } = cell.machine
  const chosen = Object.entries({ ...options, ...cell.axes }).map(([name, value]) => `${name}: ${value}`)
  return [cpus === 1 ? cpu : `${cpu} × ${cpus}`, host, ...chosen, ...run.machine.model.notes].join(' · ')
}

function stepsData({ run, trail }: Followed): StepData[] {
  const registers = trail.initial.map((values) => [...values])
  const live: string[] = registers.map(() => '')
  const maps = [...trail.initialMaps]
  return [...trail.head, ...trail.tail].map((entry) => {
    const { step, map } = entry
    const { cpu } = step
    const before = registers[cpu]!
    const set = entry.registers.flatMap((value, n) => (value === before[n] ? [] : [[n, digits(value)] as const]))
    registers[cpu] = [...entry.registers]
    const frames = JSON.stringify(entry.live)
    const framesChanged = frames !== live[cpu] && !(frames === '[]' && live[cpu] === '')
    live[cpu] = frames
    const mapChanged = maps[cpu] !== map
    maps[cpu] = map
    return {
      ...stepData(entry, run),
      set,
      ...(framesChanged ? { live: entry.live } : {}),
      ...(mapChanged ? { map } : {}),
    }
  })
}

function stepData({ step, strayed, explanations }: TrailStep, run: CellRun): Omit<StepData, 'set'> {
  const { before, after, faults, deliveries, injected, returned, line } = step
  const moved = before.cpl !== after.cpl || deliveries.length > 0 || returned !== null
  const violated = run.violations.flatMap((violation, n) => (violation.step === step.number ? [n] : []))
  const isLast = step.number === run.steps || run.outcomes[step.cpu] === 'shutdown'
  return {
    n: step.number,
    cpu: step.cpu,
    kind: step.kind,
    text: step.kind === 'instruction' ? step.text || (step.routine ?? '') : '',
    from: run.nameOf(before.rip),
    ...(moved ? { to: run.nameOf(after.rip) } : {}),
    ...(line === null ? {} : { line }),
    ...(injected.length === 0 ? {} : { injected }),
    ...(faults.length === 0
      ? {}
      : {
          faults: faults.map(
            ({ fault, errorCode, during }) =>
              `${fault}(0x${errorCode.toString(16)})${during === null ? '' : ` while delivering ${during}`}`,
          ),
        }),
    ...(returned === null ? {} : { returned: true as const }),
    ...(deliveries.length === 0 ? {} : { pushed: deliveries.map(({ number }) => number - 1) }),
    ...(strayed === null ? {} : { strayed }),
    ...(explanations.length === 0 ? {} : { explained: explanations.map(explainedData) }),
    ...(violated.length === 0 ? {} : { violated }),
    ...(isLast && faults.some(({ during }) => during === '#DF') ? { shutdown: true as const } : {}),
  }
}

const LETTERS = { passed: 'p', done: 'd', failed: 'f', idle: 'i', unreached: 'u' } as const

function explainedData({ about, by, verdicts, words, fault }: Explanation): ExplainedData {
  return {
    about,
    by,
    verdicts: verdicts.map((verdict) => LETTERS[verdict]).join(''),
    words: [...words].sort(([a], [b]) => a - b),
    ...(fault === null ? {} : { fault }),
  }
}

function frameData({ event, mechanism, frame }: Delivery, run: CellRun): FrameData {
  const view = run.machine.contributions(DELIVERY_VIEWS).find(({ name }) => name === mechanism)?.value
  const rows = frame.fields === null ? [] : (view?.quadwords?.(frame.fields) ?? [])
  return {
    event,
    mechanism,
    address: digits(frame.address),
    bytes: frame.bytes,
    region: frame.region,
    fields: rows.map(([name, value, meaning = '']) => [
      name,
      digits(value),
      name === 'RIP' ? run.nameOf(value).replace(/^0x.*/, '') : meaning,
    ]),
  }
}

function mapData({ cpu, delivery, regions }: StackMap, { machine }: CellRun): MapData {
  const view = machine.contributions(DELIVERY_VIEWS).find(({ name }) => name === delivery)?.value
  return {
    cpu,
    delivery,
    levels: view?.stackLevel !== undefined,
    regions: [...regions].sort((a, b) => (a.address < b.address ? 1 : -1)).map(regionData),
  }
}

const ACCESS: Readonly<Record<string, string>> = { w: 'writable', u: 'user', x: 'executable', s: 'shadow' }

function regionData({ address, bytes, name, kind, attributes, pointers }: StackRegion): RegionData {
  const letters = [...(attributes ?? '')].map((letter) => ACCESS[letter] ?? letter).join(', ')
  return {
    address: digits(address),
    bytes,
    name,
    kind,
    access: attributes === null ? 'not mapped' : letters || 'read-only',
    pointers: pointers.map(({ source, use, value }) => [source, use, digits(value)]),
  }
}
