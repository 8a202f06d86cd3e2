import {
  BLOCKED_BY_NMI,
  type Boot,
  type Cpu,
  type CpuEvent,
  CS_SELECTOR,
  createMachine,
  DECODER,
  type Decoded,
  definePlugin,
  GS,
  HALTED,
  IMPLICIT,
  load64,
  type Machine,
  MECHANISMS,
  NMI,
  OPERAND_MEMORY,
  type Operand,
  PAGE_EXECUTABLE,
  PAGE_USER,
  PAGE_WRITABLE,
  type Plugin,
  type Semantics,
  SSP,
  STATUS,
  store64,
  WRITE,
} from '@trapframe/core'
import { explore } from '../src/index.js'

/**
 * The smallest delivery mechanism that can go wrong: a frame of three quadwords (RIP, RSP, CPL), pushed on the stack of
 * ring 0 from ring 3, on the current stack otherwise, and for an NMI always on top of a stack of its own, if it has one. RIP
 * goes to the shadow stack too, if there is one.
 */

export const CODE = 0x1000n
export const HANDLER = 0x2000n
/** Primary and NMI stack of CPU `id`, one page each; these are their tops. */
export const primaryTop = (id = 0): bigint => 0x1_1000n + BigInt(id) * 0x1_0000n
export const nmiTop = (id = 0): bigint => 0x1_4000n + BigInt(id) * 0x1_0000n
/** Shadow stack of CPU `id`, where it has one; its token, which says nothing here, is at its top. */
export const shadowTop = (id = 0): bigint => 0x1_7000n + BigInt(id) * 0x1_0000n
export const GUEST = 0x8_0000n
export const GUEST_TOP = GUEST + 0x1000n
export const FRAME_BYTES = 24n

const halves = (value: bigint): [number, number] => [
  Number(BigInt.asIntN(32, value)),
  Number(BigInt.asIntN(32, value >> 32n)),
]

const put = (cpu: Cpu, at: bigint, value: bigint, access: number): void => {
  const [lo, hi] = halves(at)
  const [valueLo, valueHi] = halves(value)
  store64(cpu, lo, hi, valueLo, valueHi, access)
}

const get = (cpu: Cpu, at: bigint): bigint => {
  const [lo, hi] = halves(at)
  const low = load64(cpu, lo, hi)
  return (BigInt(cpu.hi >>> 0) << 32n) | BigInt(low >>> 0)
}

const deliver =
  (ownNmiStack: boolean, shadowStacks: boolean) =>
  (cpu: Cpu, event: CpuEvent): void => {
    const own = event.type === NMI && ownNmiStack
    const top = own ? nmiTop(cpu.id) : cpu.cpl === 3 ? primaryTop(cpu.id) : cpu.rsp
    const frame = top - FRAME_BYTES
    put(cpu, frame + 16n, BigInt(cpu.cpl), WRITE | IMPLICIT)
    put(cpu, frame + 8n, cpu.rsp, WRITE | IMPLICIT)
    put(cpu, frame, cpu.rip, WRITE | IMPLICIT)
    if (shadowStacks) {
      put(cpu, cpu.ssp - 8n, cpu.rip, WRITE | IMPLICIT)
      cpu.set64(SSP, cpu.ssp - 8n)
    }
    cpu.rsp = frame
    cpu.rip = HANDLER
    cpu.cpl = 0
  }

/** One-byte instructions; the registers that they use are fixed. */
export const NOP = 0x90
/** Returns to the frame at RSP. */
export const RETURN = 0xcf
/** Returns to RIP = RCX with RSP = RDX at CPL 3, and pops nothing. */
export const SYSRET = 0x0f
/** Writes RBX to the address in RAX. */
export const STORE = 0x89
/** RSP = RAX. */
export const SWITCH = 0x94
/** Faults. */
export const FAULT = 0x0b
/** Reads memory through GS. */
export const GS_LOAD = 0x65
/** RBX += 1. */
export const BUMP = 0x40
/** Waits for an event. */
export const HALT = 0xf4

/** SSP is on a shadow stack of this toy, with something on it. */
const hasShadowStack = ({ id, ssp }: Cpu): boolean => ssp < shadowTop(id) - 8n && ssp >= shadowTop(id) - 0x1000n

const RCX = 1
const RDX = 2
const RBX = 3

