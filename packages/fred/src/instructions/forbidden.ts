import { type PluginHost, ud } from '@trapframe/core'

/** What FRED takes away, at every privilege (A9): where the IDT has #GP(0) in ring 3, this is #UD too. */
const FORBIDDEN = ['swapgs', 'sysret', 'sysexit', 'setssbsy', 'clrssbsy'] as const

/** Makes SWAPGS, SYSRET, SYSEXIT, SETSSBSY and CLRSSBSY #UD while FRED is active. */
export function defineForbidden(host: PluginHost): void {
  for (const mnemonic of FORBIDDEN) {
    host.instructions.define({
      mnemonic,
      under: 'fred',
      execute: () => {
        throw ud()
      },
    })
  }
}
