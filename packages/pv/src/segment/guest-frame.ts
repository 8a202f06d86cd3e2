import { type Cpu, PAGE_SIZE, PAGE_USER } from '@trapframe/core'

const PAGE = BigInt(PAGE_SIZE)

/** Whether a page of physical memory is the guest's: such a page is mapped to itself, for guests. Everything else is Xen's. */
export function isGuestFrame(cpu: Cpu, physical: bigint): boolean {
  const page = physical & ~(PAGE - 1n)
  return (cpu.space.flagsAt(page) & PAGE_USER) !== 0 && cpu.space.physicalAt(page) === page
}

/** A descriptor in physical memory, as Xen maps a page of the guest's for itself. */
export function readDescriptor({ machine: { memory } }: Cpu, physical: bigint): bigint {
  return memory.frames[memory.indexOf(Number(physical / PAGE))]!.view.getBigUint64(Number(physical % PAGE), true)
}

export function writeDescriptor({ machine: { memory } }: Cpu, physical: bigint, descriptor: bigint): void {
  memory.writable(memory.indexOf(Number(physical / PAGE))).view.setBigUint64(Number(physical % PAGE), descriptor, true)
}
