/** A value on an axis of the matrix. */
export type AxisValue = string | bigint | number | boolean

/** One value for each axis. */
export type Axes = Readonly<Record<string, AxisValue>>

/** A condition on cells: each named axis has one of the values. */
export type Condition = Readonly<Record<string, readonly AxisValue[]>>

/** The axis whose values name a cell without saying `delivery:`, and in which `compare` pairs cells. */
export const DELIVERY_AXIS = 'delivery'

/** Every combination of the axes' values that no exclusion removes, the last axis running fastest. */
export function expand(matrix: Readonly<Record<string, readonly AxisValue[]>>, exclude: readonly Condition[]): Axes[] {
  let cells: Axes[] = [{}]
  for (const [axis, values] of Object.entries(matrix)) {
    cells = cells.flatMap((cell) => values.map((value) => ({ ...cell, [axis]: value })))
  }
  return cells.filter((cell) => !exclude.some((condition) => meets(cell, condition)))
}

/** Whether a cell meets a condition. */
export function meets(cell: Axes, condition: Condition): boolean {
  return Object.entries(condition).every(([axis, values]) => values.includes(cell[axis]!))
}

/** What a cell is called: `idt, ist: false`; empty without a matrix. */
export function cellName(cell: Axes): string {
  return Object.entries(cell)
    .map(([axis, value]) => (axis === DELIVERY_AXIS ? String(value) : `${axis}: ${value}`))
    .join(', ')
}
