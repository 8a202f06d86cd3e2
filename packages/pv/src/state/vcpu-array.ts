import type { Vcpu } from '@trapframe/xen'

/** Arrays of quadwords in struct vcpu: the guest's own control registers, and its debug registers. */
export type VcpuArray = 'ctrlreg' | 'debugreg'

const QUAD = 8

/** Element `n`. */
export function readElement(vcpu: Vcpu, name: VcpuArray, n: number): bigint {
  const bytes = vcpu.bytes(name)
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(n * QUAD, true)
}

/** Stores element `n`. */
export function writeElement(vcpu: Vcpu, name: VcpuArray, n: number, value: bigint): void {
  const bytes = Uint8Array.from(vcpu.bytes(name))
  new DataView(bytes.buffer).setBigUint64(n * QUAD, value, true)
  vcpu.setBytes(name, bytes)
}
