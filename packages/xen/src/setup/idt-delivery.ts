import { AC, type Cpu, DF, IF, NT, RF, TF, VM, writeMsr } from '@trapframe/core'
import { IA32_CSTAR, IA32_LSTAR, IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_SYSENTER_ESP } from '@trapframe/idt'
import type { BootDecision } from '../boot/decision.js'
import { trampolines } from '../entry/trampoline.js'
import { stackOf } from '../layout/memory.js'
import { HYPERVISOR_CS, STAR_VALUE } from '../layout/selectors.js'
import { rsp0Of } from '../layout/stack.js'
import { setUpTokens } from './cet.js'
import { setUpIdt, setUpTss } from './tables.js'

export const IA32_STAR = 0xc000_0081
export const IA32_FMASK = 0xc000_0084

/** What SYSCALL clears in RFLAGS. */
export const SYSCALL_MASK = BigInt(AC | VM | RF | NT | DF | IF | TF)

/** Everything that delivery through the IDT needs on one CPU: tables, stacks, tokens, the ways of SYSCALL and SYSENTER. */
export function setUpIdtDelivery(
  cpu: Cpu,
  labels: ReadonlyMap<string, bigint>,
  decision: BootDecision,
  ist: boolean,
): void {
  setUpTss(cpu)
  setUpIdt(cpu, labels, ist, decision.pv32)
  const { page, bytes, lstar, cstar } = trampolines(cpu.id, decision.ibt, labels)
  cpu.space.write(page.linear, bytes)
  writeMsr(cpu, IA32_STAR, STAR_VALUE)
  writeMsr(cpu, IA32_LSTAR, lstar)
  writeMsr(cpu, IA32_CSTAR, cstar)
  writeMsr(cpu, IA32_FMASK, SYSCALL_MASK)
  if (cpu.model.behaviour.sysenterInLongMode) {
    writeMsr(cpu, IA32_SYSENTER_CS, BigInt(HYPERVISOR_CS))
    writeMsr(cpu, IA32_SYSENTER_ESP, rsp0Of(stackOf(cpu.id).linear))
    writeMsr(cpu, IA32_SYSENTER_EIP, labels.get('sysenter_entry')!)
  }
  if (decision.shadowStacks) setUpTokens(cpu)
}
