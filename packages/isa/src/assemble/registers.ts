import { Register } from '../decode/iced.js'

/** Register files that operand kinds of iced ask for. */
export type RegisterFile =
  | 'r8'
  | 'r16'
  | 'r32'
  | 'r64'
  | 'ip'
  | 'segment'
  | 'xmm'
  | 'ymm'
  | 'zmm'
  | 'k'
  | 'bnd'
  | 'cr'
  | 'dr'
  | 'st'
  | 'mm'
  | 'tr'
  | 'tmm'

const FILES: readonly [first: Register, last: Register, file: RegisterFile][] = [
  [Register.AL, Register.R15L, 'r8'],
  [Register.AX, Register.R15W, 'r16'],
  [Register.EAX, Register.R15D, 'r32'],
  [Register.RAX, Register.R15, 'r64'],
  [Register.EIP, Register.RIP, 'ip'],
  [Register.ES, Register.GS, 'segment'],
  [Register.XMM0, Register.XMM31, 'xmm'],
  [Register.YMM0, Register.YMM31, 'ymm'],
  [Register.ZMM0, Register.ZMM31, 'zmm'],
  [Register.K0, Register.K7, 'k'],
  [Register.BND0, Register.BND3, 'bnd'],
  [Register.CR0, Register.CR15, 'cr'],
  [Register.DR0, Register.DR15, 'dr'],
  [Register.ST0, Register.ST7, 'st'],
  [Register.MM0, Register.MM7, 'mm'],
  [Register.TR0, Register.TR7, 'tr'],
  [Register.TMM0, Register.TMM7, 'tmm'],
]

let names: Map<string, Register> | undefined

function registers(): Map<string, Register> {
  if (names !== undefined) return names
  names = new Map([['st', Register.ST0]])
  for (const [first, last] of FILES) {
    for (let register = first; register <= last; register++) names.set(Register[register].toLowerCase(), register)
  }
  for (let n = 8; n < 16; n++) names.set(`r${n}b`, names.get(`r${n}l`)!)
  return names
}

/** The register of that name, in any case, or undefined. */
export function registerNamed(name: string): Register | undefined {
  return registers().get(name.toLowerCase())
}

/** Every name of a register. */
export function registerNames(): Iterable<string> {
  return registers().keys()
}

export function registerFile(register: Register): RegisterFile {
  return FILES.find(([first, last]) => register >= first && register <= last)![2]
}

/** As it is written: `r8b`, not iced's `r8l`. */
export function registerName(register: Register): string {
  return Register[register].toLowerCase().replace(/^(r\d+)l$/, '$1b')
}

/** Whether only 64-bit code can name the register. */
export function needs64Bit(register: Register): boolean {
  const file = registerFile(register)
  if (file === 'r64' || file === 'tmm' || register === Register.RIP) return true
  if (register >= Register.SPL && register <= Register.R15L) return true
  if (file === 'cr' || file === 'dr') return /(8|9|1\d)$/.test(Register[register])
  return /^(?:R|[XYZ]MM)(?:8|9|[123]\d)/.test(Register[register])
}
