import { PAGE_WRITABLE, store64 } from '@trapframe/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GUEST, toyMachine } from '../../test/toy.js'
import { StatePacker } from './packed-state.js'

const action = fc.oneof(
  fc.record({ do: fc.constant('store' as const), at: fc.nat(4088), value: fc.integer() }),
  fc.record({ do: fc.constant('zero' as const), at: fc.nat(4088) }),
  fc.record({ do: fc.constant('word' as const), at: fc.nat(10_000), value: fc.integer() }),
  fc.record({ do: fc.constant('map' as const), page: fc.nat(2) }),
  fc.record({ do: fc.constant('unpack' as const), which: fc.nat(20) }),
)

test('a state that is packed and unpacked, among others and on another machine, is byte for byte the same', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const { machine, cpu } = toyMachine({ cpus: 2 })
      const packer = new StatePacker(machine)
      const packed: { readonly words: Int32Array; readonly snapshot: ReturnType<typeof machine.snapshot> }[] = []
      for (const what of actions) {
        if (what.do === 'store') store64(cpu, Number(GUEST) + what.at, 0, what.value, ~what.value)
        else if (what.do === 'zero') store64(cpu, Number(GUEST) + what.at, 0, 0, 0)
        else if (what.do === 'word') {
          // Some register of some CPU; not those that the derived fields come from.
          const { words } = machine.cpus[what.at & 1]!
          words[what.at % 32] = what.value
        } else if (what.do === 'map') machine.space(0n).map(0x20_0000n + BigInt(what.page) * 0x1000n, PAGE_WRITABLE)
        else if (packed.length > 0) {
          const { words, snapshot } = packed[what.which % packed.length]!
          packer.unpack(words, 0, words.length)
          expect(machine.equals(snapshot)).toBe(true)
        }
        const count = packer.pack()
        packed.push({ words: packer.words.slice(0, count), snapshot: machine.snapshot() })
      }
      for (const { words, snapshot } of packed) {
        packer.unpack(words, 0, words.length)
        expect(machine.equals(snapshot)).toBe(true)
      }
    }),
    { numRuns: 60 },
  )
})
