import { HARDWARE_EXCEPTION, VECTOR_DF } from '@trapframe/core'
import type { PanicDecoder, PanicReport } from './panic.js'

const NUMBER = '(?:0x)?([0-9a-f]+)'

/** What the FRED dispatcher prints about an event that it has no handler for. */
const BAD_EVENT = new RegExp(
  String.raw`(?:(BUG|PANIC):\s+)?invalid or fatal FRED event;\s+event\s+type\s+(\d+)\s+vector\s+(\d+)\s+` +
    String.raw`error\s+${NUMBER}\s+aux\s+${NUMBER}\s+at\s+([0-9a-f]{1,4}):(?:0x)?([0-9a-f]{1,16})`,
  'gi',
)

/** What #DF prints, under either delivery. */
const DOUBLE_FAULT = new RegExp(String.raw`PANIC:\s+double fault,?\s+error_code:\s+${NUMBER}`, 'gi')

/** The word before the line tells the stack level: a kernel survives such an event on level 0 only. */
const SEVERITY: Readonly<Record<string, readonly [value: string, meaning: string]>> = {
  BUG: ['0', 'from ring 3, or in ring 0 on stack level 0: the kernel kills the task and goes on if it can'],
  PANIC: ['1–3', 'in ring 0 on a stack level above 0, in a handler of #DB, NMI, #MC or #DF: the kernel stops'],
}

function badEvent(match: RegExpMatchArray): PanicReport {
  const [line, severity, type, vector, error, aux, cs, rip] = match
  const level = SEVERITY[severity?.toUpperCase() ?? '']
  return {
    reporter: 'Linux',
    line: oneLine(line),
    facts: {
      type: Number(type),
      vector: Number(vector),
      errorCode: BigInt(`0x${error}`),
      eventData: BigInt(`0x${aux}`),
      cs: Number.parseInt(cs!, 16),
      rip: BigInt(`0x${rip}`),
    },
    ...(level && { fields: [{ name: 'stack level', value: level[0], meaning: level[1] }] }),
  }
}

function doubleFault(match: RegExpMatchArray): PanicReport {
  return {
    reporter: 'Linux',
    line: oneLine(match[0]),
    facts: {
      type: HARDWARE_EXCEPTION,
      vector: VECTOR_DF,
      errorCode: BigInt(`0x${match[1]}`),
      eventData: null,
      cs: null,
      rip: null,
    },
  }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ')

/** Linux: events that its FRED dispatcher finds invalid or fatal, and double faults. */
export const LINUX: PanicDecoder = {
  summary: 'Linux: invalid or fatal FRED events, double faults',
  decode(log) {
    const found = [
      ...[...log.matchAll(BAD_EVENT)].map((match) => [match.index, badEvent(match)] as const),
      ...[...log.matchAll(DOUBLE_FAULT)].map((match) => [match.index, doubleFault(match)] as const),
    ]
    return found.sort(([a], [b]) => a - b).map(([, report]) => report)
  },
}
