import {
  type Cpu,
  CR0,
  type Decoded,
  GDTR,
  IDTR,
  LDTR,
  type Observer,
  OPERAND_CONTROL,
  type SegmentNumber,
  TABLE_LIMIT,
  TR,
  XCR0,
} from '@trapframe/core'
import { WRITTEN_BY } from './functions.js'
import { stageFinder } from './stage.js'

/** One thing that a boot programmed into a CPU, or wrote for it. */
export interface Programmed {
  /** The label of the boot's code that it happened after. */
  readonly stage: string
  /** The register by the manual's name, or what was written to memory. */
  readonly what: string
  /** What it holds then: of a table register the base, of a segment register the selector. */
  readonly value?: bigint
  /** Of a table register. */
  readonly limit?: bigint
}

type Read = (cpu: Cpu) => Omit<Programmed, 'stage'>

const table =
  (what: string, slot: number): Read =>
  (cpu) => ({ what, value: cpu.get64(slot), limit: BigInt(cpu.words[slot + TABLE_LIMIT]!) })

const selector =
  (what: string, n: SegmentNumber): Read =>
  (cpu) => ({ what, value: BigInt(cpu.segment(n).selector) })

const ssp: Read = (cpu) => ({ what: 'SSP', value: cpu.ssp })

/** Instructions that program something, and what it is; WRMSR reports for itself. */
const INSTRUCTIONS: Readonly<Record<string, Read>> = {
  lgdt: table('GDTR', GDTR),
  lidt: table('IDTR', IDTR),
  ltr: selector('TR', TR),
  lldt: selector('LDTR', LDTR),
  setssbsy: ssp,
  rstorssp: ssp,
  incsspq: ssp,
  xsetbv: (cpu) => ({ what: 'XCR0', value: cpu.get64(XCR0) }),
}

const cr0: Read = (cpu) => ({ what: 'CR0', value: cpu.get64(CR0) })
const cr4: Read = (cpu) => ({ what: 'CR4', value: cpu.cr4 })

function readerOf({ mnemonic, operands }: Decoded): Read | undefined {
  if (mnemonic === 'mov' && operands[0]?.kind === OPERAND_CONTROL) return operands[0].register === 0 ? cr0 : cr4
  return Object.hasOwn(INSTRUCTIONS, mnemonic) ? INSTRUCTIONS[mnemonic] : undefined
}

/** Listens to a boot: what it printed, and what each CPU was programmed with, in order. */
export class BootRecorder {
  readonly log: string[] = []
  readonly #programmed: (Programmed & { readonly cpu: number })[] = []
  readonly #stageOf: (address: bigint) => string | undefined
  /** The stage that each CPU is in. */
  readonly #stages = new Map<number, string>()
  #read: Read | undefined

  /** @param labels of the boot's code */
  constructor(labels: ReadonlyMap<string, bigint>) {
    this.#stageOf = stageFinder(labels)
  }

  readonly observer: Observer = {
    instruction: (cpu, insn) => {
      this.#read = readerOf(insn)
      const stage = this.#stageOf(cpu.rip)
      if (stage !== undefined) this.#stages.set(cpu.id, stage)
    },
    msrWritten: (cpu, index, value) => {
      this.#add(cpu, { what: cpu.machine.msrs.get(index)!.name, value })
    },
    dispatched: (cpu, routine) => {
      const what = WRITTEN_BY[routine]
      if (what !== undefined) this.#add(cpu, { what })
    },
    log: (_cpu, line) => {
      this.log.push(line)
    },
  }

  /** A CPU has made its step. */
  stepped(cpu: Cpu): void {
    if (this.#read !== undefined) this.#add(cpu, this.#read(cpu))
    this.#read = undefined
  }

  /** What a CPU was programmed with. */
  programmed(cpu: number): readonly Programmed[] {
    return this.#programmed.filter((one) => one.cpu === cpu).map(({ cpu: _, ...programmed }) => programmed)
  }

  #add(cpu: Cpu, programmed: Omit<Programmed, 'stage'>): void {
    this.#programmed.push({ cpu: cpu.id, stage: this.#stages.get(cpu.id)!, ...programmed })
  }
}
