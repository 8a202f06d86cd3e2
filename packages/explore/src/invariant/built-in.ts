import { DOMAIN_ISOLATION } from './domain-isolation.js'
import { GOOD_STACK } from './good-stack.js'
import { GS_BASES } from './gs.js'
import type { Invariant } from './invariant.js'
import { NMI_CONTAINMENT } from './nmi-containment.js'
import { NO_CLOBBER } from './no-clobber.js'
import { NO_ESCALATION } from './no-escalation.js'
import { NO_PANIC } from './no-panic.js'
import { NO_SHUTDOWN } from './no-shutdown.js'
import { RETURN_IDENTITY } from './return-identity.js'
import { SHADOW_STACK_CONSISTENCY } from './shadow-stack.js'

/** The invariants that explore contributes. */
export const BUILT_IN: readonly Invariant[] = [
  GOOD_STACK,
  NO_CLOBBER,
  RETURN_IDENTITY,
  GS_BASES,
  NO_ESCALATION,
  NO_SHUTDOWN,
  NO_PANIC,
  NMI_CONTAINMENT,
  SHADOW_STACK_CONSISTENCY,
  DOMAIN_ISOLATION,
]
