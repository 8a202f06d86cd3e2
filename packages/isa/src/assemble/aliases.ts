/** What a written name selects among iced's codes. */
export interface Selection {
  /** iced's mnemonics, in lower case. */
  readonly mnemonics: readonly string[]
  /** Only codes of this operand size in bits. */
  readonly operandSize?: number
  /** Only far transfers. */
  readonly far?: boolean
  /** Of this mnemonic only codes of 64 bits. */
  readonly wideOnly?: string
  /** Only codes with a 64-bit immediate or a 64-bit address of their own. */
  readonly absolute?: boolean
}

/** Conditions by other names; iced knows them by the last of each row. */
const CONDITIONS: readonly (readonly string[])[] = [
  ['z', 'e'],
  ['nz', 'ne'],
  ['c', 'nae', 'b'],
  ['nc', 'nb', 'ae'],
  ['na', 'be'],
  ['nbe', 'a'],
  ['pe', 'p'],
  ['po', 'np'],
  ['nge', 'l'],
  ['nl', 'ge'],
  ['ng', 'le'],
  ['nle', 'g'],
]

/** Operations that iced names by width, in the order of 8, 16, 32 and 64 bits. */
const STRINGS: Readonly<Record<string, readonly string[]>> = {
  movs: ['movsb', 'movsw', 'movsd', 'movsq'],
  stos: ['stosb', 'stosw', 'stosd', 'stosq'],
  lods: ['lodsb', 'lodsw', 'lodsd', 'lodsq'],
  scas: ['scasb', 'scasw', 'scasd', 'scasq'],
  cmps: ['cmpsb', 'cmpsw', 'cmpsd', 'cmpsq'],
  ins: ['insb', 'insw', 'insd'],
  outs: ['outsb', 'outsw', 'outsd'],
}

/** Names with widths, as [16, 32, 64 bits], and what each is to iced. */
const WIDTHS: Readonly<Record<string, readonly (string | undefined)[]>> = {
  iret: ['iret', 'iretd', 'iretq'],
  pushf: ['pushf', 'pushfd', 'pushfq'],
  popf: ['popf', 'popfd', 'popfq'],
  pusha: ['pusha', 'pushad', undefined],
  popa: ['popa', 'popad', undefined],
}

const FIXED: Readonly<Record<string, Selection>> = {
  sysret: { mnemonics: ['sysret', 'sysretq'] },
  sysretl: { mnemonics: ['sysret'] },
  sysretd: { mnemonics: ['sysret'] },
  sysexit: { mnemonics: ['sysexit', 'sysexitq'] },
  sysexitl: { mnemonics: ['sysexit'] },
  sysexitd: { mnemonics: ['sysexit'] },
  nop: { mnemonics: ['nop', 'reservednop'] },
  retn: { mnemonics: ['ret'] },
  retw: { mnemonics: ['ret'], operandSize: 16 },
  retd: { mnemonics: ['ret'], operandSize: 32 },
  retq: { mnemonics: ['ret'], operandSize: 64 },
  retfw: { mnemonics: ['retf'], operandSize: 16 },
  retfd: { mnemonics: ['retf'], operandSize: 32 },
  retfl: { mnemonics: ['retf'], operandSize: 32 },
  retfq: { mnemonics: ['retf'], operandSize: 64 },
  lret: { mnemonics: ['retf'] },
  lretq: { mnemonics: ['retf'], operandSize: 64 },
  callf: { mnemonics: ['call'], far: true },
  lcall: { mnemonics: ['call'], far: true },
  jmpf: { mnemonics: ['jmp'], far: true },
  ljmp: { mnemonics: ['jmp'], far: true },
  pushw: { mnemonics: ['push'], operandSize: 16 },
  pushd: { mnemonics: ['push'], operandSize: 32 },
  pushq: { mnemonics: ['push'], operandSize: 64 },
  popw: { mnemonics: ['pop'], operandSize: 16 },
  popd: { mnemonics: ['pop'], operandSize: 32 },
  popq: { mnemonics: ['pop'], operandSize: 64 },
  movabs: { mnemonics: ['mov'], absolute: true },
  movsx: { mnemonics: ['movsx', 'movsxd'], wideOnly: 'movsxd' },
  sal: { mnemonics: ['shl'] },
  icebp: { mnemonics: ['int1'] },
  fwait: { mnemonics: ['wait'] },
  xlat: { mnemonics: ['xlatb'] },
  loopz: { mnemonics: ['loope'] },
  loopnz: { mnemonics: ['loopne'] },
}

let table: Map<string, Selection> | undefined

function aliases(): Map<string, Selection> {
  if (table !== undefined) return table
  table = new Map(Object.entries(FIXED))
  for (const row of CONDITIONS) {
    const canonical = row.at(-1)!
    for (const other of row.slice(0, -1)) {
      for (const family of ['j', 'set', 'cmov']) table.set(family + other, { mnemonics: [family + canonical] })
    }
  }
  for (const [name, mnemonics] of Object.entries(STRINGS)) table.set(name, { mnemonics })
  for (const [name, names] of Object.entries(WIDTHS)) {
    // without a suffix any width is meant, the mode's default if nothing else is said: IRET 32 bits, PUSHF 64
    table.set(name, { mnemonics: names.filter((mnemonic) => mnemonic !== undefined) })
    for (const [i, suffixes] of [['w'], ['d', 'l'], ['q']].entries()) {
      const mnemonic = names[i]
      if (mnemonic === undefined) continue
      for (const suffix of suffixes) table.set(name + suffix, { mnemonics: [mnemonic] })
    }
  }
  return table
}

/** What a mnemonic other than iced's own selects, or undefined. */
export function aliasOf(name: string): Selection | undefined {
  return aliases().get(name)
}

/** Every name that {@link aliasOf} knows. */
export function aliasNames(): Iterable<string> {
  return aliases().keys()
}
