import { ENOSYS, type Hypercall } from './hypercall.js'

const XENVER_VERSION = 0n
/** Major version in bits 31:16, minor in 15:0: that of the RFC's Xen and of the recorded one. */
const VERSIONS = { rfc: 0x4_0015, upstream: 0x4_0017 } as const

/** xen_version(cmd, arg): the one question whose answer needs no buffer. */
export const XEN_VERSION: Hypercall = {
  number: 17,
  name: 'xen_version',
  run: ({ build }, [cmd]) => (cmd === XENVER_VERSION ? VERSIONS[build.revision] : ENOSYS),
}
