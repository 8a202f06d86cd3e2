import type { Semantics } from '@trapframe/core'
import { arithmetic } from './arithmetic.js'
import { bits } from './bits.js'
import { branches } from './branch.js'
import { compareExchanges } from './compare-exchange.js'
import { machineStatus } from './control-register.js'
import { convert } from './convert.js'
import { decimal } from './decimal.js'
import { descriptorTables } from './descriptor-table.js'
import { division } from './divide.js'
import { flagControl } from './flag-control.js'
import { identification } from './identification.js'
import { logic } from './logic.js'
import { modelSpecific } from './model-specific.js'
import { moves } from './move.js'
import { multiply } from './multiply.js'
import { ports } from './port.js'
import { rotates } from './rotate.js'
import { segmentBases } from './segment-base.js'
import { segmentQueries } from './segment-query.js'
import { farPointers } from './segment-register.js'
import { controlFlowEnforcement } from './shadow-stack.js'
import { shift } from './shift.js'
import { stack } from './stack.js'
import { strings } from './string.js'
import { system } from './system.js'
import { timeStamps } from './time-stamp.js'
import { undefinedInstructions } from './undefined.js'
import { vectorArithmetic } from './vector-arithmetic.js'
import { vectorControl } from './vector-control.js'
import { vectorConversions } from './vector-convert.js'
import { vectorMoves } from './vector-move.js'
import { virtualMachines } from './virtual-machine.js'
import { x87 } from './x87.js'
import { x87Arithmetic } from './x87-arithmetic.js'
import { x87Comparisons } from './x87-compare.js'
import { x87Transfers } from './x87-transfer.js'

/** Every instruction whose meaning does not depend on the delivery mechanism, by mnemonic. */
export const ORDINARY_INSTRUCTIONS: Readonly<Record<string, Semantics>> = {
  ...moves,
  ...arithmetic,
  ...logic,
  ...shift,
  ...rotates,
  ...bits,
  ...multiply,
  ...division,
  ...convert,
  ...decimal,
  ...compareExchanges,
  ...stack,
  ...branches,
  ...flagControl,
  ...strings,
  ...ports,
  ...farPointers,
  ...descriptorTables,
  ...segmentQueries,
  ...segmentBases,
  ...machineStatus,
  ...modelSpecific,
  ...identification,
  ...system,
  ...controlFlowEnforcement,
  ...timeStamps,
  ...virtualMachines,
  ...vectorMoves,
  ...vectorControl,
  ...vectorArithmetic,
  ...vectorConversions,
  ...x87,
  ...x87Transfers,
  ...x87Arithmetic,
  ...x87Comparisons,
  ...undefinedInstructions,
}
