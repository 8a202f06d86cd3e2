// The entry and exit code of a host as it lies in memory, instruction by instruction, and the mutants that are made of it.
import { createDecoder } from '../../packages/isa/dist/index.js'

/** NOPs of 1 to 9 bytes; what is longer gets operand-size prefixes. One instruction each, so that boundaries stay. */
const NOPS = [
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
  [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
]

const nop = (length) =>
  Uint8Array.from(
    length <= NOPS.length
      ? NOPS[length - 1]
      : [...new Array(length - NOPS.length).fill(0x66), ...NOPS[NOPS.length - 1]],
  )

/** The instructions from one address up to another, each with the label of its part of the code. */
export function instructionsOf(machine, labels, { from, to }) {
  const decoder = createDecoder()
  const found = []
  for (let address = from; address < to; ) {
    const bytes = machine.space(0n).read(address, 15)
    const insn = decoder.decode(bytes, 64, machine.model.vendor)
    if (insn === null || typeof insn === 'string') throw new Error(`no instruction at ${address.toString(16)}`)
    const [label, start] = labelOf(labels, address)
    const { mnemonic, length, text } = insn
    const end = address + BigInt(length)
    const opcode = bytes[0] === 0x0f ? 1 : 0
    const conditional = (bytes[opcode] & 0xf0) === (opcode === 1 ? 0x80 : 0x70)
    found.push({
      address,
      end,
      label,
      offset: Number(address - start),
      text,
      mnemonic,
      bytes: bytes.slice(0, length),
      conditional,
      opcode,
    })
    address = end
  }
  return found
}

/** The label that an address is at or behind; local ones, which have a dot, do not count. */
function labelOf(labels, address) {
  let best = ['?', 0n]
  for (const [name, at] of labels) if (!name.includes('.') && at <= address && at > best[1]) best = [name, at]
  return best
}

/** The mutants of an instruction: without it, and with its condition inverted where it is a conditional jump. */
export function mutantsOf(insn) {
  const made = [{ insn, how: 'deleted', bytes: nop(insn.bytes.length) }]
  if (!insn.conditional) return made
  const inverted = insn.bytes.slice()
  inverted[insn.opcode] ^= 1
  return [...made, { insn, how: 'inverted', bytes: inverted }]
}

/** How people find it: `handle_exception+1c: mov rdi,rsp, deleted`. */
export const nameOf = ({ insn, how }) => `${insn.label}+0x${insn.offset.toString(16)}: ${insn.text}, ${how}`
