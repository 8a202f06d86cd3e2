import { type BootRequest, MachineError } from '@trapframe/core'
import { LAYOUT_NAMES, type LayoutName } from '../layout/cpu-info.js'
import { withOptions } from './command-line.js'
import { REVISIONS, type Revision } from './decision.js'
import { COMMAND_LINE_BYTES } from './init-data.js'

/** The options of the host kind, with a sentence each. */
export const XEN_OPTIONS = {
  revision: 'which Xen: "rfc" (default) or "upstream"',
  layout:
    'where a guest’s registers are pushed: "together" with cpu_info (default), "apart" from it, or "vm86", as before FRED',
  ist: 'NMI, #DB and #MC have stacks of their own under the IDT (default true); #DF always has',
  smap: 'supervisor code may not touch user pages (default true where the CPU can)',
  smep: 'supervisor code may not run from user pages (default true where the CPU can)',
  xpti: 'guests run on page tables without Xen’s mappings, under the IDT (default false)',
  shadowStacks: 'supervisor shadow stacks (default true where the CPU can)',
  ibt: 'supervisor indirect branch tracking (default true where the CPU can)',
} as const

/** What a boot request asks for, in Xen's own terms. */
export interface XenRequest {
  readonly revision: Revision
  readonly ist: boolean
  readonly layout: LayoutName
  readonly xpti: boolean
  /** The command line, with what `delivery` and the options mean at its end. */
  readonly commandLine: string
  /** What must be there because the request says so: features by option. */
  readonly needs: readonly { readonly option: string; readonly feature: string }[]
}

/** What each option writes on the command line, and the CPU's feature that it needs. */
const SWITCHES = [
  { option: 'smap', word: 'smap=', feature: 'smap' },
  { option: 'smep', word: 'smep=', feature: 'smep' },
  { option: 'shadowStacks', word: 'cet=shstk=', feature: 'cet-ss' },
  { option: 'ibt', word: 'cet=ibt=', feature: 'cet-ibt' },
] as const

/** Translates a request. @throws MachineError for a delivery, an option or a value that Xen does not know */
export function readRequest({ delivery, cmdline, options = {} }: BootRequest): XenRequest {
  if (delivery !== undefined && delivery !== 'idt' && delivery !== 'fred') {
    throw new MachineError('xen-delivery', `host "xen" cannot deliver through "${delivery}"`, {
      hint: 'its deliveries are idt and fred',
    })
  }
  if (delivery !== undefined && cmdline !== undefined) {
    throw new MachineError('xen-request', `delivery "${delivery}" and cmdline "${cmdline}" are both given`, {
      hint: `delivery "${delivery}" is the command line fred=${delivery === 'fred' ? 1 : 0}: keep one of the two`,
    })
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(XEN_OPTIONS, name)) continue
    throw new MachineError('xen-option', `host "xen" has no option "${name}"`, {
      hint: `it has ${Object.keys(XEN_OPTIONS).join(', ')}`,
    })
  }
  const words: string[] = []
  if (delivery !== undefined) words.push(`fred=${delivery === 'fred' ? 1 : 0}`)
  const needs: { option: string; feature: string }[] = []
  for (const { option, word, feature } of SWITCHES) {
    const wanted = booleanOption(options, option)
    if (wanted === undefined) continue
    words.push(`${word}${wanted ? 1 : 0}`)
    if (wanted) needs.push({ option, feature })
  }
  return {
    revision: choice(options, 'revision', REVISIONS, 'rfc'),
    layout: choice(options, 'layout', LAYOUT_NAMES, 'together'),
    ist: booleanOption(options, 'ist') ?? true,
    xpti: booleanOption(options, 'xpti') ?? false,
    commandLine: readableText(withOptions(cmdline ?? '', ...words)),
    needs,
  }
}

/** A command line as it fits into memory: its end is the first NUL. @throws MachineError for one that is too long */
function readableText(commandLine: string): string {
  const text = commandLine.split('\0', 1)[0]!
  const { length } = new TextEncoder().encode(text)
  if (length <= COMMAND_LINE_BYTES) return text
  throw new MachineError('xen-request', `the command line has ${length} bytes`, {
    hint: `at most ${COMMAND_LINE_BYTES}`,
  })
}

function booleanOption(options: Readonly<Record<string, unknown>>, name: string): boolean | undefined {
  const value = options[name]
  if (value === undefined || typeof value === 'boolean') return value
  throw new MachineError('xen-option', `option "${name}" of host "xen" is ${shown(value)}`, { hint: 'true or false' })
}

function choice<T extends string>(
  options: Readonly<Record<string, unknown>>,
  name: string,
  all: readonly T[],
  preset: T,
): T {
  const value = options[name] ?? preset
  const known = all.find((one) => one === value)
  if (known !== undefined) return known
  throw new MachineError('xen-option', `option "${name}" of host "xen" is ${shown(value)}`, {
    hint: `one of ${all.join(', ')}`,
  })
}

const shown = (value: unknown): string => JSON.stringify(value) ?? String(value)
