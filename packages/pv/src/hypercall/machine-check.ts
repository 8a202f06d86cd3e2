import { loadGuest } from '../guest-memory.js'
import { EACCES, EINVAL, type Hypercall, reading } from './hypercall.js'

/** The version of its interface, in the second word of what the argument points to. */
const MCA_INTERFACE_VERSION = 0x01ec_c003n

/** mca(op): what dom0 asks about machine checks. There are none to tell of. */
export const MCA: Hypercall = {
  number: 48,
  name: 'mca',
  run: (context, [operation]) =>
    reading(() => (loadGuest(context, operation! + 4n, 4) === MCA_INTERFACE_VERSION ? EINVAL : EACCES)),
}
