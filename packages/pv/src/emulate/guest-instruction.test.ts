import { CS } from '@trapframe/core'
import { FIRST_RESERVED_GDT_BYTE, GUEST_CODE, gdtBase } from '@trapframe/xen'
import { describe, expect, it } from 'vitest'
import { runGuest } from '../../test/emulation-machine.js'
import { fetchInstruction, type GuestInstruction, guestInstruction } from './guest-instruction.js'

/** What Xen makes of the instruction that raised the first exception. */
function seen(source: string, registers: Readonly<Record<number, bigint>> = {}): GuestInstruction | null {
  let found: GuestInstruction | null = null
  runGuest(source, {
    delivery: 'idt',
    registers,
    handle(context) {
      found = guestInstruction(context)
      return false
    },
  })
  return found
}

describe('the instruction at the guest’s CS:RIP', () => {
  it.each([
    ['int 0x20', 'int', 2, 0xcd, false],
    ['db 0x66, 0x2e\nint 0x20', 'int', 4, 0xcd, false],
    ['db 0x48\nint 0x20', 'int', 3, 0xcd, true],
    ['db 0x66, 0x66, 0x66, 0x66, 0x48\nint 0x20', 'int', 7, 0xcd, true],
    ['rdmsr', 'rdmsr', 2, 0x0f32, false],
    ['mov r8, cr0', 'mov', 4, 0x0f20, true],
    ['in al, dx', 'in', 1, 0xec, false],
  ])(
    'int/20-*-pfx*: %s is decoded with length, opcode and whether it has a REX prefix',
    (source, mnemonic, length, opcode, rex) => {
      expect(seen(source)).toMatchObject({ length, opcode, rex, decoded: { mnemonic, length } })
    },
  )

  it('gives the bytes', () => {
    expect(seen('int 0x20')!.bytes).toEqual(new Uint8Array([0xcd, 0x20]))
  })

  it('is none where the descriptor of CS is no present code segment any more, and is in its size where it is one', () => {
    const E033 = 0xe033n
    const at = gdtBase(0) + E033 - 3n
    expect(at).toBeGreaterThanOrEqual(gdtBase(0) + BigInt(FIRST_RESERVED_GDT_BYTE))
    const results: (string | null)[] = []
    runGuest('rdmsr', {
      delivery: 'idt',
      handle(context) {
        const { cpu } = context
        const before = cpu.space.read64(at)
        const FLAT_32 = 0x00cf_fb00_0000_ffffn
        const SMALL = 0x0040_fb00_0000_00ffn
        const NOT_PRESENT = before & ~(1n << 47n)
        const DATA = 0x00cf_f300_0000_ffffn
        for (const descriptor of [before, FLAT_32, SMALL, NOT_PRESENT, DATA]) {
          cpu.space.write64(at, descriptor)
          const found = guestInstruction(context)
          results.push(found === null ? null : `${found.decoded.mnemonic} ${found.decoded.codeSize}`)
        }
        cpu.space.write64(at, before)
        expect(cpu.segment(CS).selector).not.toBe(0xe033)
        return false
      },
    })
    expect(results).toEqual(['rdmsr 64', 'rdmsr 32', null, null, null])
  })

  it('is none in a page that cannot be read, and says which; a page that can be read is enough', () => {
    let missing: unknown
    const { machine } = runGuest('rdmsr', {
      delivery: 'idt',
      handle(context) {
        context.regs.set('rip', 0xdead_0ffen)
        missing = fetchInstruction(context)
        return false
      },
    })
    expect(missing).toEqual({ faultAt: 0xdead_0ffen })
    expect(machine.space(0n).read(GUEST_CODE.linear, 2)).toEqual(new Uint8Array([0x0f, 0x32]))
  })

  it('P6: is never in Xen’s range', () => {
    let found: unknown
    runGuest('rdmsr', {
      delivery: 'idt',
      handle(context) {
        context.regs.set('rip', 0xffff_82d0_4020_0000n)
        found = guestInstruction(context)
        return false
      },
    })
    expect(found).toBeNull()
  })
})
