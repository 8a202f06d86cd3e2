import type { Plugin } from '@trapframe/core'

export declare const linux: Plugin
