/** First byte of the range of linear addresses that Xen keeps for itself, and the first one behind it. */
export const HYPERVISOR_VIRT_START = 0xffff_8000_0000_0000n
export const HYPERVISOR_VIRT_END = 0xffff_8800_0000_0000n

/** The most that a frame takes, in bytes: above Xen's range there must be room for it. */
const FRAME_ROOM = 60n

/** Whether a stack, 16-byte aligned, can take a frame without coming near Xen's own range. */
export function stackOutsideXen(rsp: bigint): boolean {
  const linear = BigInt.asUintN(64, rsp)
  return linear <= HYPERVISOR_VIRT_START || linear >= HYPERVISOR_VIRT_END + FRAME_ROOM
}
