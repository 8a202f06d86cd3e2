import { pendNmi, raise, type Snapshot } from '@trapframe/core'
import { it } from 'vitest'
import { xenMachine } from '../../test/xen-machine.js'
import { stageFinder } from './stage.js'

it('t', () => {
  for (const [cpu, req] of [
    ['panther-lake', { delivery: 'fred' }],
    ['panther-lake', { delivery: 'idt' }],
  ] as const) {
    const { boot, machine } = xenMachine(cpu, req, 1)
    const c = machine.cpu
    const idle = boot.labels.get('idle_loop')!
    const stageOf = stageFinder(boot.labels)
    boot.sites.boot!.enter(c)
    const all: { rip: bigint; s: Snapshot }[] = []
    while (c.rip !== idle) {
      all.push({ rip: c.rip, s: machine.snapshot() })
      machine.step()
    }
    for (const kind of ['nmi', 'pf', 'ud'] as const) {
      const out = new Map<string, number>()
      let stage = ''
      for (const { rip, s } of all) {
        machine.restore(s)
        stage = stageOf(rip) ?? stage
        const lines: string[] = []
        const mech: string[] = []
        const rel = machine.observe({
          log: (_, t) => void lines.push(t),
          delivered: (_c, e, m) => void mech.push(`${m}:${e.vector}${e.nested ? 'n' : ''}`),
        })
        if (kind === 'nmi') pendNmi(c)
        else
          raise(c, {
            kind: 'hardwareException',
            vector: kind === 'pf' ? 14 : 6,
            ...(kind === 'pf' ? { eventData: 0x1234n } : {}),
          })
        let n = 0
        let res = 'stuck'
        for (; n < 2000; n++) {
          if (c.rip === idle) {
            res = 'idle'
            break
          }
          const r = machine.step()
          if (r === 'idle') {
            res = c.isShutdown ? 'shutdown' : 'halted'
            break
          }
        }
        rel()
        const i = lines.findIndex((l) => l.startsWith('Panic'))
        const k = `${stage.padEnd(20)} ${res} ${mech.join(',')} ${i >= 0 ? lines[i + 1] : ''}`
        out.set(k, (out.get(k) ?? 0) + 1)
      }
      console.log(JSON.stringify(req), kind, [...out].map(([k, n]) => `${n} ${k}`).join('\n'))
    }
  }
})
