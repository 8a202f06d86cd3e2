import { BLOCKED_BY_MOV_SS, BLOCKED_BY_NMI, BLOCKED_BY_STI } from '@trapframe/core'
import { z } from 'zod'

/** What holds events back, with its bit of the STATUS word. */
export const BLOCKED = { nmi: BLOCKED_BY_NMI, sti: BLOCKED_BY_STI, 'mov-ss': BLOCKED_BY_MOV_SS } as const

const REASON = z.enum(Object.keys(BLOCKED) as (keyof typeof BLOCKED)[])

/** One reason, or a list, which may be empty. */
export const BLOCKING_SCHEMA = z.union([REASON.transform((one) => [one]), z.array(REASON)])
