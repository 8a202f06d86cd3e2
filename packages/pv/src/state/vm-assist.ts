import type { PvContext } from '../context.js'

/** Numbers of the VM assists, which are bits of `vm_assist`. */
export const VMASST_TYPE_architectural_iopl = 4

/** The guest wants IOPL where the architecture has it: in the RFLAGS of frames. */
export const hasArchitecturalIopl = ({ vcpu }: Pick<PvContext, 'vcpu'>): boolean =>
  (vcpu.get('vm_assist') & (1n << BigInt(VMASST_TYPE_architectural_iopl))) !== 0n
