import { CR2, CS, raise, SS, STAR } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { flat, patchGate, runTo } from '../test/flat-machine.js'
import {
  GUEST_CODE,
  GUEST_CS32,
  GUEST_CS64,
  GUEST_SS,
  GUEST_STACK_TOP,
  HOST_CODE,
  HOST_CS,
  HOST_SS,
  SYSCALL_ENTRY,
  stackTop,
} from './flat/memory.js'
import { readFrame } from './frame.js'

/**
 * Where recorders, manuals and vendors disagree about returns and system calls, this is what the model answers;
 * docs/disputed.md has the reasons.
 */

const RF = 1n << 16n
const TF = 1n << 8n
/** Where the CPU of the host site has its frame, for an IRET to pop. */
const FRAME = stackTop(0, 0) - 0x100n

/** The host site about to execute an IRET with this frame, lowest quadword first. */
function returning(...frame: readonly bigint[]) {
  const machine = flat({ site: 'host', source: 'iretq' })
  frame.forEach((quad, n) => {
    machine.cpu.space.write64(FRAME + BigInt(8 * n), quad)
  })
  machine.cpu.rsp = FRAME
  return machine
}

describe('IRET', () => {
  test.each([
    ['iretd', 4],
    ['iret', 2],
  ])('%s in 64-bit mode pops RSP and SS at the same privilege too', (mnemonic, bytes) => {
    const { machine, cpu } = flat({ site: 'host', source: mnemonic === 'iret' ? 'iretw' : mnemonic })
    const frame = new Uint8Array(5 * bytes)
    const view = new DataView(frame.buffer)
    const values = [0x1234, HOST_CS, 2, 0x5678, HOST_SS]
    for (const [n, value] of values.entries()) {
      if (bytes === 4) view.setUint32(4 * n, value, true)
      else view.setUint16(2 * n, value, true)
    }
    cpu.space.write(FRAME, frame)
    cpu.rsp = FRAME
    machine.step()
    expect([cpu.rip, cpu.rsp, cpu.segment(SS).selector]).toEqual([0x1234n, 0x5678n, HOST_SS])
  })

  test('a frame on an absent page: the fault names the quadword of RFLAGS', () => {
    const { machine, cpu } = returning()
    cpu.rsp = 0x70_0000n
    patchGate(cpu, 14, 4, 1)
    machine.step()
    expect(readFrame(cpu, 14)).toMatchObject({ rip: HOST_CODE, rsp: 0x70_0000n })
    expect(cpu.get64(CR2)).toBe(0x70_0010n)
  })

  test('to CPL 0 with a null SS: RPL 0 is accepted, any other is #GP(0)', () => {
    const good = returning(HOST_CODE, BigInt(HOST_CS), 2n, FRAME, 0n)
    good.machine.step()
    expect(good.cpu.segment(SS).selector).toBe(0)
    for (const rpl of [1n, 2n, 3n]) {
      const { machine, cpu } = returning(HOST_CODE, BigInt(HOST_CS), 2n, FRAME, rpl)
      machine.step()
      runTo(machine, 13)
      expect(readFrame(cpu, 13)).toMatchObject({ errorCode: 0, rip: HOST_CODE, cs: HOST_CS })
    }
  })

  test('a return whose shadow-stack step faults reports the state before it', () => {
    const { machine, cpu } = flat({ site: 'host', source: 'iretq', shadowStacks: true })
    const frame = [GUEST_CODE, BigInt(GUEST_CS64), 2n, GUEST_STACK_TOP, BigInt(GUEST_SS)]
    frame.forEach((quad, n) => {
      cpu.space.write64(FRAME + BigInt(8 * n), quad)
    })
    cpu.rsp = FRAME
    cpu.ssp += 4n
    patchGate(cpu, 21, 4, 1)
    machine.step()
    runTo(machine, 21)
    expect(cpu.cpl).toBe(0)
    expect(readFrame(cpu, 21)).toMatchObject({ errorCode: 2, rip: HOST_CODE, cs: HOST_CS, ss: HOST_SS, rsp: FRAME })
  })
})

describe('SYSCALL and SYSENTER', () => {
  test('SYSCALL with IA32_STAR[33:32] set: CS has RPL 0, SS is IA32_STAR[47:32] + 8 as it is', () => {
    for (const cpuName of ['panther-lake', 'zen4']) {
      const { machine, cpu } = flat({ cpu: cpuName, source: 'syscall' })
      cpu.set64(STAR, (BigInt(GUEST_CS32) << 48n) | (BigInt(HOST_CS | 3) << 32n))
      machine.step()
      expect([cpu.cpl, cpu.segment(CS).selector, cpu.segment(SS).selector]).toEqual([0, HOST_CS, HOST_SS | 3])
    }
  })

  test('SYSCALL puts RFLAGS into R11 without RF', () => {
    const { machine, cpu } = flat({ source: 'syscall' })
    cpu.rflags = 0x202n | RF
    machine.step()
    expect([cpu.rip, cpu.gpr(11)]).toEqual([SYSCALL_ENTRY, 0x202n])
  })

  test.each(['sysenter', 'o64 sysexit'])('%s in long mode is #UD on AMD', (source) => {
    const { machine, cpu } = flat({ cpu: 'zen4', site: source === 'sysenter' ? 'guest' : 'host', source })
    machine.step()
    runTo(machine, 6)
    expect(readFrame(cpu, null).rip).toBe(source === 'sysenter' ? GUEST_CODE : HOST_CODE)
  })
})

