import type { Plugin } from '@trapframe/core'
import { UsageError } from '../error/usage-error.js'
import { MACHINE } from '../scenario/grammar.js'
import { bootMachine } from '../session/machine.js'
import { officialPlugins } from '../session/plugins.js'

/** What is booted. */
export interface BootQuestion {
  /** A CPU model with edits: `panther-lake,-lkgs`. */
  readonly cpu: string
  /** Default `xen`. */
  readonly host?: string
  /** The host's command line; empty if left out. */
  readonly cmdline?: string
  readonly revision?: string
  readonly options?: Readonly<Record<string, unknown>>
  /** Beside the official ones. */
  readonly plugins?: readonly Plugin[]
}

/** What a boot decided and left behind, read back from a machine that ran it. 64-bit values are `bigint`. */
export interface BootReport {
  readonly host: string
  readonly cpu: string
  readonly cmdline: string
  /** Name of the mechanism that delivers. */
  readonly delivery: string
  /** Why it is that one. */
  readonly reasons: readonly string[]
  /** What the host printed. */
  readonly log: readonly string[]
  /** What the host says beside that: Xen has `revision`, `pv32`, `cr4`, `msrs`, `tables`, `tss` and more. */
  readonly [fact: string]: unknown
}

/** Boots a machine and reads it back. @throws UsageError when the machine cannot be had */
export function readBoot(question: BootQuestion): BootReport {
  const { cpu, host = 'xen', cmdline, revision, options = {}, plugins = [] } = question
  const spec = MACHINE.parse({
    cpu,
    host,
    options,
    ...(cmdline === undefined ? {} : { cmdline }),
    ...(revision === undefined ? {} : { revision }),
  })
  const booted = bootMachine(spec, [...officialPlugins(), ...plugins])
  if (!('machine' in booted)) throw new UsageError(booted[0]!.message, booted[0]!.hint)
  const { machine, boot } = booted
  const { delivery, reasons, log } = boot
  const report = { host, cpu, cmdline: cmdline ?? '', delivery, reasons, log }
  // Facts that take time to find out come as getters, and stay that.
  return Object.defineProperties(report, Object.getOwnPropertyDescriptors(boot.facts?.(machine.cpu) ?? {}))
}
