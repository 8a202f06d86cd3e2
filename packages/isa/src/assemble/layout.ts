import { type Emitter, emitter, LARGEST } from './emit.js'
import { AssemblyError } from './error.js'
import type { Statement } from './statement.js'
import type { SymbolTable } from './symbols.js'

/** A statement with its bytes at its address. */
export interface Placed {
  readonly statement: Statement
  readonly address: bigint
  readonly bytes: Uint8Array
}

/** From here on lengths may only grow, and what still changes is taken long. */
const PATIENCE = 12
const MOST_PASSES = 100

interface Item {
  readonly statement: Statement
  readonly emit: Emitter | undefined
  address: bigint
  bytes: Uint8Array
  long: boolean
  error: AssemblyError | undefined
}

const NOTHING = new Uint8Array()

/**
 * Finds addresses and encodings that agree: passes over the program, each with the labels of the one before, until no
 * label moves. Branches begin short and grow; a label not met yet counts as standing where it is used.
 *
 * @throws AssemblyError for the first statement that still cannot be encoded, or a program that never settles
 */
export function layOut(statements: readonly Statement[], symbols: SymbolTable, origin: bigint): readonly Placed[] {
  const items = statements.map((statement): Item => {
    const silent = statement.type === 'label' || statement.type === 'constant'
    const emit = silent ? undefined : emitter(statement, symbols)
    return { statement, emit, address: origin, bytes: NOTHING, long: false, error: undefined }
  })
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const moved = runPass(items, symbols, origin, pass)
    if (moved !== undefined) continue
    const failed = items.find((item) => item.error !== undefined)
    if (failed !== undefined) throw failed.error
    return items
  }
  const restless = runPass(items, symbols, origin, MOST_PASSES) ?? items[0]!
  throw new AssemblyError('unsettled', 'the length of this depends on itself', restless.statement.place)
}

/** Runs over the program once; the first statement that is not where or what it was, if there is one. */
function runPass(items: readonly Item[], symbols: SymbolTable, origin: bigint, pass: number): Item | undefined {
  symbols.beginPass()
  let moved: Item | undefined
  let address = origin
  for (const item of items) {
    item.address = address
    const { statement } = item
    if (statement.type === 'label' || statement.type === 'constant') {
      const place = statement.type === 'label' ? statement.label : statement.constant
      if (place.address !== address) moved ??= item
      place.address = address
      continue
    }
    const before = item.bytes.length
    emit(item, { here: address, origin, symbols }, pass)
    if (item.bytes.length !== before) {
      moved ??= item
      if (pass >= PATIENCE) item.long = true
    }
    address += BigInt(item.bytes.length)
    if (address - origin > LARGEST) {
      throw new AssemblyError('too-big', 'the program has more than 1 MiB', statement.place)
    }
  }
  return moved
}

/** What cannot be encoded keeps its length: it may become possible when labels have found their places. */
function emit(item: Item, around: Parameters<Emitter>[0], pass: number): void {
  try {
    item.bytes = item.emit!(around, { atLeast: pass >= PATIENCE ? item.bytes.length : 0, long: item.long })
    item.error = undefined
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error
    item.error = error
  }
}
