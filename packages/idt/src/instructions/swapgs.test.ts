import { CS } from '@trapframe/core'
import { expect, test } from 'vitest'
import { flat } from '../../test/flat-machine.js'
import { guestGsBase, handlerAddress, hostGsBase } from '../flat/memory.js'

test('SWAPGS exchanges GS.base and IA32_KERNEL_GS_BASE; twice is never', () => {
  const { machine, cpu } = flat({ site: 'host', source: 'swapgs\nswapgs' })
  machine.step()
  expect([cpu.gsBase, cpu.kernelGsBase]).toEqual([guestGsBase(0), hostGsBase(0)])
  machine.step()
  expect([cpu.gsBase, cpu.kernelGsBase]).toEqual([hostGsBase(0), guestGsBase(0)])
})

test('SWAPGS in ring 3 is #GP(0), outside 64-bit mode #UD', () => {
  const ring3 = flat({ source: 'swapgs' })
  ring3.machine.step()
  expect(ring3.cpu.rip).toBe(handlerAddress(13))
  const compatibility = flat({ source: 'db 0x0f, 0x01, 0xf8' })
  compatibility.cpu.setSegment(CS, { selector: 0x1b, base: 0n, limit: 0xffff_ffff, access: 0xc0fb })
  compatibility.machine.step()
  expect(compatibility.cpu.rip).toBe(handlerAddress(6))
})
