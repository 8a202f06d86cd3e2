import {
  ARITHMETIC_FLAGS,
  CF,
  CP_SETSSBSY,
  CPL,
  type Cpu,
  cp,
  type Decoded,
  freeToken,
  gp,
  operandAddress,
  PL0_SSP,
  RFLAGS,
  SSP,
  takeToken,
  ud,
} from '@trapframe/core'

/** Both need supervisor shadow stacks and CPL 0. @throws #UD, #GP(0) */
function checkAllowed(cpu: Cpu): void {
  if (!cpu.supervisorShadowStack) throw ud()
  if (cpu.words[CPL] !== 0) throw gp(0)
}

/**
 * SETSSBSY (SDM 2B): takes the token at IA32_PL0_SSP and makes it the shadow stack; what a SYSCALL entry does first.
 *
 * @throws #UD, #GP(0), #CP(setssbsy) for a token that is busy or not its own address, #PF
 */
export function setssbsy(cpu: Cpu): void {
  checkAllowed(cpu)
  const { words } = cpu
  const lo = words[PL0_SSP]!
  const hi = words[PL0_SSP + 1]!
  if ((lo & 7) !== 0) throw gp(0)
  if (!takeToken(cpu, lo, hi, 0)) throw cp(CP_SETSSBSY)
  words[SSP] = lo
  words[SSP + 1] = hi
}

/**
 * CLRSSBSY m64 (SDM 2A): frees the token at the operand and leaves no shadow stack, SSP = 0. CF tells that there was no
 * busy token. @throws #UD, #GP(0), #SS(0), #PF
 */
export function clrssbsy(cpu: Cpu, insn: Decoded): void {
  checkAllowed(cpu)
  const { words } = cpu
  const lo = operandAddress(cpu, insn, insn.operands[0]!, 8, true)
  const { hi } = cpu
  if ((lo & 7) !== 0) throw gp(0)
  const freed = freeToken(cpu, lo, hi, 0)
  words[RFLAGS] = (words[RFLAGS]! & ~ARITHMETIC_FLAGS) | (freed ? 0 : CF)
  words[SSP] = 0
  words[SSP + 1] = 0
}
