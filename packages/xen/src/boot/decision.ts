import type { CommandLine } from './command-line.js'

/** Which Xen: as the RFC describes it, or as its own sources had it in 2026. */
export const REVISIONS = ['rfc', 'upstream'] as const
export type Revision = (typeof REVISIONS)[number]

/** What the decision depends on (X2). */
export interface BootFacts {
  readonly revision: Revision
  readonly commandLine: CommandLine
  readonly vendor: 'intel' | 'amd'
  /** CPUID bits, by feature name. */
  has(feature: string): boolean
}

/** What a boot decides before it programs anything. */
export interface BootDecision {
  readonly delivery: 'idt' | 'fred'
  /** Why it is that one, one fact each. */
  readonly reasons: readonly string[]
  /** Xen's own lines, in Xen's order. */
  readonly log: readonly string[]
  /** 32-bit PV guests may run. */
  readonly pv32: boolean
  readonly shadowStacks: boolean
  readonly ibt: boolean
  readonly smap: boolean
  readonly smep: boolean
}

/** FRED needs a ring 0 only; LKGS belongs to it, though Xen itself does not use GS (X2). */
const NEEDED: Readonly<Record<Revision, readonly string[]>> = { rfc: ['fred', 'lkgs'], upstream: ['fred'] }

/**
 * Chooses between FRED and IDT by the command line and CPUID, and settles what follows from it: PV32 guests need ring 1,
 * which FRED and CET both leave them without (X2, X3).
 */
export function decideBoot(facts: BootFacts): BootDecision {
  const { commandLine } = facts
  const log: string[] = []
  const { delivery, reasons } = chooseDelivery(facts, log)
  let pv32 = commandLine.pv32 ?? true
  if (delivery === 'fred' && pv32) {
    pv32 = false
    log.push('Disabling PV32 due to FRED')
  }
  log.push(`Using ${delivery.toUpperCase()} event delivery`)
  const shadowStacks = (commandLine.shadowStacks ?? true) && facts.has('cet-ss')
  const ibt = (commandLine.ibt ?? true) && facts.has('cet-ibt')
  if (shadowStacks) log.push('Enabling Supervisor Shadow Stacks')
  if (ibt) log.push('Enabling Indirect Branch Tracking')
  if ((shadowStacks || ibt) && pv32) {
    pv32 = false
    log.push('  - Disabling PV32 due to CET')
  }
  return {
    delivery,
    reasons,
    log,
    pv32,
    shadowStacks,
    ibt,
    smap: (commandLine.smap ?? true) && facts.has('smap'),
    smep: (commandLine.smep ?? true) && facts.has('smep'),
  }
}

interface Choice {
  readonly delivery: 'idt' | 'fred'
  readonly reasons: readonly string[]
}

const idt = (...reasons: string[]): Choice => ({ delivery: 'idt', reasons })
const fred = (...reasons: string[]): Choice => ({ delivery: 'fred', reasons })

function chooseDelivery({ revision, commandLine, vendor, has }: BootFacts, log: string[]): Choice {
  const needed = NEEDED[revision]
  const missing = needed.filter((feature) => !has(feature)).map((feature) => feature.toUpperCase())
  const hardware =
    missing.length > 0
      ? `CPUID lacks ${missing.join(' and ')}`
      : `CPUID has ${needed.map((feature) => feature.toUpperCase()).join(' and ')}`
  const asked = commandLine.fred
  if (asked === false) return idt('the command line says fred=0')
  if (missing.length > 0) {
    if (asked === undefined) return idt(hardware)
    log.push('FRED not available, ignoring')
    return idt('the command line says fred=1', hardware)
  }
  if (revision === 'rfc') {
    if (commandLine.pvShim === true) return idt('the command line says pvshim, and the shim keeps the IDT')
    return asked === true ? fred('the command line says fred=1', hardware) : fred(hardware)
  }
  if (asked === true) return fred('the command line says fred=1', hardware)
  if (commandLine.pvShim === true) return idt('the command line says pv-shim and not fred=1')
  if (vendor === 'intel') return idt('the command line does not say fred=1, and on Intel FRED is a tech preview')
  return fred(hardware, 'FRED is the default on AMD')
}
