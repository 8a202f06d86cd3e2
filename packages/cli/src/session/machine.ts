import {
  type Boot,
  createMachine,
  HOSTS,
  type HostKind,
  type Machine,
  MachineError,
  type Plugin,
} from '@trapframe/core'
import { nearest, suggestion } from '../command/suggest.js'
import type { MachineSpec } from '../scenario/grammar.js'
import type { Path } from '../scenario/place.js'

/** A machine that cannot be had as asked, and which key of `machine` is to blame. */
export interface Refusal {
  readonly path: Path
  readonly at: 'key' | 'value'
  readonly message: string
  readonly hint?: string | undefined
}

/** A booted machine. */
export interface BootedMachine {
  readonly machine: Machine
  readonly boot: Boot
}

/** Makes a machine and boots its host; what stands in the way comes back as refusals, with the key that they are about. */
export function bootMachine(spec: MachineSpec, plugins: readonly Plugin[]): BootedMachine | readonly Refusal[] {
  let machine: Machine
  try {
    machine = createMachine({ cpu: spec.cpu, cpus: spec.cpus, plugins })
  } catch (error) {
    if (!(error instanceof MachineError)) throw error
    return [{ path: ['cpu'], at: 'value', message: error.message, hint: closer(error, spec.cpu) }]
  }
  const hosts = machine.contributions(HOSTS)
  const host = hosts.find(({ name }) => name === spec.host)?.value
  if (host === undefined) {
    const hint = suggestion(
      spec.host,
      hosts.map(({ name }) => name),
      'hosts',
    )
    return [{ path: ['host'], at: 'value', message: `unknown host "${spec.host}"`, hint }]
  }
  const refusals = [...checkRequest(spec, host)]
  if (refusals.length > 0) return refusals
  const { delivery, cmdline, revision } = spec
  const options = { ...plain(spec.options), ...(revision === undefined ? {} : { revision }) }
  let boot: Boot
  try {
    boot = machine.boot(spec.host, {
      ...(delivery === undefined ? {} : { delivery }),
      ...(cmdline === undefined ? {} : { cmdline }),
      options,
    })
  } catch (error) {
    if (!(error instanceof MachineError)) throw error
    return [{ path: blamed(error, spec), at: 'value', message: error.message, hint: error.hint }]
  }
  if (delivery !== undefined && boot.delivery !== delivery) {
    const message = `${delivery} was asked for, and the host chose ${boot.delivery}`
    return [{ path: ['delivery'], at: 'value', message, hint: boot.reasons.join('; ') }]
  }
  return { machine, boot }
}

/** What can be told from the host's description alone. */
function* checkRequest(spec: MachineSpec, host: HostKind): Generator<Refusal> {
  const { delivery, cmdline, revision, options } = spec
  if (delivery !== undefined && cmdline !== undefined) {
    const message = '"delivery" and "cmdline" both decide about delivery: one of them is too much'
    yield { path: ['cmdline'], at: 'key', message, hint: 'write the choice into the command line, or leave that out' }
  }
  if (delivery !== undefined && !host.deliveries.includes(delivery)) {
    const hint = suggestion(delivery, host.deliveries, 'deliveries')
    yield { path: ['delivery'], at: 'value', message: `host "${host.name}" has no delivery "${delivery}"`, hint }
  }
  const known = Object.keys(host.options)
  if (revision !== undefined && !known.includes('revision')) {
    yield { path: ['revision'], at: 'key', message: `host "${host.name}" has no revisions` }
  }
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue
    const message = `host "${host.name}" has no option "${option}"`
    yield { path: ['options', option], at: 'key', message, hint: suggestion(option, known, 'options') }
  }
}

/** YAML's integers as hosts take them. */
function plain(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, typeof value === 'bigint' ? Number(value) : value]),
  )
}

/** The key that a host's refusal is about, as far as its message tells. */
function blamed(error: MachineError, spec: MachineSpec): Path {
  const option = Object.keys(spec.options).find((name) => error.message.includes(`"${name}"`))
  if (option !== undefined) return ['options', option]
  if (/\bCPU\b|CPUID/.test(error.message)) return ['cpu']
  const keys = ['revision', 'cmdline', 'delivery', 'host'] as const
  return [keys.find((key) => spec[key] !== undefined && error.message.toLowerCase().includes(key)) ?? 'host']
}

/** A nearer hint than the list of all that is known. */
function closer(error: MachineError, written: string): string | undefined {
  const known = /^known are (.*)$/.exec(error.hint ?? '')?.[1]?.split(', ') ?? []
  const words = written.split(',').map((word) => word.trim().replace(/^[+-]/, ''))
  const unknown = words.find((word) => error.message.includes(`"${word}"`))
  const near = unknown === undefined ? undefined : nearest(unknown, known)
  return near === undefined ? error.hint : `did you mean "${near}"?`
}
