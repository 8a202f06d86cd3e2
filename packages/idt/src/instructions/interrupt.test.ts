import { describe, expect, test } from 'vitest'
import { flat } from '../../test/flat-machine.js'
import { GUEST_CODE, handlerAddress } from '../flat/memory.js'
import { readFrame } from '../frame.js'

const OF = 0x800n

describe('INT n, INT3, INT1, INTO (XSA-106)', () => {
  test.each([
    ['int 0x80', 0x80, 2n],
    ['int3', 3, 1n],
    ['db 0xcd, 3', 3, 2n],
    ['db 0xf1', 1, 1n],
    ['db 0x66, 0xcd, 0x80', 0x80, 3n],
  ])('%s arrives at vector %i and reports the next instruction', (source, vector, length) => {
    const { machine, cpu } = flat({ source })
    machine.step()
    expect([cpu.rip, readFrame(cpu, null).rip]).toEqual([handlerAddress(vector), GUEST_CODE + length])
  })

  test.each([
    ['int 0x81', 0x81],
    ['db 0xcd, 1', 1],
  ])('%s from ring 3 through a gate of ring 0 is #GP of the INT itself, with RF = 1 in the frame', (source, vector) => {
    const { machine, cpu } = flat({ source })
    machine.step()
    expect(cpu.rip).toBe(handlerAddress(13))
    expect(readFrame(cpu, 13)).toMatchObject({ rip: GUEST_CODE, errorCode: vector * 8 + 2, rflags: 0x1_0202n })
  })

  test('INT1 passes that gate: its DPL is not looked at', () => {
    const { machine, cpu } = flat({ source: 'db 0xf1' })
    machine.step()
    expect(cpu.rip).toBe(handlerAddress(1))
  })

  test('INT n with TF = 1 is not followed by a single step: the handler runs with TF = 0', () => {
    const { machine, cpu } = flat({ source: 'int 0x80' })
    cpu.rflags = 0x302n
    machine.step()
    expect([cpu.rip, cpu.rflags & 0x100n]).toEqual([handlerAddress(0x80), 0n])
    machine.step()
    expect([cpu.cpl, cpu.rip]).toEqual([3, GUEST_CODE + 2n])
  })

  test('INTO is #UD in 64-bit mode; in compatibility mode it traps when OF = 1', () => {
    const long = flat({ source: 'db 0xce' })
    long.machine.step()
    expect(long.cpu.rip).toBe(handlerAddress(6))
    for (const overflow of [0n, OF]) {
      const { machine, cpu } = flat({ source: 'db 0xce, 0x90' })
      cpu.setSegment(1, { selector: 0x1b, base: 0n, limit: 0xffff_ffff, access: 0xc0fb })
      cpu.rflags = 2n | overflow
      machine.step()
      expect(cpu.rip).toBe(overflow === 0n ? GUEST_CODE + 1n : handlerAddress(4))
    }
  })
})
