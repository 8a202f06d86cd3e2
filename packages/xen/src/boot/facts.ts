import type { AddressSpace } from '@trapframe/core'
import type { CommandLine } from './command-line.js'
import type { BootFacts, Revision } from './decision.js'
import { type InitVariable, readVariable, UNSET, writeVariable } from './init-data.js'

/** What the boot knows, as its variables in memory hold it. */

const OPTIONS: Readonly<Record<keyof CommandLine, InitVariable>> = {
  fred: 'opt_fred',
  pvShim: 'opt_pv_shim',
  pv32: 'opt_pv32',
  shadowStacks: 'opt_shstk',
  ibt: 'opt_ibt',
  smap: 'opt_smap',
  smep: 'opt_smep',
}

/** Features by the register of CPUID that enumerates them, and the bit (SDM 2A CPUID). */
const CPUID_BITS: Readonly<Record<string, readonly [register: InitVariable, bit: number]>> = {
  smep: ['cpuid_7_ebx', 7],
  smap: ['cpuid_7_ebx', 20],
  'cet-ss': ['cpuid_7_ecx', 7],
  'cet-ibt': ['cpuid_7_edx', 20],
  fred: ['cpuid_7_1_eax', 17],
  lkgs: ['cpuid_7_1_eax', 18],
}

/** EBX of CPUID leaf 0 of an Intel CPU: "Genu". */
export const VENDOR_INTEL = 0x756e6547

/** Options as a command line sets them; those that it leaves out stay as they are. */
export function writeOptions(space: AddressSpace, options: CommandLine): void {
  for (const [name, variable] of Object.entries(OPTIONS)) {
    const value = options[name as keyof CommandLine]
    if (value !== undefined) writeVariable(space, variable, value ? 1 : 0)
  }
}

/** Every option unset. */
export function unsetOptions(space: AddressSpace): void {
  for (const variable of Object.values(OPTIONS)) writeVariable(space, variable, UNSET)
}

/** What decisions depend on, from the options and from what CPUID answered. */
export function readFacts(space: AddressSpace, revision: Revision): BootFacts {
  const commandLine: CommandLine = {}
  for (const [name, variable] of Object.entries(OPTIONS)) {
    const value = readVariable(space, variable)
    if (value !== UNSET) commandLine[name as keyof CommandLine] = value === 1
  }
  return {
    revision,
    commandLine,
    vendor: readVariable(space, 'cpuid_vendor') === VENDOR_INTEL ? 'intel' : 'amd',
    has(feature) {
      const [register, bit] = CPUID_BITS[feature]!
      return ((readVariable(space, register) >>> bit) & 1) === 1
    },
  }
}
