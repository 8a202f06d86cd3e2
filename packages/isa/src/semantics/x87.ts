import { type Cpu, CR0, CR0_EM, CR0_MP, CR0_TS, nm, type Semantics } from '@trapframe/core'

/** @throws #NM with CR0.EM or CR0.TS (SDM 3A 2.5) */
function requireX87(cpu: Cpu): void {
  if ((cpu.words[CR0]! & (CR0_EM | CR0_TS)) !== 0) throw nm()
}

/** WAIT is #NM only with both CR0.MP and CR0.TS; no x87 exception is ever pending. */
const wait: Semantics = (cpu) => {
  const both = CR0_MP | CR0_TS
  if ((cpu.words[CR0]! & both) === both) throw nm()
}

/** The x87 instructions that matter without x87 registers: the model has none, so FNINIT has nothing to reset. */
export const x87: Readonly<Record<string, Semantics>> = {
  fnop: requireX87,
  fninit: requireX87,
  wait,
}
