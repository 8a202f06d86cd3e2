/** First byte of the range of linear addresses that Xen keeps for itself, and the first one behind it. */
export const HYPERVISOR_VIRT_START = 0xffff_8000_0000_0000n
export const HYPERVISOR_VIRT_END = 0xffff_8800_0000_0000n

/** A stack that begins so far above Xen's range has room for a frame: aligned, it has 64 bytes, the most that one takes. */
const FRAME_ROOM = 60n

/** Whether a stack, 16-byte aligned, can take a frame without coming near Xen's own range. */
export function stackOutsideXen(rsp: bigint): boolean {
  const linear = BigInt.asUintN(64, rsp)
  return linear <= HYPERVISOR_VIRT_START || linear >= HYPERVISOR_VIRT_END + FRAME_ROOM
}

/** Where Xen's range began for 32-bit guests when Xen was 32-bit itself; today its machine-to-physical table is there. */
export const HYPERVISOR_COMPAT_VIRT_START = 0xf580_0000n

const SIGN = 1n << 63n
const HALF_CANONICAL = 1n << 47n

/**
 * guest_access_mask_ptr: a pointer into the upper half below the end of Xen's range is moved where nothing can be, so that
 * not even speculation reads through it. It shows in the address at which writing the frame fails.
 */
export const hardened = (pointer: bigint): bigint =>
  (pointer & SIGN) !== 0n && pointer < HYPERVISOR_VIRT_END ? BigInt.asUintN(64, pointer - HALF_CANONICAL) : pointer
