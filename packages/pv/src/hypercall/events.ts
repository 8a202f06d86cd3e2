import { isCompat } from '../context.js'
import { loadGuest } from '../guest-memory.js'
import { PORTS, setPortPending } from '../state/vcpu-info.js'
import { EINVAL, ENOENT, ENOSYS, type Hypercall, reading } from './hypercall.js'

const VCPUOP_SEND_NMI = 11n

/** vcpu_op(cmd, vcpuid, arg): the guest has one vCPU, 0. */
export const VCPU_OP: Hypercall = {
  number: 24,
  name: 'vcpu_op',
  run({ pv }, [cmd, vcpuid, arg]) {
    if (vcpuid !== 0n) return ENOENT
    if (cmd !== VCPUOP_SEND_NMI) return ENOSYS
    if (arg !== 0n) return EINVAL
    pv.set('nmi_pending', 1n)
    return 0
  },
}

const EVTCHNOP_SEND = 4n

/** event_channel_op(cmd, arg): every port from 1 on is one that the guest sends to itself. */
export const EVENT_CHANNEL_OP: Hypercall = {
  number: 32,
  name: 'event_channel_op',
  run: (context, [cmd, arg]) =>
    reading(() => {
      if (cmd !== EVTCHNOP_SEND) return ENOSYS
      const port = Number(loadGuest(context, arg!, 4))
      if (port === 0 || port >= PORTS) return EINVAL
      setPortPending(context.info, port, isCompat(context) ? 32 : 64)
      return 0
    }),
}
