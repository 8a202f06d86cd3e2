import {
  type CpuEvent,
  deliverEvent,
  type EventType,
  isInstructionEvent,
  pendMachineCheck,
  pushesErrorCode,
  readMsr,
} from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { enter, printed, runTo, xenMachine } from '../../test/xen-machine.js'

const TYPES: readonly EventType[] = [0, 2, 3, 4, 5, 6, 7]
const MOST_STEPS = 400

const eventOf = (type: EventType, vector: number): CpuEvent => ({
  type,
  vector,
  errorCode: 0,
  hasErrorCode: type === 3 && pushesErrorCode(vector),
  dataLo: 0,
  dataHi: 0,
  length: isInstructionEvent(type) ? 2 : 0,
  nested: false,
})

/** Xen's answer to an event of every type and vector: the last thing that it prints, or `back`. */
function answers(site: 'guest' | 'host', vectors: readonly number[]): Map<string, string[]> {
  const xen = xenMachine('panther-lake', { delivery: 'fred' })
  enter(xen, site, 'nop\nnop\nback: jmp back')
  const start = xen.machine.snapshot()
  const found = new Map<string, string[]>()
  for (const type of TYPES) {
    for (const vector of vectors) {
      xen.machine.restore(start)
      const lines: string[] = []
      const release = xen.machine.trace.on('log', ({ text }) => lines.push(text))
      deliverEvent(xen.cpu, eventOf(type, vector))
      for (let n = 0; n < MOST_STEPS && xen.cpu.rip !== xen.boot.sites[site]!.origin; n++) xen.machine.step()
      release()
      const last = lines.find((line) => /^(FATAL|DOUBLE|Domain 1|Hit)/.test(line)) ?? 'back'
      const answer = last.replace(/vec \d+.*/, 'vec …').replace(/ at [0-9a-f]+$/, '')
      found.set(answer, [...(found.get(answer) ?? []), `${type}/${vector}`])
    }
  }
  return found
}

describe('F9: dispatch under FRED has an answer to every type and vector', () => {
  it('from Xen’s own code: interrupts, NMI, #MC, #DB and #BP return; everything else is fatal and says which it was', () => {
    const found = answers('host', [...Array.from({ length: 34 }, (_, n) => n), 0x80, 0xfc, 0xff])
    const back = found.get('back')!
    expect(back.filter((name) => /^[02]\//.test(name))).toHaveLength(2 * 37)
    expect(back.filter((name) => !name.startsWith('0/') && !name.startsWith('2/'))).toEqual([
      '3/1',
      '3/18',
      '5/1',
      '6/1',
    ])
    for (const type of [
      'type 3, HW_EXC',
      'type 4, SW_INT',
      'type 5, PRIV_SW_EXEC',
      'type 6, SW_EXEC',
      'type 7, OTHER',
    ]) {
      expect(found.get(`FATAL TRAP: ${type}, vec …`)?.length).toBeGreaterThan(0)
    }
    expect(found.get('DOUBLE FAULT -- system shutdown')).toEqual(['3/8'])
    expect(found.get('FATAL PAGE FAULT')).toEqual(['3/14', '5/14', '6/14'])
  })

  it('from a guest: its INT n, system calls and exceptions are the guest’s, #DF and what does not exist are fatal', () => {
    const found = answers('guest', [0, 1, 2, 3, 4, 6, 8, 13, 14, 18, 0x20, 0x80, 0xff])
    expect(found.get('DOUBLE FAULT -- system shutdown')).toEqual(['3/8'])
    const fatal = [...found].flatMap(([answer, names]) => (answer.startsWith('FATAL') ? names : []))
    expect(fatal.filter((name) => !name.startsWith('7/'))).toEqual(['3/2', '5/2', '5/8', '5/18', '6/2', '6/8', '6/18'])
    expect(fatal).toContain('7/3')
    expect(found.get('back')).toEqual(expect.arrayContaining(['0/255', '2/2', '4/0', '4/128', '6/3']))
  })
})

describe('dispatch by vector under the IDT', () => {
  it('a reserved exception vector is fatal, an unexpected interrupt is not', () => {
    for (const [vector, fatal] of [
      [9, true],
      [15, true],
      [31, true],
      [32, false],
      [255, false],
    ] as const) {
      const xen = xenMachine('panther-lake', { delivery: 'idt' })
      enter(xen, 'host', 'nop\ncli\nhlt')
      deliverEvent(xen.cpu, eventOf(0, vector))
      expect(printed(runTo(xen, null)).some((line) => line.startsWith(`FATAL TRAP: vec ${vector}, `))).toBe(fatal)
    }
  })
})

describe('K1: a machine check', () => {
  it('is handled with IA32_MCG_STATUS.MCIP set, which the handler clears as its last act, so that the next may come', () => {
    for (const delivery of ['idt', 'fred'] as const) {
      for (const site of ['guest', 'host'] as const) {
        const xen = xenMachine('panther-lake', { delivery })
        enter(xen, site, 'nop\nnop\nback: jmp back')
        const { origin } = xen.boot.sites[site]!
        for (let n = 0; n < 2; n++) {
          pendMachineCheck(xen.cpu)
          xen.machine.step()
          expect(readMsr(xen.cpu, 0x17a)).toBe(5n)
          for (let steps = 0; steps < MOST_STEPS && xen.cpu.rip !== origin; steps++) xen.machine.step()
          expect([delivery, site, readMsr(xen.cpu, 0x17a), xen.cpu.rip]).toEqual([delivery, site, 0n, origin])
        }
      }
    }
  })

  it('that meets another one in the handler shuts the CPU down, under either delivery', () => {
    for (const delivery of ['idt', 'fred'] as const) {
      const xen = xenMachine('panther-lake', { delivery })
      enter(xen, 'guest', 'nop')
      for (let n = 0; n < 2; n++) {
        pendMachineCheck(xen.cpu)
        xen.machine.step()
      }
      expect([delivery, xen.cpu.isShutdown]).toEqual([delivery, true])
    }
  })
})
