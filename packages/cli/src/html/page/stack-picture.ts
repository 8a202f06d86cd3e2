import type { CellData } from '../report-data.js'
import { svg } from './dom.js'
import { type PictureBox, type PictureLine, type PictureMarker, pictureOf } from './picture.js'
import { type MachineState, registerValue } from './walk.js'

const WIDTH = 388
const GUTTER = 50
const BOX = WIDTH - GUTTER - 2
const ROW = 19
const HEAD = 23
const PAD = 8
/** About how wide a letter is, to cut what does not fit. */
const LETTER = 6.65

/** The stacks of a CPU as a picture. Shapes and words carry what colours say. */
export function stackPicture(
  cell: CellData,
  state: MachineState,
  strayed: string | undefined,
  id: string,
): SVGSVGElement {
  const boxes = pictureOf(cell, state, strayed)
  const parts: SVGElement[] = [hatch(id)]
  let y = 12
  boxes.forEach((box, n) => {
    if (n > 0 && box.gap) {
      parts.push(svg('text', { class: 'pic-gap', x: GUTTER + BOX / 2, y: y + 13, 'text-anchor': 'middle' }, '⋮'))
      y += 22
    }
    if (box.top !== null) parts.push(address(box.top, y))
    const drawn = drawBox(box, y, id)
    parts.push(...drawn.parts)
    y += drawn.height
    const next = boxes[n + 1]
    if (box.bottom !== null && (next === undefined || next.gap)) parts.push(address(box.bottom, y))
  })
  y += 12
  const inKernel = registerValue(cell, state, 'CPL') !== 3n
  const label = describe(boxes, inKernel)
  return svg(
    'svg',
    { class: 'picture', viewBox: `0 0 ${WIDTH} ${y}`, role: 'img', 'aria-label': label, width: WIDTH, height: y },
    svg('title', {}, label),
    parts,
  )
}

function drawBox(box: PictureBox, y: number, id: string): { parts: SVGElement[]; height: number } {
  const { lines, markers } = box
  const rows = lines.length
  // Room under a pointer at the lower end, so that its address does not lie on that of the box.
  const low = markers.some(({ after }) => after === rows)
  const body = rows * ROW + (low ? 20 : rows > 0 ? 6 : 0)
  const height = HEAD + body
  const x = GUTTER
  const used = rows > 0 || markers.length > 0
  const parts: SVGElement[] = [
    svg('rect', { class: `pic-box pic-${box.kind}${used ? ' pic-used' : ''}`, x, y, width: BOX, height }),
  ]
  if (box.kind === 'guard')
    parts.push(svg('rect', { class: 'pic-hatch', x, y, width: BOX, height, fill: `url(#${id}-hatch)` }))
  if (box.kind === 'shadow-stack') {
    parts.push(svg('rect', { class: 'pic-inner', x: x + 2.5, y: y + 2.5, width: BOX - 5, height: height - 5 }))
  }
  const kind = box.kind === 'guard' && !box.name.includes('guard') ? ', guard' : ''
  const right = [box.access, box.size].filter(Boolean).join(' · ')
  const uses = box.uses.join(', ')
  const name = `${box.name}${kind}`
  const room = BOX - 2 * PAD - (right.length + name.length + 4) * LETTER
  parts.push(
    svg(
      'text',
      { class: 'pic-name', x: x + PAD, y: y + 15.5 },
      svg('tspan', { class: 'pic-strong' }, name),
      uses === '' ? null : svg('tspan', { class: 'pic-use', dx: 8 }, cut(uses, room)),
    ),
    svg('text', { class: 'pic-access', x: x + BOX - PAD, y: y + 15.5, 'text-anchor': 'end' }, right),
  )
  let top = y + HEAD
  for (const line of lines) {
    parts.push(...drawLine(line, top, id))
    top += ROW
  }
  for (const marker of markers)
    parts.push(...drawMarker(marker, y + HEAD + marker.after * ROW, box.kind === 'elsewhere'))
  return { parts, height }
}

