import type { Invariant } from './invariant.js'

/**
 * The host never gives up: no CPU comes to where its software stops for good because it can do nothing else, as the host
 * declares it. What breaks a return, such as a register that was pushed and not popped, often ends there and harms nobody else.
 */
export const NO_PANIC: Invariant = {
  name: 'no-panic',
  onRequest: true,
  summary: 'the host never gives up',
  local: true,
  check({ boot, cpu }) {
    const { panicStop } = boot
    if (panicStop === undefined || cpu.rip !== panicStop) return null
    return { invariant: 'no-panic', message: `the host gave up, with RSP ${cpu.rsp.toString(16)}`, cpu: cpu.id }
  },
}
