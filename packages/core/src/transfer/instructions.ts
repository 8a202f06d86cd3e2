import type { InstructionDefinition } from '../instruction/dispatch.js'
import { callFar } from './call.js'
import { interruptReturn } from './iret.js'
import { jumpFar } from './jump.js'
import { returnFar } from './return-far.js'

/**
 * The far transfers, which every delivery mechanism registers for itself: what they may do is the mechanism's
 * TransferPolicy (A3).
 */
export function farTransferInstructions(mechanism: string): InstructionDefinition[] {
  return [
    { mnemonic: 'callf', under: mechanism, execute: callFar },
    { mnemonic: 'jmpf', under: mechanism, execute: jumpFar },
    { mnemonic: 'retf', under: mechanism, execute: returnFar },
    { mnemonic: 'iret', under: mechanism, execute: interruptReturn },
  ]
}
