import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { UserError } from '@trapframe/core'
import type { Vector, VectorFormat } from './format.js'

/** A vector file that cannot be read: missing, truncated, of no known format. */
export class VectorFileError extends UserError {}

/** A dispute of ours: a vector that the specification proves wrong. */
interface Dispute {
  readonly file: string
  readonly id: string
  readonly sha256: string
  readonly reason: string
}

/**
 * The vectors of a `.jsonl` or `.jsonl.gz` file, one after the other. Disputes are the recorder's own and those of a
 * `disputed.json` beside the file, which names a line by file, id and SHA-256.
 *
 * @throws VectorFileError naming file, line and what is wrong
 */
export function* readVectors(path: string, formats: readonly VectorFormat[]): Generator<Vector> {
  const disputes = readDisputes(path)
  let format: VectorFormat | undefined
  let number = 0
  for (const line of lines(path)) {
    number++
    if (line.trim() === '') continue
    const place = { file: path, line: number, column: 1 }
    const value = parseLine(line, place, number)
    format ??= formats.find((candidate) => candidate.recognises(value))
    if (format === undefined) {
      throw new VectorFileError('vector-format', 'this is no vector format that is known here', {
        place,
        hint: `known are ${formats.map(({ name }) => name).join(', ')}`,
      })
    }
    let parsed: Vector | readonly Vector[]
    try {
      parsed = format.parse(value)
    } catch (error) {
      throw new VectorFileError('vector-invalid', `no ${format.name} vector: ${(error as Error).message}`, { place })
    }
    for (const vector of Array.isArray(parsed) ? (parsed as readonly Vector[]) : [parsed as Vector]) {
      const reason = disputes.length > 0 ? ownDispute(disputes, path, vector.id, line) : undefined
      yield reason === undefined || vector.disputed !== undefined ? vector : { ...vector, disputed: reason }
    }
  }
  if (number === 0)
    throw new VectorFileError('vector-empty', 'the file is empty', { place: { file: path, line: 1, column: 1 } })
}

function parseLine(
  line: string,
  place: { file: string; line: number; column: number },
  number: number,
): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (error) {
    const at = /position (\d+)/.exec((error as Error).message)?.[1]
    throw new VectorFileError('vector-json', `line ${number} is no JSON: ${shorten((error as Error).message)}`, {
      place: { ...place, column: at === undefined ? line.length + 1 : Number(at) + 1 },
      hint: 'a vector is one JSON object a line; a last line that ends early means a truncated file',
    })
  }
  throw new VectorFileError('vector-json', `line ${number} is no JSON object`, { place })
}

const shorten = (message: string): string => (message.length > 120 ? `${message.slice(0, 117)}…` : message)

function* lines(path: string): Generator<string> {
  const text = readText(path)
  let start = 0
  while (start < text.length) {
    const end = text.indexOf('\n', start)
    yield end === -1 ? text.slice(start) : text.slice(start, end)
    if (end === -1) return
    start = end + 1
  }
}

/** A file that says it holds more would not fit into one text, and may be made to fill the memory. */
const MOST_CHARACTERS = 1 << 28

const tooLong = (path: string): VectorFileError =>
  new VectorFileError('vector-file', `${path} is too long`, {
    hint: `most: ${MOST_CHARACTERS >> 20} MiB of text; split it`,
  })

function readText(path: string): string {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new VectorFileError(
      'vector-file',
      missing ? `no such file: ${path}` : `cannot read ${path}: ${(error as Error).message}`,
    )
  }
  if (bytes.length > MOST_CHARACTERS) throw tooLong(path)
  if (!path.endsWith('.gz')) return bytes.toString('utf8')
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_CHARACTERS }).toString('utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLong(path)
    const truncated = code === 'Z_BUF_ERROR'
    throw new VectorFileError('vector-gzip', `${path} is ${truncated ? 'a truncated gzip file' : 'no gzip file'}`, {
      hint: truncated
        ? 'copy it again: its end is missing'
        : 'the name ends in .gz; rename it if it is plain JSON lines',
    })
  }
}

function readDisputes(path: string): readonly Dispute[] {
  const file = join(dirname(path), 'disputed.json')
  if (!existsSync(file)) return []
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw notDisputes(file, (error as Error).message)
  }
  if (!Array.isArray(value)) throw notDisputes(file, 'it is no list')
  for (const [i, entry] of value.entries()) {
    const { file: named, id, sha256, reason } = (entry ?? {}) as Partial<Dispute>
    if ([named, id, sha256, reason].some((text) => typeof text !== 'string')) {
      throw notDisputes(file, `entry ${i} wants file, id, sha256 and reason as texts`)
    }
  }
  return value as Dispute[]
}

const notDisputes = (file: string, why: string): VectorFileError =>
  new VectorFileError('disputes', `this is no list of disputed vectors: ${why}`, {
    place: { file, line: 1, column: 1 },
  })

function ownDispute(disputes: readonly Dispute[], path: string, id: string, line: string): string | undefined {
  const name = basename(path).replace(/\.gz$/, '')
  const named = disputes.find((dispute) => dispute.id === id && dispute.file.replace(/\.gz$/, '') === name)
  if (named === undefined) return undefined
  return createHash('sha256').update(line).digest('hex') === named.sha256 ? named.reason : undefined
}
