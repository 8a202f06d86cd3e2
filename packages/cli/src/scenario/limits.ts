/**
 * What a scenario of a stranger can take at most, so that nothing it says can hang or exhaust the machine that reads it.
 * `docs/scenarios.md` lists them.
 */
export const LIMITS = {
  /** Bytes of a scenario file. */
  file: 1 << 20,
  /** Values of a file with its aliases written out. */
  values: 200_000,
  /** How deep values lie inside of each other. */
  depth: 64,
  /** How often an anchor of YAML may be used. */
  aliases: 100,
  /** Axes of a matrix. */
  axes: 32,
  /** Cells of a matrix. */
  cells: 1024,
  /** Cells times CPUs: each cell has a machine of its own. */
  cpus: 2048,
  /** Cells times values of the file: every cell reads all of it. */
  cellValues: 4_000_000,
  /** Characters of a text in which `${axis}` was filled in. */
  filledText: 1 << 16,
  /** Mistakes that are told of one file. */
  mistakes: 100,
  /** Pages that `setup` maps in one cell. */
  pages: 16_384,
  /** Events, steps and lines of logs and traces that one run keeps. */
  recorded: 500_000,
  /** Seconds for all cells of a file together. */
  seconds: 120,
} as const
