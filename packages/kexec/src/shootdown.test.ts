import { advanceTime, BLOCKED_BY_NMI, STATUS } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { crashMachine, HOSTS } from '../test/crash-machine.js'
import {
  arrivalFaults,
  crashingCpu,
  isContained,
  loadCrashImage,
  notShotDown,
  readCrashNote,
  waitedFor,
} from './index.js'
import { cpuList } from './report.js'

describe.each(HOSTS)('$delivery, $revision', (host) => {
  test('K1, K2, D3: every other CPU acknowledges and halts in its NMI handler', () => {
    const { machine, log, run } = crashMachine(host)
    run()
    expect(machine.cpus.map(isContained)).toEqual([false, true, true])
    expect(machine.cpus.every((cpu) => cpu.halted)).toBe(true)
    expect(waitedFor(machine)).toEqual([])
    expect(log[0]).toBe('Shot down all CPUs')
  })

  test.each(['64-bit', '32-bit'] as const)(
    'K3: the %s crash kernel is entered as documented, and FRED is off',
    (image) => {
      const { machine, boot, log, run } = crashMachine({ ...host, image })
      const entry = boot.labels.get(image === '64-bit' ? 'crash_kernel' : 'crash_kernel_32')!
      run(() => machine.cpu.rip === entry)
      expect(arrivalFaults(machine.cpu, image)).toEqual([])
      expect(machine.cpu.mechanism?.name).not.toBe('fred')
      expect(machine.cpu.words[STATUS]! & BLOCKED_BY_NMI).toBe(0)
      run()
      expect(log.at(-1)).toBe(`Crash kernel, ${image}: entered on CPU 0, as documented`)
      expect(machine.cpu.halted).toBe(true)
      expect(machine.cpu.rip).toBe(entry + 2n)
    },
  )

  test('K4: the note of a guest holds its registers, without what FRED adds to CS and SS', () => {
    const { machine, boot, run } = crashMachine(host)
    run()
    const { registers, cpu } = readCrashNote(machine, 2)!
    const origin = boot.sites.guest!.origin
    expect(cpu).toBe(2)
    expect(registers).toMatchObject({ rip: origin + 5n, rax: 0x1234n, cs: 0xe033n, ss: 0xe02bn, rflags: 0x202n })
    expect(registers.rsp).toBe(0x7f00_c000n)
  })

  test('K4: CPUs that do not respond within 1000 ms are reported by number', () => {
    const { machine, log, run } = crashMachine({ ...host, cpus: 4 })
    for (const id of [1, 2]) machine.cpus[id]!.words[STATUS] = machine.cpus[id]!.words[STATUS]! | BLOCKED_BY_NMI
    run(() => isContained(machine.cpus[3]!))
    advanceTime(machine, 999_999_999n)
    run()
    expect(log).toEqual([])
    advanceTime(machine, 1n)
    run(() => log.length > 1)
    expect(log[0]).toBe('Failed to shoot down CPUs {1-2}')
    expect(notShotDown(machine)).toEqual([1, 2])
  })
})

test('K1: of two CPUs that crash at once one wins, and the other is shot down', () => {
  const { machine, boot, run } = crashMachine({ cpus: 2 })
  boot.sites.host!.enter(machine.cpus[1]!)
  run()
  expect(crashingCpu(machine)).toBe(0)
  expect(machine.cpus.map(isContained)).toEqual([false, true])
})

test('K1: without an image kexec_crash returns, and nothing has happened', () => {
  const { machine, boot, run } = crashMachine({ cpus: 1 })
  machine.space(0n).write(boot.labels.get('crash_image')!, new Uint8Array(4))
  run()
  expect(crashingCpu(machine)).toBeNull()
  expect(machine.cpu.rip).toBe(boot.sites.host!.origin + 6n)
})

test('K4: the GS base of a guest is its own under both deliveries, though entry from ring 3 exchanges the two under FRED', () => {
  for (const delivery of ['idt', 'fred'] as const) {
    const { machine, run } = crashMachine({ delivery })
    machine.cpus[1]!.gsBase = 0x7000_0000_1000n
    machine.cpus[1]!.kernelGsBase = 0x7000_0000_2000n
    run()
    expect(readCrashNote(machine, 1)!.registers.gs_base).toBe(0x7000_0000_1000n)
  }
})

test('K4: sets of CPUs are printed as Xen prints them', () => {
  expect(cpuList([1, 2, 3, 7, 9, 10])).toBe('1-3,7,9-10')
  expect(cpuList([])).toBe('')
})

test('a precaution that there is not is refused, with those that there are', () => {
  const { machine } = crashMachine({ cpus: 1 })
  expect(() => loadCrashImage(machine, { precautions: { selfMni: false } as never })).toThrow(
    'unknown precaution "selfMni"',
  )
})
