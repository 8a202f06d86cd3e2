import {
  ARITHMETIC_FLAGS,
  CF,
  type Cpu,
  CR4,
  type Cr4Bit,
  type Decoded,
  type RegionDeclaration,
  RFLAGS,
  readOperand,
  type Semantics,
  ud,
} from '@trapframe/core'
import { requireCpl0 } from './privilege.js'
import { unmodelled } from './unmodelled.js'

/**
 * VMX as far as code outside a virtual machine's monitor meets it (SDM 3C 32.3): VMXON and VMXOFF enter and leave VMX root
 * operation, and by that it is decided whether the other instructions are #UD or #GP(0) at CPL 3. There is no VMCS and
 * no virtual machine.
 */

/** One word: 1 in VMX root operation. */
export const VMX_REGION: RegionDeclaration = { name: 'isa/vmx', scope: 'cpu', bytes: 8, version: 1 }

const VMXE = 13
export const VMXE_BIT: Cr4Bit = { bit: VMXE, name: 'VMXE', feature: 'vmx' }

/** The region that VMXON names is a page; physical addresses have 52 bits. */
const PAGE_OFFSET = 0xfff
const ABOVE_PHYSICAL = 0xfff00000 | 0

const slotOf = (cpu: Cpu): number => cpu.machine.layout.regions.get(VMX_REGION.name)!.slot
const inOperation = (cpu: Cpu): boolean => cpu.words[slotOf(cpu)] !== 0

/** VMfailInvalid: without a current VMCS every failure is that one. */
function fail(cpu: Cpu): void {
  cpu.words[RFLAGS] = (cpu.words[RFLAGS]! & ~ARITHMETIC_FLAGS) | CF
}

function succeed(cpu: Cpu): void {
  cpu.words[RFLAGS] = cpu.words[RFLAGS]! & ~ARITHMETIC_FLAGS
}

/** @throws #UD outside VMX operation and outside 64-bit mode, #GP(0) above CPL 0 */
function requireRoot(cpu: Cpu): void {
  if (!inOperation(cpu) || cpu.codeSize !== 64) throw ud()
  requireCpl0(cpu)
}

/**
 * VMXON: the firmware is taken to have allowed it, the contents of the region that it names are not looked at.
 *
 * @throws #UD without CR4.VMXE, #GP(0) above CPL 0
 */
const enter: Semantics = (cpu, insn) => {
  if ((cpu.words[CR4]! & (1 << VMXE)) === 0 || cpu.codeSize !== 64) throw ud()
  requireCpl0(cpu)
  const lo = readOperand(cpu, insn, insn.operands[0]!)
  if (inOperation(cpu) || (lo & PAGE_OFFSET) !== 0 || (cpu.hi & ABOVE_PHYSICAL) !== 0) return fail(cpu)
  cpu.words[slotOf(cpu)] = 1
  succeed(cpu)
}

const leave: Semantics = (cpu) => {
  requireRoot(cpu)
  cpu.words[slotOf(cpu)] = 0
  succeed(cpu)
}

/** VMCALL in root operation, and what needs a current VMCS. */
const failing: Semantics = (cpu) => {
  requireRoot(cpu)
  fail(cpu)
}

const withoutVmcs = (cpu: Cpu, insn: Decoded): void => {
  requireRoot(cpu)
  throw unmodelled(cpu, insn, 'for there is no VMCS')
}

const rule =
  (execute: Semantics): Semantics =>
  (cpu, insn) => {
    if (!cpu.has('vmx')) throw ud()
    execute(cpu, insn)
  }

/** VMX instructions; #UD on a CPU without it. */
export const virtualMachines: Readonly<Record<string, Semantics>> = Object.fromEntries(
  Object.entries<Semantics>({
    vmxon: enter,
    vmxoff: leave,
    vmcall: failing,
    vmlaunch: failing,
    vmresume: failing,
    vmread: failing,
    vmwrite: failing,
    vmptrld: withoutVmcs,
    vmptrst: withoutVmcs,
    vmclear: withoutVmcs,
    invept: withoutVmcs,
    invvpid: withoutVmcs,
  }).map(([mnemonic, execute]) => [mnemonic, rule(execute)]),
)
