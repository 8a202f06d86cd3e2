/** @import { BootRequest, Machine } from '@trapframe/core' */
import { MachineError } from '@trapframe/core'

/** The options of the host kind, with a sentence each. They bring back what kernels have had wrong. */
export const OPTIONS = {
  vc: "FRED's dispatch has a case for #VC, vector 29 (default true)",
  pageFaultAddress:
    'where the handler of #PF finds the address: "delivery" (default), as the active delivery has it, "cr2" or "event-data"',
  errorCode: 'what the report of a fatal FRED event prints: "kept" (default), or the slot after it was "overwritten"',
}

/**
 * @typedef {object} KernelOptions
 * @property {boolean} vc
 * @property {'cr2' | 'event-data'} pageFaultAddress
 * @property {'kept' | 'overwritten'} errorCode
 */

/**
 * @typedef {object} Decision
 * @property {'idt' | 'fred'} delivery
 * @property {readonly string[]} reasons
 */

/**
 * What a boot request asks for.
 *
 * @param {Machine} machine
 * @param {BootRequest} request
 * @returns {Decision & { readonly options: KernelOptions }}
 * @throws MachineError for what this host does not know or this CPU cannot have
 */
export function readRequest(machine, { delivery, cmdline, options = {} }) {
  if (delivery !== undefined && cmdline !== undefined) {
    throw new MachineError('linux-request', `delivery "${delivery}" and cmdline "${cmdline}" are both given`, {
      hint: 'keep one of the two',
    })
  }
  if (delivery !== undefined && delivery !== 'idt' && delivery !== 'fred') {
    throw new MachineError('linux-delivery', `host "linux" cannot deliver through "${delivery}"`, {
      hint: 'its deliveries are idt and fred',
    })
  }
  const decision = decide(
    machine,
    cmdline ?? (delivery === undefined ? '' : `fred=${delivery === 'fred' ? 'on' : 'off'}`),
  )
  if (delivery !== undefined && decision.delivery !== delivery) {
    throw new MachineError(
      'linux-delivery',
      `delivery "${delivery}" was asked for, and Linux decides for ${decision.delivery}: ${decision.reasons.join('; ')}`,
      { hint: 'take a CPU with FRED and LKGS: panther-lake, diamond-rapids or zen6' },
    )
  }
  return { ...decision, options: readOptions(options, decision.delivery) }
}

/** CPUID leaf 7.1, EAX bit 17, as `clearcpuid=` counts: word 12, bit 17. */
const CLEARCPUID_FRED = ['401', 'fred']

/**
 * FRED where the CPU has it and LKGS, unless the command line is against it.
 *
 * @param {Machine} machine
 * @param {string} cmdline `fred=on`, `fred=off`, `clearcpuid=401`; anything else is not for this
 * @returns {Decision}
 */
function decide({ cpu, model }, cmdline) {
  const missing = ['fred', 'lkgs'].filter((feature) => !cpu.has(feature))
  if (missing.length > 0) {
    return { delivery: 'idt', reasons: [`CPU "${model.name}" has no ${missing.join(' and no ')}`] }
  }
  /** @type {Decision} */
  let decision = { delivery: 'fred', reasons: ['the CPU has FRED and LKGS'] }
  for (const word of cmdline.split(/\s+/)) {
    const [key, value = ''] = word.split('=', 2)
    if (key === 'fred' && value === 'off') decision = { delivery: 'idt', reasons: [`the command line says ${word}`] }
    if (key === 'fred' && value === 'on') {
      decision = { delivery: 'fred', reasons: ['the CPU has FRED and LKGS', `the command line says ${word}`] }
    }
    if (key === 'clearcpuid' && value.split(',').some((name) => CLEARCPUID_FRED.includes(name))) {
      return { delivery: 'idt', reasons: [`the command line says ${word}, which is FRED`] }
    }
  }
  return decision
}

/**
 * @param {Readonly<Record<string, unknown>>} options
 * @param {'idt' | 'fred'} delivery
 * @returns {KernelOptions}
 */
function readOptions(options, delivery) {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(OPTIONS, name)) continue
    throw new MachineError('linux-option', `host "linux" has no option "${name}"`, {
      hint: `it has ${Object.keys(OPTIONS).join(', ')}`,
    })
  }
  const source = oneOf(options, 'pageFaultAddress', /** @type {const} */ (['delivery', 'cr2', 'event-data']))
  return {
    vc: oneOf(options, 'vc', [true, false]),
    pageFaultAddress: source !== 'delivery' ? source : delivery === 'fred' ? 'event-data' : 'cr2',
    errorCode: oneOf(options, 'errorCode', /** @type {const} */ (['kept', 'overwritten'])),
  }
}

/**
 * The value of an option: one of `known`, the first where it is not given.
 *
 * @template {string | boolean} Value
 * @param {Readonly<Record<string, unknown>>} options
 * @param {keyof typeof OPTIONS} name
 * @param {readonly [Value, ...Value[]]} known
 * @returns {Value}
 */
function oneOf(options, name, known) {
  const given = options[name]
  if (given === undefined) return known[0]
  const found = known.find((value) => value === given)
  if (found !== undefined) return found
  throw new MachineError('linux-option', `option "${name}" of host "linux" is ${JSON.stringify(given)}`, {
    hint: `one of ${known.join(', ')}`,
  })
}
