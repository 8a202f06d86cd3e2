import { SOFTWARE_INTERRUPT } from '@trapframe/core'
import { errorCodeWords, eventDataWords, typeWords, vectorWords } from './event-words.js'
import { address, type EventFacts, type Field, hex, ringOf } from './facts.js'

/** What a report told about an event, one field a line. */
export function explainEvent(facts: EventFacts): Field[] {
  const { type, vector, errorCode, eventData } = facts
  const fields: Field[] = []
  if (type !== null) fields.push({ name: 'type', value: String(type), meaning: typeWords(type) })
  fields.push({ name: 'vector', value: String(vector), meaning: vectorWords(type, vector) })
  if (errorCode !== null) {
    fields.push({ name: 'error code', value: hex(errorCode), meaning: errorCodeWords(type, vector, errorCode) })
  }
  if (type !== null && eventData !== null) {
    fields.push({ name: 'event data', value: hex(eventData), meaning: eventDataWords(type, vector, eventData) })
  }
  if (facts.cs !== null) fields.push({ name: 'CS', value: hex(facts.cs), meaning: `ring ${ringOf(facts)}` })
  if (facts.rip !== null) fields.push({ name: 'RIP', value: address(facts.rip), meaning: ripWords(facts, 2) })
  return fields
}

/**
 * Where RIP points. FRED saves the next instruction for what an instruction asked for, so that the culprit ends there.
 *
 * @param length of the instruction in bytes
 */
export function ripWords({ type, vector, rip }: EventFacts, length: number): string {
  if (type === null || rip === null || type < SOFTWARE_INTERRUPT) return ''
  const at = address(BigInt.asUintN(64, rip - BigInt(length)))
  if (type !== SOFTWARE_INTERRUPT) return `the next instruction; the one that raised it begins at ${at}`
  return `the next instruction; INT ${hex(vector)} (cd ${vector.toString(16).padStart(2, '0')}) lies before it, at ${at}`
}
