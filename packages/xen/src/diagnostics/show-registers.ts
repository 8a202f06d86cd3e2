import { type Cpu, CR2, CR3, FS_BASE, GS_BASE, KERNEL_GS_BASE } from '@trapframe/core'
import type { Call } from '../handlers/context.js'
import { isGuest, type UserRegs } from '../handlers/user-regs.js'
import { hex4, hex16 } from '../handlers/vector-name.js'
import type { DataSelector } from '../layout/user-regs.js'
import { currentOf, vcpuOf } from '../registers/context-switch.js'
import { liveSelectors } from '../registers/live-selectors.js'
import { TF_KERNEL_MODE } from '../registers/vcpu.js'

/** What a report of registers prints beside cpu_user_regs: none of it is in a frame (X11). */
export interface ExtraState {
  readonly cr0: bigint
  readonly cr2: bigint
  readonly cr3: bigint
  readonly cr4: bigint
  readonly fsb: bigint
  readonly gsb: bigint
  readonly gss: bigint
  readonly selectors: Readonly<Record<DataSelector, number>>
}

/** Whose registers they are, as Xen words it. */
export type ReportContext = 'hypervisor' | 'pv guest'

/** Which Xen prints: its version is in the first line of every report. */
const VERSIONS = { rfc: '4.21-unstable', upstream: '4.23-unstable' } as const

/** The line that every report begins with. */
export const banner = ({ build }: Call): string =>
  `----[ Xen-${VERSIONS[build.revision]}  x86_64  debug=n  Not tainted ]----`

/** What the CPU holds now: the only place where these values are right for code that runs on it (X11). */
export function liveState(cpu: Cpu): ExtraState {
  return {
    cr0: cpu.cr0,
    cr2: cpu.get64(CR2),
    cr3: cpu.get64(CR3),
    cr4: cpu.cr4,
    fsb: cpu.get64(FS_BASE),
    gsb: cpu.get64(GS_BASE),
    gss: cpu.get64(KERNEL_GS_BASE),
    selectors: liveSelectors(cpu),
  }
}

/** `d1v0`: the guest's vCPU that a CPU runs. */
export const vcpuName = (cpu: Cpu): string => `d1v${cpu.id}`

/** The lines of a report of registers, from RIP on. */
export function registerLines(
  { build }: Call,
  regs: UserRegs,
  state: ExtraState,
  context: ReportContext,
  vcpu: string | null,
): string[] {
  const q = (name: Parameters<UserRegs['get']>[0]): string => hex16(regs.get(name))
  const rip = regs.get('rip')
  const symbol = context === 'hypervisor' ? ` ${build.symbol(rip) ?? hex16(rip)}` : ''
  const { selectors } = state
  const selector = (value: bigint): string => hex4(Number(value & 0xffffn))
  return [
    `RIP:    ${selector(regs.get('cs'))}:[<${hex16(rip)}>]${symbol}`,
    `RFLAGS: ${q('rflags')}   CONTEXT: ${context}${vcpu === null ? '' : ` (${vcpu})`}`,
    `rax: ${q('rax')}   rbx: ${q('rbx')}   rcx: ${q('rcx')}`,
    `rdx: ${q('rdx')}   rsi: ${q('rsi')}   rdi: ${q('rdi')}`,
    `rbp: ${q('rbp')}   rsp: ${q('rsp')}   r8:  ${q('r8')}`,
    `r9:  ${q('r9')}   r10: ${q('r10')}   r11: ${q('r11')}`,
    `r12: ${q('r12')}   r13: ${q('r13')}   r14: ${q('r14')}`,
    `r15: ${q('r15')}   cr0: ${hex16(state.cr0)}   cr4: ${hex16(state.cr4)}`,
    `cr3: ${hex16(state.cr3)}   cr2: ${hex16(state.cr2)}`,
    `fsb: ${hex16(state.fsb)}   gsb: ${hex16(state.gsb)}   gss: ${hex16(state.gss)}`,
    `ds: ${hex4(selectors.ds)}   es: ${hex4(selectors.es)}   fs: ${hex4(selectors.fs)}   gs: ${hex4(selectors.gs)}   ` +
      `ss: ${selector(regs.get('ss'))}   cs: ${selector(regs.get('cs'))}`,
  ]
}

/** show_registers: the registers of an event on this CPU. CR2 and the data selectors are read from the CPU. */
export function showRegisters(call: Call): void {
  const { machine, cpu, regs } = call
  const guest = isGuest(regs)
  const vcpu = currentOf(cpu) === 'guest' ? vcpuName(cpu) : null
  const lines = registerLines(call, regs, liveState(cpu), guest ? 'pv guest' : 'hypervisor', vcpu)
  for (const line of [banner(call), `CPU:    ${cpu.id}`, ...lines]) machine.log(line, cpu)
}

/**
 * vcpu_show_registers: those of a vCPU that is scheduled out. All of it comes from memory: the frame from where it was put,
 * the data selectors and bases from pv_vcpu (X11).
 */
export function showVcpuRegisters(call: Call): void {
  const { machine, cpu, build } = call
  const guest = vcpuOf(cpu, 'guest', build.layout)
  const kernel = (guest.get('flags') & TF_KERNEL_MODE) !== 0n
  const own = guest.get(kernel ? 'gs_base_kernel' : 'gs_base_user')
  const other = guest.get(kernel ? 'gs_base_user' : 'gs_base_kernel')
  const control = new DataView(guest.bytes('ctrlreg').buffer)
  const state: ExtraState = {
    cr0: control.getBigUint64(0, true),
    cr2: control.getBigUint64(16, true),
    cr3: control.getBigUint64(24, true),
    cr4: control.getBigUint64(32, true),
    fsb: guest.get('fs_base'),
    gsb: own,
    gss: other,
    selectors: {
      ds: guest.selector('ds'),
      es: guest.selector('es'),
      fs: guest.selector('fs'),
      gs: guest.selector('gs'),
    },
  }
  machine.log(`*** Dumping Dom1 vcpu#${cpu.id} state: ***`, cpu)
  const lines = registerLines(call, guest.userRegs, state, 'pv guest', vcpuName(cpu))
  for (const line of [banner(call), `CPU:    ${cpu.id}`, ...lines]) machine.log(line, cpu)
}
