import { CPL, type Cpu, createMachine, definePlugin, type Machine, type Plugin } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { assemble, isa } from '@trapframe/isa'
import {
  type Build,
  deliveryOf,
  differencesOf,
  GUEST_DATA,
  layOutCpuInfo,
  PV_INTERFACE,
  type PvEvent,
  TF_KERNEL_MODE,
  VCPU_RUNNABLE,
  vcpuOf,
  xen,
} from '@trapframe/xen'
import { type PvContext, pvContext } from '../src/context.js'
import { HOST_CHECKS, type HostChecks } from '../src/host-checks.js'
import { TBF_EXCEPTION, TBF_EXCEPTION_ERRCODE } from '../src/state/pv-fields.js'
import { setTrapInfo } from '../src/state/trap-table.js'

export type Delivery = 'idt' | 'fred'
export const DELIVERIES: readonly Delivery[] = ['idt', 'fred']

/** A page of the guest that it may write. */
export const DATA = GUEST_DATA.linear

/** What Xen was asked about, and what it made of it. */
export interface Asked {
  readonly event: PvEvent
  /** Xen dealt with it. */
  readonly handled: boolean
  /** Of what waits for the guest then, the vector. */
  readonly injected: number | null
  readonly errorCode: number | null
}

export interface Run {
  readonly machine: Machine
  readonly cpu: Cpu
  readonly asked: readonly Asked[]
  /** The guest's registers at the end, by their encoding. */
  gpr(n: number): bigint
  /** Code labels, and `origin`. */
  readonly labels: ReadonlyMap<string, bigint>
  /** The context of a call from the guest as it is now: for looking at its vCPU. */
  readonly context: PvContext
}

export interface RunOptions {
  readonly delivery: Delivery
  readonly user?: boolean
  readonly cpu?: string
  readonly checks?: Partial<HostChecks>
  /** Registers by their encoding. */
  readonly registers?: Readonly<Record<number, bigint>>
  readonly rflags?: bigint
  readonly before?: (context: PvContext) => void
  /** What Xen does with an exception of the guest; whether it has dealt with it. */
  readonly handle: (context: PvContext, event: Extract<PvEvent, { kind: 'exception' }>) => boolean
}

/** Handlers of the trap table: their addresses tell which vector waits. */
const HANDLERS = 0x10_0000n

/**
 * Runs guest code on a booted Xen up to INT3, or up to an exception that Xen has not dealt with or that it gives to the
 * guest. No bounce frame is built: what would be one is reported.
 */
export function runGuest(source: string, options: RunOptions): Run {
  const asked: Asked[] = []
  const checks = { ...HOST_CHECKS, ...options.checks }
  const interfaceOf = (): Plugin =>
    definePlugin({
      name: 'emulation-under-test',
      requires: ['xen'],
      setup(host) {
        host.add(
          PV_INTERFACE,
          'emulation-under-test',
          {
            handle(call, event) {
              const context = pvContext(call, checks)
              const handled = event.kind === 'exception' && options.handle(context, event)
              asked.push({ event, handled, ...waiting(context) })
              return 'resume'
            },
          },
          { precedence: 1 },
        )
      },
    })
  const machine = createMachine({
    cpu: options.cpu ?? 'panther-lake',
    plugins: [xen(), fred(), idt(), isa(), interfaceOf()],
  })
  const boot = machine.boot('xen', { delivery: options.delivery })
  const { cpu } = machine
  const site = boot.sites.guest!
  const { bytes, labels } = assemble(`${source}\nint3`, { origin: site.origin })
  machine.space(0n).write(site.origin, bytes)
  site.enter(cpu)
  for (const [n, value] of Object.entries(options.registers ?? {})) cpu.setGpr(Number(n), value)
  if (options.rflags !== undefined) cpu.rflags = options.rflags
  const context = contextNow(machine, checks)
  for (let vector = 0; vector < 32; vector++) {
    setTrapInfo(context, vector, { flags: 0, cs: 0xe033, address: HANDLERS + BigInt(32 * vector) })
  }
  if (options.user === true) context.vcpu.set('flags', VCPU_RUNNABLE)
  else context.vcpu.set('flags', TF_KERNEL_MODE | VCPU_RUNNABLE)
  options.before?.(context)
  for (let i = 0; i < 4000 && !isOver(asked, cpu); i++) machine.step()
  return {
    machine,
    cpu,
    asked,
    labels: new Map([...labels, ['origin', site.origin]]),
    gpr: (n) => cpu.gpr(n),
    context,
  }
}

/** Back in ring 3 after something that ended the run. */
function isOver(asked: readonly Asked[], cpu: Cpu): boolean {
  const one = asked.at(-1)
  return one !== undefined && (!one.handled || one.injected !== null) && cpu.words[CPL] === 3
}

/** A context outside of any call: its registers are those of the vCPU, which are stale. */
function contextNow(machine: Machine, checks: HostChecks): PvContext {
  const { cpu } = machine
  const layout = layOutCpuInfo()
  const build: Build = {
    revision: 'upstream',
    pv32: false,
    layout,
    shows: differencesOf('upstream', deliveryOf(cpu)),
    label: () => 0n,
    symbol: () => null,
  }
  return pvContext({ machine, cpu, regs: vcpuOf(cpu, 'guest', layout).userRegs, build }, checks)
}

/** What waits for the guest: the vector by its handler, and the error code. */
function waiting(context: PvContext): Pick<Asked, 'injected' | 'errorCode'> {
  const { pv } = context
  const flags = Number(pv.get('bounce_flags'))
  if ((flags & TBF_EXCEPTION) === 0) return { injected: null, errorCode: null }
  const injected = Number((pv.get('bounce_eip') - HANDLERS) / 32n)
  return { injected, errorCode: (flags & TBF_EXCEPTION_ERRCODE) === 0 ? null : Number(pv.get('bounce_error_code')) }
}
