import { type Axes, DELIVERY_AXIS } from '../scenario/matrix.js'

/** Something that belongs to a cell of a matrix. */
export interface OfCell {
  readonly cell: { readonly name: string; readonly axes: Axes }
}

/** Cells that differ only in their delivery, and those that have no counterpart. */
export interface Pairs<Item extends OfCell> {
  readonly groups: readonly (readonly Item[])[]
  /** Each with the cell of the same delivery that it is most like. */
  readonly others: readonly { readonly item: Item; readonly like: Item }[]
}

/** Pairs what differs only in the axis `delivery`. */
export function pairCells<Item extends OfCell>(items: readonly Item[]): Pairs<Item> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = JSON.stringify(
      Object.entries(withoutDelivery(item.cell.axes)).map(([axis, value]) => [axis, String(value)]),
    )
    groups.set(key, [...(groups.get(key) ?? []), item])
  }
  const paired = [...groups.values()].filter((group) => group.length > 1)
  const others = [...groups.values()].flatMap((group) => {
    if (group.length > 1) return []
    const item = group[0]!
    const siblings = paired.flat().filter((one) => one.cell.axes[DELIVERY_AXIS] === item.cell.axes[DELIVERY_AXIS])
    const [like] = siblings.sort((a, b) => differences(a, item) - differences(b, item))
    return like === undefined ? [] : [{ item, like }]
  })
  return { groups: paired, others }
}

function differences(a: OfCell, b: OfCell): number {
  return Object.entries(a.cell.axes).filter(([axis, value]) => b.cell.axes[axis] !== value).length
}

function withoutDelivery(axes: Axes): Axes {
  return Object.fromEntries(Object.entries(axes).filter(([axis]) => axis !== DELIVERY_AXIS))
}
