import type { CellRun, Step } from '../session/cell-run.js'
import type { Delivery, Standing } from '../session/delivery.js'
import { DELIVERY_VIEWS } from '../verbs/slots.js'
import { nearPlace, onOwnStack, plainPlace } from './places.js'

/** How a line of a report is meant. */
export type Tone = 'plain' | 'faint' | 'good' | 'bad' | 'warn'

export interface Line {
  readonly text: string
  readonly tone: Tone
}

/** A step that is worth a row of its own. Milestones of two runs with equal keys tell the same. */
export interface Milestone {
  readonly key: string
  readonly label: string
  readonly step: number
  readonly lines: readonly Line[]
  /** Nothing but the passing of an instruction. */
  readonly plain: boolean
  /** A host routine that may be folded away where the other run has none like it. */
  readonly minor: boolean
}

/** A stack pointer that moves further than a call or a frame is worth a word. */
const FAR = 128n

const line = (text: string, tone: Tone = 'plain'): Line => ({ text, tone })

/** The milestones of a run, in order. */
export function milestones(run: CellRun): Milestone[] {
  const found = run.history.flatMap((step) => milestone(step, run) ?? [])
  const last = found.findLast(({ key }) => key.includes(':routine:'))
  return found.map((one) => (one === last ? { ...one, minor: false } : one))
}

function milestone(step: Step, run: CellRun): Milestone | undefined {
  const whose = run.machine.cpus.length > 1 ? `CPU ${step.cpu}  ` : ''
  const make = (key: string, label: string, lines: readonly Line[], minor = false): Milestone => ({
    key: `${step.cpu}:${key}`,
    label: `${whose}${label}`,
    step: step.number,
    lines,
    plain: lines.length === 0,
    minor,
  })
  if (step.kind === 'idle') return step.injected.length === 0 ? undefined : make('idle', 'waits', [])
  if (step.kind === 'event') {
    const name = firstEvent(step)
    return make(`event:${name}`, `↯ ${name}`, arrivals(step, run))
  }
  if (step.line !== null) return make(`line:${step.line}`, step.text, effects(step, run))
  if (step.deliveries.length > 0 || step.faults.length > 0)
    return make(`at:${step.text}`, step.text || run.nameOf(step.before.rip), arrivals(step, run))
  if (step.returned !== null) {
    return make(`return:${step.after.cpl}`, 'return', [
      line(`${step.text} ${arrow(step.after, run)}`),
      ...stackLines(step, run),
    ])
  }
  if (step.routine !== null) {
    return make(`routine:${step.routine}`, step.routine, [line(`on ${nearPlace(run, step.after.rsp, step.cpu)}`)], true)
  }
  if (step.before.cpl !== step.after.cpl) {
    return make(`cpl:${step.after.cpl}`, step.text, [line(arrow(step.after, run)), ...stackLines(step, run)])
  }
  if (
    step.after.cpl === 0 &&
    !onOwnStack(run, step.before.rsp, step.cpu) &&
    onOwnStack(run, step.after.rsp, step.cpu)
  ) {
    const note = `RSP ${nearPlace(run, step.after.rsp, step.cpu)}: a stack at last`
    return make('stack', 'stack loaded', [line(note, 'good')])
  }
  return undefined
}

/** The event that the step began with, whatever became of its delivery. */
const firstEvent = ({ faults, deliveries }: Step): string =>
  faults.find(({ during }) => during !== null)?.during ?? deliveries[0]?.event ?? 'event'

/** What an instruction of the scenario's own program did. */
function effects(step: Step, run: CellRun): readonly Line[] {
  if (step.deliveries.length > 0 || step.faults.length > 0) return arrivals(step, run)
  if (step.before.cpl !== step.after.cpl || step.returned !== null) {
    return [line(arrow(step.after, run)), ...stackLines(step, run)]
  }
  const moved = step.after.rsp - step.before.rsp
  return moved > FAR || moved < -FAR ? [line(`RSP ${plainPlace(step.after.rsp)}`)] : []
}

/** Everything that a step delivered, and what went wrong on the way. */
function arrivals(step: Step, run: CellRun): Line[] {
  const lines: Line[] = []
  for (const { fault, errorCode, during } of step.faults) {
    const code = errorCode === 0 ? '' : ` (error code ${errorCode.toString(16)})`
    if (during !== null) lines.push(line(`${fault}${code} while delivering ${during} ✗`, 'bad'))
    else if (step.deliveries.length === 0) lines.push(line(`${fault}${code}`))
  }
  for (const delivery of step.deliveries) lines.push(...arrival(delivery, step, run))
  if (run.outcomes[step.cpu] === 'shutdown' && step.deliveries.length === 0) lines.push(line('shutdown ✗', 'bad'))
  return lines
}

function arrival(delivery: Delivery, step: Step, run: CellRun): Line[] {
  const { event, frame, stack, to, mechanism, errorCode, cpu } = delivery
  const named = step.faults.length > 0 ? `${event} ` : ''
  const own = frame.bytes === 0 || onOwnStack(run, frame.address + 1n, cpu)
  const where = nearPlace(run, frame.address, cpu, false).replace(' stack …', ' …')
  const from = frame.region === stack ? '' : `${stack ?? 'same stack'}: `
  const view = run.machine.contributions(DELIVERY_VIEWS).find(({ name }) => name === mechanism)?.value
  const notes = [
    ...(frame.fields === null ? [] : (view?.notes?.(frame.fields) ?? [])),
    ...(errorCode === null ? [] : [`error code ${errorCode.toString(16)}`]),
  ]
  return [
    line(`${named}${arrow(to, run)}`),
    line(`${from}${where}, ${frame.bytes}-byte frame${own ? '' : ' ✗'}`, own ? 'plain' : 'bad'),
    ...(notes.length === 0 ? [] : [line(notes.join(', '), 'faint')]),
  ]
}

/** Where RSP is after ring 0 was entered or left without a frame. */
function stackLines(step: Step, run: CellRun): Line[] {
  const { rsp, cpl } = step.after
  if (cpl === 3) return [line(`RSP ${plainPlace(rsp)}`)]
  if (onOwnStack(run, rsp, step.cpu)) return [line(`RSP ${nearPlace(run, rsp, step.cpu)}`)]
  const still = rsp === step.before.rsp ? 'still ' : ''
  const whose = run.regionOf(rsp - 1n, step.cpu)?.name === 'guest' ? "the guest's" : "nobody's stack"
  return [line(`RSP ${plainPlace(rsp)}, ${still}${whose} ✗`, 'bad')]
}

/** `→ entry_NMI  CPL 0  SL0`. */
function arrow({ rip, cpl, stackLevel }: Standing, run: CellRun): string {
  const level = stackLevel === null || cpl === 3 ? '' : `  SL${stackLevel}`
  return `→ ${run.nameOf(rip)}  CPL ${cpl}${level}`
}