const SEMANTICS: Readonly<Record<number, readonly [mnemonic: string, execute: Semantics]>> = {
  [NOP]: ['nop', () => {}],
  [RETURN]: [
    'iret',
    (cpu) => {
      const [rip, rsp, cpl] = [0n, 8n, 16n].map((offset) => get(cpu, cpu.rsp + offset)) as [bigint, bigint, bigint]
      cpu.rip = rip
      cpu.rsp = rsp
      cpu.cpl = Number(cpl)
      if (hasShadowStack(cpu)) cpu.set64(SSP, cpu.ssp + 8n)
      cpu.words[STATUS] = cpu.words[STATUS]! & ~BLOCKED_BY_NMI
      cpu.observer?.returned?.(cpu, 'iret')
    },
  ],
  [SYSRET]: [
    'sysret',
    (cpu) => {
      cpu.rip = cpu.gpr(RCX)
      cpu.rsp = cpu.gpr(RDX)
      cpu.cpl = 3
      cpu.observer?.returned?.(cpu, 'sysret')
    },
  ],
  [STORE]: ['store', (cpu) => put(cpu, cpu.gpr(0), cpu.gpr(RBX), WRITE)],
  [GS_LOAD]: ['gs-load', () => {}],
  [BUMP]: ['bump', (cpu) => cpu.setGpr(RBX, cpu.gpr(RBX) + 1n)],
  [HALT]: [
    'halt',
    ({ words }) => {
      words[STATUS] = words[STATUS]! | HALTED
    },
  ],
  [SWITCH]: [
    'switch',
    (cpu) => {
      cpu.rsp = cpu.gpr(0)
    },
  ],
}

const GS_OPERAND: Operand = {
  kind: OPERAND_MEMORY,
  size: 8,
  register: -1,
  high: false,
  segment: GS,
  base: -1,
  index: -1,
  scale: 1,
  lo: 0,
  hi: 0,
  selector: 0,
}

const decoded = (mnemonic: string): Decoded => ({
  mnemonic,
  length: 1,
  codeSize: 64,
  operandSize: 8,
  addressSize: 8,
  operands: mnemonic === 'gs-load' ? [GS_OPERAND] : [],
  lock: false,
  rep: false,
  repne: false,
  notrack: false,
  text: mnemonic,
})

const toy = (ownNmiStack: boolean, shadowStacks: boolean): Plugin =>
  definePlugin({
    name: 'toy',
    setup(host) {
      host.add(DECODER, 'toy', {
        decode: (bytes) => {
          const found = SEMANTICS[bytes[0]!]
          return found === undefined ? null : decoded(found[0])
        },
      })
      for (const [mnemonic, execute] of Object.values(SEMANTICS)) host.instructions.define({ mnemonic, execute })
      host.add(MECHANISMS, 'toy', {
        name: 'toy',
        activeWhen: {},
        fallback: true,
        transferPolicy: {
          returnToOuterRing: true,
          callGates: false,
          ring0CompatibilityMode: false,
          shadowStackTokens: false,
        },
        deliver: deliver(ownNmiStack, shadowStacks),
      })
    },
  })

export interface Toy {
  readonly machine: Machine
  readonly boot: Boot
  readonly cpu: Cpu
  /** Puts instructions at an address. */
  write(address: bigint, ...code: number[]): void
}

/** A machine in ring 3, at CODE, with its stack in the guest's page. */
export function toyMachine({
  ownNmiStack = true,
  shadowStacks = false,
  cpus = 1,
  plugins = [] as readonly Plugin[],
  facts = {} as Partial<Boot>,
} = {}): Toy {
  const machine = createMachine({
    cpu: 'skylake',
    cpus,
    plugins: [toy(ownNmiStack, shadowStacks), explore(), ...plugins],
  })
  const space = machine.space(0n)
  space.map(CODE, PAGE_USER | PAGE_EXECUTABLE)
  space.map(HANDLER, PAGE_EXECUTABLE)
  space.map(GUEST, PAGE_USER | PAGE_WRITABLE)
  space.write(CODE, new Uint8Array(64).fill(NOP))
  space.write(HANDLER, new Uint8Array(64).fill(NOP))
  for (const { id } of machine.cpus) {
    space.map(primaryTop(id) - 0x1000n, PAGE_WRITABLE)
    space.map(nmiTop(id) - 0x1000n, PAGE_WRITABLE)
    if (shadowStacks) space.map(shadowTop(id) - 0x1000n, PAGE_WRITABLE)
  }
  for (const cpu of machine.cpus) {
    cpu.rip = CODE
    cpu.rsp = GUEST_TOP
    cpu.cpl = 3
    if (shadowStacks) cpu.set64(SSP, shadowTop(cpu.id) - 8n)
    // A delivery leaves the segments alone: nothing here depends on them.
    cpu.words[CS_SELECTOR] = 0x2b
  }
  const boot: Boot = {
    delivery: 'toy',
    reasons: [],
    log: [],
    labels: new Map([
      ['code', CODE],
      ['handler', HANDLER],
    ]),
    sites: {},
    areas: { guest: [{ address: GUEST, bytes: 0x1000 }] },
    stackMap: ({ id }) => ({
      cpu: id,
      delivery: 'toy',
      regions: [
        region(nmiTop(id), 'NMI'),
        region(primaryTop(id), 'primary'),
        ...(shadowStacks ? [region(shadowTop(id), 'shadow', 'shadow-stack')] : []),
      ],
      elsewhere: [],
    }),
    ...facts,
  }
  return {
    machine,
    boot,
    cpu: machine.cpu,
    write: (address, ...code) => space.write(address, Uint8Array.from(code)),
  }
}

const region = (top: bigint, name: string, kind: 'stack' | 'shadow-stack' = 'stack') => ({
  address: top - 0x1000n,
  bytes: 0x1000,
  name,
  kind,
  attributes: 'w',
  pointers: [],
})
