import { RAX, RCX, RDX, readMsrHalves, type Semantics, ud, writeMsr } from '@trapframe/core'
import { requireCpl0 } from './privilege.js'
import { quad } from './quad.js'

const readModelSpecific: Semantics = (cpu) => {
  requireCpl0(cpu)
  const { words } = cpu
  words[RAX] = readMsrHalves(cpu, words[RCX]! >>> 0)
  words[RAX + 1] = 0
  words[RDX] = cpu.hi
  words[RDX + 1] = 0
}

const writeModelSpecific: Semantics = (cpu) => {
  requireCpl0(cpu)
  const { words } = cpu
  writeMsr(cpu, words[RCX]! >>> 0, quad(words[RAX]!, words[RDX]!))
}

/** WRMSRNS: a WRMSR that does not serialize. @throws #UD on a CPU without it */
const writeWithoutSerializing: Semantics = (cpu, insn) => {
  if (!cpu.has('wrmsrns')) throw ud()
  writeModelSpecific(cpu, insn)
}

/** RDMSR and WRMSR: ECX selects, EDX:EAX is the value. @throws #GP(0) above CPL 0 and as the MSR says */
export const modelSpecific: Readonly<Record<string, Semantics>> = {
  rdmsr: readModelSpecific,
  wrmsr: writeModelSpecific,
  wrmsrns: writeWithoutSerializing,
}
