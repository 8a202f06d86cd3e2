import type { CommandLine } from './command-line.js'

/** Which Xen: as the RFC describes it, or as its own sources had it in 2026. */
export const REVISIONS = ['rfc', 'upstream'] as const
export type Revision = (typeof REVISIONS)[number]

/** What the decisions depend on (X2). */
export interface BootFacts {
  readonly revision: Revision
  readonly commandLine: CommandLine
  readonly vendor: 'intel' | 'amd'
  /** CPUID bits, by feature name. */
  has(feature: string): boolean
}

/** What a boot decides, all of it. */
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

/** The choice between the IDT and FRED, and what follows from it at once. */
export interface DeliveryChoice {
  readonly delivery: 'idt' | 'fred'
  readonly reasons: readonly string[]
  /** What is printed before the switch. */
  readonly log: readonly string[]
  readonly pv32: boolean
}

/** Which halves of CET Xen uses for itself, and what else the CPU does for it. */
export interface ProtectionChoice {
  readonly shadowStacks: boolean
  readonly ibt: boolean
  readonly smap: boolean
  readonly smep: boolean
  /** What is printed before CET is switched on. */
  readonly log: readonly string[]
}

/** FRED needs a ring 0 only; LKGS belongs to it, though Xen itself does not use GS (X2). */
const NEEDED: Readonly<Record<Revision, readonly string[]>> = { rfc: ['fred', 'lkgs'], upstream: ['fred'] }

/** Chooses between FRED and IDT by the command line and CPUID; PV32 guests need ring 1, which FRED does not have (X2, X3). */
export function chooseDelivery(facts: BootFacts): DeliveryChoice {
  const wanted = facts.commandLine.pv32 ?? true
  const { delivery, reasons, warning } = choose(facts)
  const log = warning === undefined ? [] : [warning]
  if (delivery === 'idt' || !wanted) return { delivery, reasons, log, pv32: wanted }
  return { delivery, reasons, log: [...log, 'Disabling PV32 due to FRED'], pv32: false }
}

/** What is printed once events are delivered through the chosen one. */
export const deliveryLine = (delivery: 'idt' | 'fred'): string => `Using ${delivery.toUpperCase()} event delivery`

/** Uses what CPUID offers and the command line does not forbid. */
export function chooseProtection({ commandLine, has }: BootFacts): ProtectionChoice {
  const use = (wanted: boolean | undefined, feature: string): boolean => (wanted ?? true) && has(feature)
  const shadowStacks = use(commandLine.shadowStacks, 'cet-ss')
  const ibt = use(commandLine.ibt, 'cet-ibt')
  const log: string[] = []
  if (shadowStacks) log.push('Enabling Supervisor Shadow Stacks')
  if (ibt) log.push('Enabling Indirect Branch Tracking')
  return { shadowStacks, ibt, smap: use(commandLine.smap, 'smap'), smep: use(commandLine.smep, 'smep'), log }
}

/** Whether CET leaves PV32 on: neither half works in ring 1. The line is printed where it was on until then (X3). */
export function limitPv32(
  pv32: boolean,
  { shadowStacks, ibt }: Pick<ProtectionChoice, 'shadowStacks' | 'ibt'>,
): { readonly pv32: boolean; readonly log: readonly string[] } {
  if (!pv32 || !(shadowStacks || ibt)) return { pv32, log: [] }
  return { pv32: false, log: ['  - Disabling PV32 due to CET'] }
}

/** All decisions in the order of a boot, which makes each of them at its own stage. */
export function decideBoot(facts: BootFacts): BootDecision {
  const { delivery, reasons, log: before, pv32: wanted } = chooseDelivery(facts)
  const { log: enabling, ...protection } = chooseProtection(facts)
  const { pv32, log: limiting } = limitPv32(wanted, protection)
  const log = [...before, deliveryLine(delivery), ...enabling, ...limiting]
  return { delivery, reasons, log, pv32, ...protection }
}

interface Choice {
  readonly delivery: 'idt' | 'fred'
  readonly reasons: readonly string[]
  readonly warning?: string
}

const idt = (...reasons: string[]): Choice => ({ delivery: 'idt', reasons })
const fred = (...reasons: string[]): Choice => ({ delivery: 'fred', reasons })

function choose({ revision, commandLine, vendor, has }: BootFacts): Choice {
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
    return { ...idt('the command line says fred=1', hardware), warning: 'FRED not available, ignoring' }
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