function drawLine(line: PictureLine, y: number, id: string): SVGElement[] {
  const x = GUTTER + PAD
  const width = BOX - 2 * PAD
  const parts: SVGElement[] = []
  if (line.kind === 'software') {
    parts.push(svg('rect', { class: 'pic-software', x, y, width, height: ROW, fill: `url(#${id}-dots)` }))
  } else if (line.kind !== 'free') {
    parts.push(svg('rect', { class: `pic-line pic-line-${line.kind}`, x, y, width, height: ROW }))
  }
  const words = line.marks.map((mark) => MARKS[mark]).join(' ')
  const middleRoom = width - (line.left.length + line.right.length + 5) * LETTER
  parts.push(
    svg(
      'text',
      { class: `pic-text pic-text-${line.kind}`, x: x + 7, y: y + 13.5 },
      line.kind === 'frame' ? `↯ ${line.left}` : line.left,
      line.middle === '' ? null : svg('tspan', { class: 'pic-meaning', dx: 8 }, cut(line.middle, middleRoom)),
      words === ''
        ? null
        : svg('tspan', { class: line.marks.includes('clobbered') ? 'pic-bad' : 'pic-meaning', dx: 8 }, words),
    ),
    svg(
      'text',
      { class: `pic-value pic-text-${line.kind}`, x: x + width - 7, y: y + 13.5, 'text-anchor': 'end' },
      line.right,
    ),
  )
  return parts
}

const MARKS = {
  running: '(its handler runs)',
  left: '(its handler uses another stack)',
  clobbered: '✗ overwritten',
} as const

/** RSP is a filled arrow, SSP an empty diamond. */
function drawMarker({ name, value }: PictureMarker, y: number, stray: boolean): SVGElement[] {
  const x = GUTTER
  const shape =
    name === 'RSP'
      ? svg('path', { class: 'pic-arrow', d: `M${x - 9} ${y - 5} L${x + 5} ${y} L${x - 9} ${y + 5} Z` })
      : svg('path', {
          class: 'pic-diamond',
          d: `M${x - 9} ${y} L${x - 2} ${y - 6} L${x + 5} ${y} L${x - 2} ${y + 6} Z`,
        })
  return [
    svg('line', { class: `pic-level pic-level-${name}`, x1: x, x2: x + BOX, y1: y, y2: y }),
    svg('rect', { class: 'pic-back', x: 0, y: y - 13, width: x - 11, height: 25 }),
    svg('text', { class: `pic-pointer${stray ? ' pic-bad' : ''}`, x: x - 13, y: y - 1, 'text-anchor': 'end' }, name),
    svg('text', { class: 'pic-address', x: x - 13, y: y + 10, 'text-anchor': 'end' }, short(value)),
    shape,
  ]
}

const short = (value: bigint): string => `…${(value & 0xffffn).toString(16).padStart(4, '0')}`

function address(value: bigint, y: number): SVGElement {
  return svg('text', { class: 'pic-address', x: GUTTER - 6, y: y + 3.5, 'text-anchor': 'end' }, short(value))
}

function hatch(id: string): SVGElement {
  return svg(
    'defs',
    {},
    svg(
      'pattern',
      { id: `${id}-hatch`, width: 7, height: 7, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
      svg('line', { class: 'pic-hatch-line', x1: 0, y1: 0, x2: 0, y2: 7 }),
    ),
    svg(
      'pattern',
      { id: `${id}-dots`, width: 6, height: 6, patternUnits: 'userSpaceOnUse' },
      svg('circle', { class: 'pic-dot', cx: 1.5, cy: 1.5, r: 0.8 }),
    ),
  )
}

function cut(text: string, room: number): string {
  const most = Math.max(0, Math.floor(room / LETTER))
  if (text.length <= most) return text
  return most < 4 ? '' : `${text.slice(0, most - 1)}…`
}

/** The picture in a sentence. */
function describe(boxes: readonly PictureBox[], inKernel: boolean): string {
  const parts: string[] = []
  for (const box of boxes) {
    for (const { name, value } of box.markers) {
      const where = box.kind === 'elsewhere' ? `${box.name}, no stack of this CPU` : box.name
      parts.push(`${name} ${value.toString(16)} in ${where}`)
    }
    const frames = box.lines.filter(({ kind }) => kind === 'frame').map(({ left }) => left)
    if (frames.length > 0) parts.push(`${box.name} holds ${frames.join(', ')}`)
  }
  return `Stacks${inKernel ? '' : ', ring 3 runs'}: ${parts.join('; ') || 'nothing on them'}`
}