/** The host site about to execute SYSRETQ. */
function sysret(cpuName: string, rcx: bigint, r11: bigint) {
  const setup = flat({ cpu: cpuName, site: 'host', source: 'o64 sysret' })
  setup.cpu.setGpr(1, rcx)
  setup.cpu.setGpr(11, r11)
  setup.cpu.space.write(GUEST_CODE, Uint8Array.of(0x90, 0x90))
  return setup
}

describe('SYSRET', () => {
  test('RF in R11 is not loaded', () => {
    const { machine, cpu } = sysret('panther-lake', GUEST_CODE, 0x202n | RF)
    machine.step()
    expect([cpu.rip, cpu.rflags]).toEqual([GUEST_CODE, 0x202n])
  })

  test('SS is a flat segment of ring 3 afterwards, also where it was null', () => {
    const { machine, cpu } = sysret('panther-lake', GUEST_CODE, 0x202n)
    cpu.setSegment(SS, { selector: 0, base: 0n, limit: 0, access: 0x10000 })
    machine.step()
    expect(cpu.segment(SS)).toEqual({ selector: GUEST_SS, base: 0n, limit: 0xffff_ffff, access: 0xc0f3 })
  })

  test('a TF that it loads traps after the first instruction at the target', () => {
    const { machine, cpu } = sysret('panther-lake', GUEST_CODE, 0x202n | TF)
    runTo(machine, 1)
    expect(readFrame(cpu, null)).toMatchObject({ rip: GUEST_CODE + 1n, cs: GUEST_CS64 })
  })

  test.each([
    ['panther-lake', HOST_CS, HOST_CODE],
    ['zen4', GUEST_CS64, 0x8000_0000_0000n],
  ])('CVE-2012-0217: an RCX that is not canonical on %s: #GP(0) from CS %s at %s', (cpuName, cs, rip) => {
    const { machine, cpu } = sysret(cpuName, 0x8000_0000_0000n, 0x202n)
    cpu.rsp = FRAME
    runTo(machine, 13)
    expect(readFrame(cpu, 13)).toMatchObject({ errorCode: 0, cs, rip, rsp: FRAME })
  })

  test.each([
    ['panther-lake', 3],
    ['zen4', 0],
  ])('the RPL of SS with IA32_STAR[49:48] = 0, on %s: %s', (cpuName, rpl) => {
    const { machine, cpu } = sysret(cpuName, GUEST_CODE, 0x202n)
    cpu.set64(STAR, (BigInt(GUEST_CS32 & ~3) << 48n) | (BigInt(HOST_CS) << 32n))
    machine.step()
    expect(cpu.segment(SS).selector).toBe((GUEST_SS & ~3) | rpl)
    expect(cpu.segment(CS).selector).toBe(GUEST_CS64)
  })
})

describe('MSRs and near transfers', () => {
  const wrmsr = (index: number, cpuName: string) => {
    const setup = flat({ cpu: cpuName, site: 'host', source: 'wrmsr' })
    setup.cpu.setGpr(1, BigInt(index))
    return setup
  }

  test('WRMSR of IA32_STAR keeps bits 31:0', () => {
    for (const cpuName of ['panther-lake', 'zen4']) {
      const { machine, cpu } = wrmsr(0xc000_0081, cpuName)
      cpu.setGpr(0, 0x1234_5678n)
      cpu.setGpr(2, 0x1b_0008n)
      machine.step()
      expect(cpu.get64(STAR)).toBe(0x001b_0008_1234_5678n)
    }
  })

  test('WRMSR of IA32_FMASK with a bit above 31 is #GP(0)', () => {
    for (const cpuName of ['panther-lake', 'zen4']) {
      const { machine, cpu } = wrmsr(0xc000_0084, cpuName)
      cpu.setGpr(2, 1n)
      machine.step()
      runTo(machine, 13)
      expect(readFrame(cpu, 13)).toMatchObject({ errorCode: 0, rip: HOST_CODE })
    }
  })

  test('a near CALL to an address that is not canonical: #GP(0), and nothing is written below RSP', () => {
    const { machine, cpu } = flat({ source: 'call rax' })
    cpu.setGpr(0, 0x8000_0000_0000n)
    machine.step()
    runTo(machine, 13)
    expect(readFrame(cpu, 13)).toMatchObject({ errorCode: 0, rip: GUEST_CODE, rsp: GUEST_STACK_TOP })
    expect(cpu.space.read64(GUEST_STACK_TOP - 8n)).toBe(0n)
  })

  test('RF in the frame: 1 for #UD, 0 for a #DB trap, on AMD as on Intel', () => {
    for (const [vector, rf] of [
      [6, RF],
      [1, 0n],
    ] as const) {
      const { cpu } = flat({ cpu: 'zen4' })
      raise(cpu, { kind: 'hardwareException', vector })
      expect(readFrame(cpu, null).rflags & RF).toBe(rf)
    }
  })
})
