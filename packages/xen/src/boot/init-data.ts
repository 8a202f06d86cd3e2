import type { AddressSpace } from '@trapframe/core'
import { INIT_DATA } from '../layout/memory.js'
import { PAGE_BYTES } from '../layout/stack.js'
import { type Field, placeFields } from '../layout/user-regs.js'

/** The boot's variables in memory, which its code and its C functions share: what one stage decides the next ones read. */

const FIELDS = [
  /** Stack of the CPU that is started next, and its number. */
  { name: 'next_stack', bytes: 8 },
  /** The trampolines of the CPU that is set up. */
  { name: 'stub_lstar', bytes: 8 },
  { name: 'stub_cstar', bytes: 8 },
  { name: 'next_cpu', bytes: 4 },
  { name: 'nr_cpus', bytes: 4 },
  /** What CPUID answered: EBX of leaf 0, ECX of leaf 1, registers of leaf 7, EAX of leaf 7.1. */
  { name: 'cpuid_vendor', bytes: 4 },
  { name: 'cpuid_1_ecx', bytes: 4 },
  { name: 'cpuid_7_ebx', bytes: 4 },
  { name: 'cpuid_7_ecx', bytes: 4 },
  { name: 'cpuid_7_edx', bytes: 4 },
  { name: 'cpuid_7_1_eax', bytes: 4 },
  /** Options: 0, 1 or, as long as nobody decided, {@link UNSET}. */
  { name: 'opt_fred', bytes: 1 },
  { name: 'opt_pv_shim', bytes: 1 },
  { name: 'opt_pv32', bytes: 1 },
  { name: 'opt_shstk', bytes: 1 },
  { name: 'opt_ibt', bytes: 1 },
  { name: 'opt_smap', bytes: 1 },
  { name: 'opt_smep', bytes: 1 },
  /** One byte for each CPU: it has come to its end of the boot. */
  { name: 'cpu_online', bytes: 64 },
] as const satisfies readonly Field[]

export type InitVariable = (typeof FIELDS)[number]['name']

/** Value of an option that nobody has set. */
export const UNSET = 0xff

const placed = placeFields(FIELDS)

/** Linear address of a variable. */
export const initVariable = (name: InitVariable): bigint => INIT_DATA.linear + BigInt(placed.offsets.get(name)!)

/** Addresses by name, for the assembler and for scenarios. */
export const INIT_SYMBOLS: Readonly<Record<string, bigint>> = Object.fromEntries(
  FIELDS.map(({ name }) => [name, initVariable(name)]),
)

/** The command line, with a 0 behind it. */
export const COMMAND_LINE = INIT_DATA.linear + BigInt(PAGE_BYTES)
/** Bytes that the command line may have. */
export const COMMAND_LINE_BYTES = PAGE_BYTES - 1
/** The IDT of the time before the command line was read. */
export const EARLY_IDT = INIT_DATA.linear + BigInt(2 * PAGE_BYTES)

/** A variable's value. */
export function readVariable(space: AddressSpace, name: InitVariable): number {
  const bytes = space.read(initVariable(name), placed.sizes.get(name)!)
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0)
}

/** Sets a variable of up to 4 bytes, or one of 8 by a bigint. */
export function writeVariable(space: AddressSpace, name: InitVariable, value: number | bigint): void {
  let rest = BigInt(value)
  const bytes = new Uint8Array(placed.sizes.get(name)!)
  for (let i = 0; i < bytes.length; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  space.write(initVariable(name), bytes)
}

/** The text that was placed as command line: up to the first 0. */
export function readCommandLine(space: AddressSpace): string {
  const bytes = space.read(COMMAND_LINE, COMMAND_LINE_BYTES)
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
}
