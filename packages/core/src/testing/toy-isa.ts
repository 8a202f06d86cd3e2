import { deliverEvent } from '../event/deliver.js'
import { instructionEvent, SOFTWARE_INTERRUPT } from '../event/event.js'
import { gp } from '../event/fault.js'
import type { Decoded, Decoder } from '../instruction/decoded.js'
import { DECODER, definePlugin, type Plugin } from '../plugin/plugin.js'
import { CPL, RAX, STATUS } from '../state/registers.js'
import { HALTED } from '../state/status.js'

const OPCODES: ReadonlyMap<number, readonly [mnemonic: string, length: number]> = new Map([
  [0x90, ['nop', 1]],
  [0xf4, ['hlt', 1]],
  [0x40, ['bump', 1]],
  [0xcd, ['int', 2]],
  [0xcf, ['toyret', 1]],
])

const decoder: Decoder = {
  decode(bytes, codeSize) {
    const opcode = OPCODES.get(bytes[0] ?? 0)
    if (opcode === undefined) return null
    const [mnemonic, length] = opcode
    if (bytes.length < length) return 'truncated'
    const vector = length === 2 ? bytes[1]! : 0
    return instruction(mnemonic, length, codeSize, vector)
  },
}

function instruction(mnemonic: string, length: number, codeSize: 16 | 32 | 64, immediate: number): Decoded {
  return {
    mnemonic,
    length,
    codeSize,
    operandSize: 8,
    addressSize: 8,
    operands: [
      {
        kind: 2,
        size: 1,
        register: -1,
        high: false,
        segment: 3,
        base: -1,
        index: -1,
        scale: 1,
        lo: immediate,
        hi: 0,
        selector: 0,
      },
    ],
    lock: false,
    rep: false,
    repne: false,
    notrack: false,
    text: mnemonic,
  }
}

/**
 * A decoder with five instructions and their semantics, for tests of a mechanism or of core that want no real machine
 * code: `90` nop, `F4` hlt (CPL 0), `40` bump (RAX += 1), `CD n` int n. `CF` decodes as `toyret` and has no meaning
 * until a mechanism gives it one.
 */
export function toyIsa(): Plugin {
  return definePlugin({
    name: 'toy-isa',
    setup(host) {
      host.add(DECODER, 'toy', decoder)
      host.instructions.define({ mnemonic: 'nop', execute: () => {} })
      host.instructions.define({
        mnemonic: 'hlt',
        execute: ({ words }) => {
          if (words[CPL] !== 0) throw gp(0)
          words[STATUS] = words[STATUS]! | HALTED
        },
      })
      host.instructions.define({
        mnemonic: 'bump',
        execute: ({ words }) => {
          words[RAX] = words[RAX]! + 1
        },
      })
      host.instructions.define({
        mnemonic: 'int',
        execute: (cpu, insn) =>
          deliverEvent(cpu, instructionEvent(SOFTWARE_INTERRUPT, insn.operands[0]!.lo & 0xff, insn.length)),
      })
    },
  })
}
