import type { Cpu } from '../cpu/cpu.js'
import { MachineError } from '../error.js'
import { gp, ud } from '../event/fault.js'
import { FETCH } from '../memory/access.js'
import { ENTRY_FLAGS, ENTRY_INDEX_SHIFT } from '../memory/address-space.js'
import { fetchableDeviceIndex } from '../memory/device.js'
import { isCanonical } from '../memory/segmented.js'
import { CS, RFLAGS, RIP, SEGMENT_BASE, SEGMENT_LIMIT, segmentSlot } from '../state/registers.js'
import { AC } from '../state/rflags.js'
import type { Code } from './code.js'
import type { Decoded } from './decoded.js'

/** Longest instruction in bytes; a longer one is #GP(0) (SDM 2 2.3.11). */
const MAX_LENGTH = 15

/**
 * The instruction at RIP, decoded and bound to the semantics of the active mechanism, after every check of a fetch:
 * canonical address or CS limit (#GP(0)), the pages (#PF), length (#GP(0)), opcode (#UD).
 */
export function fetch(cpu: Cpu): Code {
  if (cpu.codeSize !== 64) return fetchCompatibility(cpu)
  const lo = cpu.words[RIP]!
  const hi = cpu.words[RIP + 1]!
  if (!isCanonical(cpu, hi)) throw gp(0)
  return fetchLinear(cpu, lo, hi)
}

function fetchCompatibility(cpu: Cpu): Code {
  const slot = segmentSlot(CS)
  const eip = cpu.words[RIP]!
  if (eip >>> 0 > cpu.words[slot + SEGMENT_LIMIT]! >>> 0) throw gp(0)
  const code = fetchLinear(cpu, (eip + cpu.words[slot + SEGMENT_BASE]!) | 0, 0)
  if ((eip >>> 0) + code.length - 1 > cpu.words[slot + SEGMENT_LIMIT]! >>> 0) throw gp(0)
  return code
}

function fetchLinear(cpu: Cpu, lo: number, hi: number): Code {
  const frame = cpu.space.memory.frames[fetchableFrame(cpu, lo, hi)]!
  const code = frame.code === null ? undefined : frame.code[lo & 0xfff]
  if (code === undefined || code.codeSize !== cpu.codeSize) return decodeAt(cpu, lo, hi)
  if (code.table !== cpu.dispatch.id) {
    code.table = cpu.dispatch.id
    code.run = cpu.dispatch.lookup(code.insn)
  }
  return code
}

/** Dense index of the frame to fetch from. @throws #PF */
function fetchableFrame(cpu: Cpu, lo: number, hi: number): number {
  const entry = cpu.space.lookup(lo, hi)
  const access = FETCH | cpu.user
  const ac = (cpu.words[RFLAGS]! & AC) >>> 8
  if (cpu.permissions[ac | (access << 5) | (entry & ENTRY_FLAGS)] === 0) {
    return fetchableDeviceIndex(cpu, lo, hi, access, entry)
  }
  return entry >> ENTRY_INDEX_SHIFT
}

function decodeAt(cpu: Cpu, lo: number, hi: number): Code {
  const { machine } = cpu
  const routine = machine.routineAt(lo, hi)
  if (routine !== undefined) return cache(cpu, lo, hi, routine)
  const decoder = machine.decoder
  if (decoder === null) {
    throw new MachineError('no-decoder', 'there is code to run and no decoder', {
      hint: 'load isa() from @trapframe/isa',
    })
  }
  const offset = lo & 0xfff
  const index = fetchableFrame(cpu, lo, hi)
  const here = cpu.space.memory.frames[index]!.bytes.subarray(offset, offset + MAX_LENGTH)
  let decoded = decoder.decode(here, cpu.codeSize, cpu.model.vendor)
  if (decoded === 'truncated') {
    const nextLo = ((lo | 0xfff) + 1) | 0
    const nextHi = nextLo === 0 ? (hi + 1) | 0 : hi
    if (cpu.codeSize === 64 && !isCanonical(cpu, nextHi)) throw gp(0)
    const next = cpu.space.memory.frames[fetchableFrame(cpu, nextLo, nextHi)]!
    const bytes = new Uint8Array(MAX_LENGTH)
    bytes.set(here)
    bytes.set(next.bytes.subarray(0, MAX_LENGTH - here.length), here.length)
    decoded = decoder.decode(bytes, cpu.codeSize, cpu.model.vendor)
  }
  if (decoded === 'too-long' || decoded === 'truncated') throw gp(0)
  if (decoded === null) throw ud()
  return cache(cpu, lo, hi, decoded)
}

/** Binds an instruction and keeps it in its page's table, unless it runs into the next page. */
function cache(cpu: Cpu, lo: number, hi: number, insn: Decoded): Code {
  const offset = lo & 0xfff
  const code = cpu.dispatch.bind(insn)
  if (offset + insn.length <= 4096) {
    const frame = cpu.space.memory.frames[fetchableFrame(cpu, lo, hi)]!
    frame.code ??= new Array<Code | undefined>(4096).fill(undefined)
    frame.code[offset] = code
  }
  return code
}

/** Moves RIP past an instruction. */
export function advance(cpu: Cpu, length: number): void {
  const { words } = cpu
  const lo = words[RIP]!
  const hi = words[RIP + 1]!
  const next = (lo + length) | 0
  words[RIP] = next
  if (next >>> 0 < lo >>> 0 && cpu.codeSize === 64) words[RIP + 1] = hi + 1
}
