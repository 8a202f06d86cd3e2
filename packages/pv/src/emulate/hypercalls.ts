import type { PvContext } from '../context.js'
import { getDebugRegister, setDebugRegister } from '../debug/debug-registers.js'
import { setTaskSwitched } from '../fpu/task-switched.js'
import { loadGuest } from '../guest-memory.js'
import { EINVAL, ENODEV, ENOSYS, type Hypercall, type HypercallResult, reading } from '../hypercall/hypercall.js'

/** Hypercalls for what Xen also emulates: debug registers, CR0.TS, port I/O. */

const LOW_32 = 0xffff_ffffn

const SET_DEBUGREG: Hypercall = {
  number: 8,
  name: 'set_debugreg',
  run: (context, [reg = 0n, value = 0n]) => setDebugRegister(context, reg & LOW_32, value),
}

const GET_DEBUGREG: Hypercall = {
  number: 9,
  name: 'get_debugreg',
  run: (context, [reg = 0n]) => getDebugRegister(context, reg & LOW_32) ?? ENODEV,
}

const FPU_TASKSWITCH: Hypercall = {
  number: 5,
  name: 'fpu_taskswitch',
  run(context, [set = 0n]) {
    setTaskSwitched(context, (set & LOW_32) !== 0n)
    return 0
  },
}

const VMASST_CMD_enable = 0n
const VMASST_CMD_disable = 1n
/** Assists that a 64-bit PV guest may ask for: 0 to 5, and 32, which makes its M2P private. */
const isAssist = (type: bigint): boolean => type <= 5n || type === 32n

/** vm_assist(cmd, type): a bit of `vm_assist` on or off. */
const VM_ASSIST: Hypercall = {
  number: 21,
  name: 'vm_assist',
  run({ vcpu }, [cmd = 0n, type = 0n]) {
    if (!isAssist(type & LOW_32)) return EINVAL
    const bit = 1n << (type & LOW_32)
    switch (cmd & LOW_32) {
      case VMASST_CMD_enable:
        vcpu.set('vm_assist', vcpu.get('vm_assist') | bit)
        return 0
      case VMASST_CMD_disable:
        vcpu.set('vm_assist', vcpu.get('vm_assist') & ~bit)
        return 0
      default:
        return ENOSYS
    }
  },
}

const PHYSDEVOP_set_iopl = 6n
const PHYSDEVOP_set_iobitmap = 7n
const HIGHEST_IOPL = 3n
const PORTS = 65536n

/** physdev_op(cmd, arg): the two commands that are about the ports of a guest. */
const PHYSDEV_OP: Hypercall = {
  number: 33,
  name: 'physdev_op',
  run: (context, [cmd = 0n, arg = 0n]) =>
    reading(() => {
      if (cmd === PHYSDEVOP_set_iopl) return setIopl(context, arg)
      return cmd === PHYSDEVOP_set_iobitmap ? setIoBitmap(context, arg) : ENOSYS
    }),
}

/** `struct physdev_set_iopl`: the IOPL, 32 bits. */
function setIopl(context: PvContext, arg: bigint): HypercallResult {
  const iopl = loadGuest(context, arg, 4)
  if (iopl > HIGHEST_IOPL) return EINVAL
  context.vcpu.set('iopl', iopl << 12n)
  return 0
}

/** `struct physdev_set_iobitmap`: the address of the map, and how many ports it is about. */
function setIoBitmap(context: PvContext, arg: bigint): HypercallResult {
  const map = loadGuest(context, arg, 8)
  const ports = loadGuest(context, arg + 8n, 4)
  if (ports > PORTS) return EINVAL
  const { pv } = context
  pv.set('iobmp', map)
  pv.set('iobmp_limit', ports)
  return 0
}

export const EMULATION_HYPERCALLS: readonly Hypercall[] = [
  SET_DEBUGREG,
  GET_DEBUGREG,
  FPU_TASKSWITCH,
  VM_ASSIST,
  PHYSDEV_OP,
]
