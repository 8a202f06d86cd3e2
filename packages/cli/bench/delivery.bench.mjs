// Round trips of event delivery and return through the whole stepping loop (fetch, checks, decode cache, pending events),
// beside a bare loop that only writes and reads a frame, in the same run: the ratio is what can be compared between
// machines. Then what a search needs: snapshot, restore, hash.
import { createMachine, run } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { Bench } from 'tinybench'

const ROUND_TRIPS = 20_000
/** dec rcx; jnz the dec. */
const COUNTDOWN = Uint8Array.of(0x48, 0xff, 0xc9, 0x75, 0xfb)
/** int 0x80; dec rcx; jnz the int. The handler is one IRETQ, ERETS or ERETU. */
const LOOP = Uint8Array.of(0xcd, 0x80, 0x48, 0xff, 0xc9, 0x75, 0xf9)
const INSTRUCTIONS = 4

function loopMachine(delivery, cpl, code = LOOP, instructions = INSTRUCTIONS) {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [isa(), delivery === 'idt' ? idt() : fred()] })
  const boot = machine.boot(`flat-${delivery}`)
  const site = cpl === 3 ? boot.sites.guest : boot.sites.host
  machine.space(0n).write(site.origin, code)
  site.enter(machine.cpu)
  const end = site.origin + BigInt(code.length)
  return {
    machine,
    trips(count) {
      machine.cpu.rip = site.origin
      machine.cpu.setGpr(1, BigInt(count))
      run(machine.cpu, count * instructions)
      if (machine.cpu.rip !== end) throw new Error(`the loop went astray: RIP ${machine.cpu.rip.toString(16)}`)
    },
  }
}

/** The yardstick: a frame of five quadwords written and read back as 32-bit halves, nothing else. */
const stack = new DataView(new ArrayBuffer(4096))
const state = new Int32Array(16)
function bareFrames(count) {
  let rsp = 4096
  for (let i = 0; i < count; i++) {
    rsp -= 40
    for (let word = 0; word < 10; word++) stack.setInt32(rsp + word * 4, state[word], true)
    for (let word = 0; word < 10; word++) state[word] = stack.getInt32(rsp + word * 4, true)
    rsp += 40
    state[0] = (state[0] + 1) | 0
  }
}

const bench = new Bench({ time: 1500, warmupTime: 500 })
bench.add('bare frame, written and read', () => bareFrames(ROUND_TRIPS))
const countdown = loopMachine('idt', 0, COUNTDOWN, 2)
bench.add('two plain instructions (dec, jnz)', () => countdown.trips(ROUND_TRIPS))
for (const delivery of ['idt', 'fred']) {
  for (const cpl of [0, 3]) {
    const loop = loopMachine(delivery, cpl)
    bench.add(`${delivery.toUpperCase()} INT n and return, CPL ${cpl}`, () => loop.trips(ROUND_TRIPS))
  }
}
await bench.run()
const perSecond = (task) => (ROUND_TRIPS * 1000) / task.result.latency.p50
const bare = perSecond(bench.tasks[0])
print(
  ['loop', 'M/s', 'ns each', 'bare frames'],
  bench.tasks.map((task) => [
    task.name,
    (perSecond(task) / 1e6).toFixed(2),
    (1e9 / perSecond(task)).toFixed(0),
    (bare / perSecond(task)).toFixed(1),
  ]),
)

const { machine } = loopMachine('idt', 3)
const start = machine.snapshot()
const states = new Bench({ time: 800, warmupTime: 200 })
states
  .add('snapshot', () => {
    machine.snapshot()
  })
  .add('restore', () => machine.restore(start))
  .add('restore, 4 steps', () => {
    machine.restore(start)
    run(machine.cpu, INSTRUCTIONS)
  })
  .add('restore, 4 steps, hash', () => {
    machine.restore(start)
    run(machine.cpu, INSTRUCTIONS)
    machine.hash()
  })
await states.run()
print(
  ['state of one CPU', 'µs', 'k/s'],
  states.tasks.map((task) => [
    task.name,
    (task.result.latency.p50 * 1000).toFixed(2),
    (1 / task.result.latency.p50).toFixed(0),
  ]),
)

/** A table of medians: the first column to the left, numbers to the right. */
function print(head, rows) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)))
  const line = (row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column] + 3))).join('')
  console.log(`\n${[head, ...rows].map(line).join('\n')}`)
}
