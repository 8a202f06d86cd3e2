import {
  type Cpu,
  CR0,
  CR0_EM,
  CR0_MP,
  CR0_TS,
  type Decoded,
  nm,
  readOperand,
  type Semantics,
  ud,
  writeOperand,
} from '@trapframe/core'
import { ALL_EXCEPTIONS } from '../float/round.js'
import {
  controlWord,
  FSW_C1,
  FSW_SF,
  free,
  initializeX87,
  requireX87,
  rotateStack,
  setControlWord,
  setStatusWord,
  statusWord,
  takePendingX87,
} from './fpu-state.js'
import { unmodelled } from './unmodelled.js'

/** WAIT is #NM only with both CR0.MP and CR0.TS. @throws #NM, #MF */
const wait: Semantics = (cpu, insn) => {
  const both = CR0_MP | CR0_TS
  if ((cpu.words[CR0]! & both) === both) throw nm()
  takePendingX87(cpu, insn)
}

/** An instruction that first lets a pending exception out. @throws #NM, #MF */
export function waiting(execute: Semantics): Semantics {
  return (cpu, insn) => {
    requireX87(cpu)
    takePendingX87(cpu, insn)
    execute(cpu, insn)
  }
}

/** FNINIT, FNCLEX, FNSTCW, FNSTSW: they do not ask for pending exceptions. @throws #NM */
function unwaiting(execute: Semantics): Semantics {
  return (cpu, insn) => {
    requireX87(cpu)
    execute(cpu, insn)
  }
}

const store = (cpu: Cpu, insn: Decoded, value: number): void => writeOperand(cpu, insn, insn.operands[0]!, value, 0)

function moveTop(by: number): Semantics {
  return (cpu) => {
    rotateStack(cpu, by)
    setStatusWord(cpu, statusWord(cpu) & ~FSW_C1)
  }
}

/** EMMS: all registers are empty. @throws #UD with CR0.EM, #NM with CR0.TS, #MF */
const emptyAll: Semantics = (cpu, insn) => {
  if ((cpu.words[CR0]! & CR0_EM) !== 0) throw ud()
  requireX87(cpu)
  takePendingX87(cpu, insn)
  for (let i = 0; i < 8; i++) free(cpu, i)
}

/** Functions that nobody has needed yet: they fault as the others do, and then stop the run. */
const WAITING_ONLY =
  'fsin fcos fsincos fptan fpatan f2xm1 fyl2x fyl2xp1 fscale fprem fprem1 fxtract fbld fbstp fldenv frstor ' +
  'fcmovb fcmove fcmovbe fcmovu fcmovnb fcmovne fcmovnbe fcmovnu'
const UNWAITING_ONLY = 'fnsave fnstenv fxsave fxrstor fxsave64 fxrstor64'

const notThere: Semantics = (cpu, insn) => {
  throw unmodelled(cpu, insn, 'only its faults are')
}

const each = (names: string, execute: Semantics): Readonly<Record<string, Semantics>> =>
  Object.fromEntries(names.split(' ').map((name) => [name, execute]))

/** Control of the x87 (SDM 1 8.3.11). */
export const x87: Readonly<Record<string, Semantics>> = {
  wait,
  fnop: waiting(() => {}),
  fninit: unwaiting(initializeX87),
  fnclex: unwaiting((cpu) => setStatusWord(cpu, statusWord(cpu) & ~(ALL_EXCEPTIONS | FSW_SF))),
  fnstcw: unwaiting((cpu, insn) => store(cpu, insn, controlWord(cpu))),
  fnstsw: unwaiting((cpu, insn) => store(cpu, insn, statusWord(cpu))),
  fldcw: waiting((cpu, insn) => setControlWord(cpu, readOperand(cpu, insn, insn.operands[0]!))),
  ffree: waiting((cpu, insn) => free(cpu, insn.operands[0]!.register)),
  fincstp: waiting(moveTop(1)),
  fdecstp: waiting(moveTop(-1)),
  emms: emptyAll,
  ...each(WAITING_ONLY, waiting(notThere)),
  ...each(UNWAITING_ONLY, unwaiting(notThere)),
}
