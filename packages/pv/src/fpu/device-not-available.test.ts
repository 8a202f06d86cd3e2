import { CR0, CR0_TS, VECTOR_GP, VECTOR_NM } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { DATA, DELIVERIES, type Run, type RunOptions, runGuest } from '../../test/emulation-machine.js'
import { emulatePrivileged } from '../emulate/privileged.js'
import { handleDeviceNotAvailable } from './device-not-available.js'
import { setTaskSwitched, taskSwitched } from './task-switched.js'

const run = (source: string, options: Partial<RunOptions> = {}): Run =>
  runGuest(source, {
    delivery: 'fred',
    ...options,
    handle(context, { vector }) {
      if (vector === VECTOR_NM) return handleDeviceNotAvailable(context) === 'handled'
      return vector === VECTOR_GP && emulatePrivileged(context)
    },
  })

const vectorOf = ({ asked }: Run): number => (asked.at(-1)!.event as { vector: number }).vector

describe.each(DELIVERIES)('exc/nm-*, exc/mf, exc/xm under %s: the FPU of a PV guest', (delivery) => {
  it.each(['fnop', 'movd eax, xmm0'])('%s after fpu_taskswitch is the guest’s #NM, which clears TS', (source) => {
    const result = run(source, { delivery, before: (context) => setTaskSwitched(context, true) })
    expect(vectorOf(result)).toBe(VECTOR_NM)
    expect(result.asked.at(-1)!.handled).toBe(false)
    expect(taskSwitched(result.context)).toBe(false)
    expect(result.cpu.words[CR0]! & CR0_TS).toBe(0)
  })

  it('the guest’s CLTS does so without a #NM', () => {
    const result = run('clts\nfnop', { delivery, before: (context) => setTaskSwitched(context, true) })
    expect(vectorOf(result)).toBe(3)
  })

  it('a #NM that the guest did not ask for makes the FPU available', () => {
    const result = run('fnop', { delivery, before: ({ cpu }) => cpu.setControl(CR0, cpu.get64(CR0) | BigInt(CR0_TS)) })
    expect(vectorOf(result)).toBe(3)
  })

  it('exc/mf: CR0.NE is set, so that an x87 exception is #MF', () => {
    const source = 'fninit\nfldcw [rbx]\nfld1\nfldz\nfdivp st1, st0\nfwait'
    const result = run(`mov word [rbx], 0x360\n${source}`, { delivery, registers: { 3: DATA } })
    expect(vectorOf(result)).toBe(16)
  })

  it('exc/xm: CR4.OSXMMEXCPT is set, so that an SSE exception is #XM', () => {
    const source =
      'mov dword [rbx], 0x1d80\nldmxcsr [rbx]\nxorps xmm0, xmm0\nmov dword [rbx], 0x3f800000\nmovss xmm1, [rbx]'
    const result = run(`${source}\ndivss xmm1, xmm0`, { delivery, registers: { 3: DATA } })
    expect(vectorOf(result)).toBe(19)
  })
})
