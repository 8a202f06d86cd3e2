import { UserError } from '@trapframe/core'

/** What cannot be read as a frame or as a kernel's last words. */
export class DecodeError extends UserError {
  constructor(message: string, hint: string) {
    super('decode', message, { hint })
  }
}

/** One way to read a dump, and the bytes that come of it. */
export interface Reading {
  readonly bytes: Uint8Array
  /** Groups of digits are numbers, whose lowest byte lies first in memory; otherwise bytes in their order. */
  readonly numbers: boolean
}

const GROUP = /^(?:0x)?([0-9a-f]+)$/i
/** What stands before a line's bytes: an offset, an address, an address with a symbol. */
const LABEL = /^\s*(?:<[^>]*>|[^\s:]+(?:\s+<[^>]*>)?):(?=\s|$)/

/**
 * The bytes of a hex dump: plain digits, xxd, hexdump with or without -C, od -tx, a debugger's quadwords, a C array.
 * Offsets, addresses and the column of characters are dropped. Where groups are wider than a byte there are two readings.
 *
 * @throws DecodeError for what is no hex dump
 */
export function parseHexdump(text: string): readonly Reading[] {
  const lines = text.split(/\r?\n/).map(groupsOf)
  const groups = withoutOffsets(lines.filter(({ words }) => words.length > 0)).flat()
  if (groups.length === 0) throw noDump('there are no hex digits in it')
  const widest = groups.reduce((most, digits) => Math.max(most, digits.length), 0)
  const readings: Reading[] = []
  const odd = groups.find((digits) => digits.length % 2 !== 0 && digits.length !== 1)
  if (odd === undefined) readings.push({ bytes: bytesInOrder(groups), numbers: false })
  if (widest > 2 && widest <= 16) readings.push({ bytes: bytesOfNumbers(groups, widest), numbers: true })
  if (readings.length === 0) throw noDump(`"${shorten(odd!)}" has an odd number of digits`)
  return readings
}

const noDump = (why: string): DecodeError =>
  new DecodeError(
    `this is neither a hex dump nor one of the kernel messages that are known here: ${why}`,
    'give 64 bytes in hex (xxd, hexdump -C, plain digits, quadwords), or a line such as "invalid or fatal FRED event; …"',
  )

/** The beginning of a word, with what a terminal would not show as a dot. */
const shorten = (text: string): string =>
  `${text.slice(0, 40).replace(/[^\x21-\x7e]/g, '·')}${text.length > 40 ? '…' : ''}`

interface Line {
  readonly labelled: boolean
  /** Hex digits, without 0x. */
  readonly words: readonly string[]
}

/** The groups of one line, without its label, its column of characters, and what C and WinDbg put between digits. */
function groupsOf(line: string): Line {
  const label = LABEL.exec(line)?.[0]
  let rest = line.slice(label?.length ?? 0).replace(/\|.*$/, '')
  // after a label the characters stand two blanks behind the last group
  if (label !== undefined) rest = rest.trimStart().split(/\s{2,}/)[0]!
  const words = rest
    .replace(/\\x/gi, ' ')
    .replace(/[{}[\],;"'`]/g, (mark) => (mark === '`' ? '' : ' '))
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => {
      const digits = GROUP.exec(word)?.[1]
      if (digits === undefined) throw noDump(`"${shorten(word)}" is no hex`)
      return digits
    })
  return { labelled: label !== undefined, words }
}

/** Drops the offset that each line begins with, where every line's counts the bytes before it, in hex or in octal. */
function withoutOffsets(lines: readonly Line[]): (readonly string[])[] {
  const all = lines.map(({ words }) => words)
  if (all.length === 0 || lines.some(({ labelled }) => labelled)) return all
  const rest = all.map((words) => words.slice(1))
  for (const radix of [16, 8]) {
    let offset = Number.parseInt(all[0]?.[0] ?? '', radix)
    const counts = all.every(([head], i) => {
      const right = head!.length >= 4 && Number.parseInt(head!, radix) === offset
      offset += rest[i]!.reduce((sum, digits) => sum + Math.ceil(digits.length / 2), 0)
      return right
    })
    // one line alone cannot tell an offset from data: only 0 can be one there
    if (counts && (all.length > 1 || (/^0{6,8}$/.test(all[0]![0]!) && rest[0]!.length > 1))) return rest
  }
  return all
}

function bytesInOrder(groups: readonly string[]): Uint8Array {
  return Uint8Array.from(
    Buffer.from(groups.map((digits) => (digits.length === 1 ? `0${digits}` : digits)).join(''), 'hex'),
  )
}

/** Each group a number of 2, 4 or 8 bytes, as many as the widest needs, or as make 64 bytes together. */
function bytesOfNumbers(groups: readonly string[], widest: number): Uint8Array {
  const fitting = [2, 4, 8].filter((bytes) => 2 * bytes >= widest)
  const width = fitting.find((bytes) => bytes * groups.length === 64) ?? fitting[0]!
  return Uint8Array.from(groups.flatMap((digits) => [...Buffer.from(digits.padStart(2 * width, '0'), 'hex')].reverse()))
}
