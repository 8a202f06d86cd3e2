import { FRAME_CLOBBERED, FRAME_LEFT, FRAME_RUNNING } from '../../follow/frame-bits.js'
import type { CellData, FrameData, RegionData } from '../report-data.js'
import { type MachineState, registerValue } from './walk.js'

/** A line inside of a box of the stack picture. */
export interface PictureLine {
  readonly kind: 'frame' | 'field' | 'software' | 'free'
  readonly left: string
  readonly middle: string
  readonly right: string
  /** Its lowest byte, where it has one that is worth showing. */
  readonly address: bigint | null
  readonly marks: readonly ('running' | 'left' | 'clobbered')[]
}

/** A pointer at the lower edge of a line, or of a box. */
export interface PictureMarker {
  readonly name: 'RSP' | 'SSP'
  /** After so many lines of the box. */
  readonly after: number
  readonly value: bigint
}

/** A stretch of memory as a box, from its highest byte down. */
export interface PictureBox {
  readonly name: string
  /** `elsewhere`: where ring 0 should not be; `user`: where ring 3 is at home. */
  readonly kind: RegionData['kind'] | 'elsewhere' | 'user'
  readonly access: string
  readonly size: string
  readonly top: bigint | null
  readonly bottom: bigint | null
  /** What the CPU uses it for: `IST2 (NMI)`. */
  readonly uses: readonly string[]
  readonly lines: readonly PictureLine[]
  readonly markers: readonly PictureMarker[]
  /** A gap in the addresses lies above. */
  readonly gap: boolean
}

interface Placed {
  readonly frame: FrameData
  readonly bits: number
  readonly start: bigint
  readonly end: bigint
}

/** Frames whose fields are shown: the newest ones. */
const OPEN_FRAMES = 2

/** The stack area of a CPU as boxes: regions, frames in them, and where RSP and SSP point. */
export function pictureOf(cell: CellData, state: MachineState, strayed: string | undefined): PictureBox[] {
  const regions = cell.maps[state.map]?.regions ?? []
  const rsp = registerValue(cell, state, 'RSP')
  const ssp = registerValue(cell, state, 'SSP')
  const placed = state.live.flatMap(([n, bits]): Placed[] => {
    const frame = cell.frames[n]
    if (frame === undefined || frame.bytes === 0) return []
    const start = BigInt(`0x${frame.address}`)
    return [{ frame, bits, start, end: start + BigInt(frame.bytes) }]
  })
  const open = new Set(placed.slice(-OPEN_FRAMES))
  const inside = (region: { start: bigint; end: bigint }, pointer: bigint): boolean =>
    pointer > region.start && pointer <= region.end
  const homeless = new Set(placed)
  let pointed = false
  let before: bigint | undefined
  const boxes = regions.map((region): PictureBox => {
    const start = BigInt(`0x${region.address}`)
    const end = start + BigInt(region.bytes)
    const own = placed.filter((one) => one.start >= start && one.start < end)
    for (const one of own) homeless.delete(one)
    const isShadow = region.kind === 'shadow-stack'
    const hasRsp = !isShadow && inside({ start, end }, rsp)
    const hasSsp = isShadow && ssp !== 0n && inside({ start, end }, ssp)
    pointed ||= hasRsp
    const gap = before !== undefined && before !== end
    before = start
    return {
      name: region.name,
      kind: region.kind,
      access: region.access,
      size: sizeText(region.bytes),
      top: end,
      bottom: start,
      uses: [...new Set(region.pointers.map(([, use]) => use.replace(/ \(nothing\)/, '')))],
      ...contents(own, open, end, hasRsp ? rsp : null, hasSsp ? ssp : null),
      gap,
    }
  })
  if (!pointed || homeless.size > 0)
    boxes.push(elsewhere([...homeless], open, pointed ? null : rsp, strayed, registerValue(cell, state, 'CPL') === 3n))
  return boxes
}

/** Memory that is no stack of the CPU: where RSP strayed, and frames that were pushed there. */
function elsewhere(
  own: readonly Placed[],
  open: ReadonlySet<Placed>,
  rsp: bigint | null,
  strayed: string | undefined,
  user: boolean,
): PictureBox {
  const top = [...own.map(({ end }) => end), ...(rsp === null ? [] : [rsp])].reduce((a, b) => (a > b ? a : b), 0n)
  return {
    name: `${strayed ?? own[0]?.frame.region ?? 'nobody’s'} memory`,
    kind: user && own.length === 0 ? 'user' : 'elsewhere',
    access: user && own.length === 0 ? 'ring 3' : 'no stack of this CPU',
    size: '',
    top: null,
    bottom: null,
    uses: [],
    ...contents(own, open, top, rsp, null),
    gap: true,
  }
}

function contents(
  own: readonly Placed[],
  open: ReadonlySet<Placed>,
  top: bigint,
  rsp: bigint | null,
  ssp: bigint | null,
): Pick<PictureBox, 'lines' | 'markers'> {
  const lines: PictureLine[] = []
  const markers: PictureMarker[] = []
  let at = top
  const mark = (name: 'RSP' | 'SSP', value: bigint): void => void markers.push({ name, after: lines.length, value })
  const fill = (down: bigint): void => {
    if (down >= at) return
    lines.push(plainLine('software', `${at - down} bytes of software`, down))
    at = down
  }
  let pending = rsp
  // Of frames at one address the newest comes first: it is what lies there now.
  const inOrder = [...own].reverse().sort((a, b) => (a.start === b.start ? 0 : a.start < b.start ? 1 : -1))
  for (const one of inOrder) {
    if (one.end > at) {
      lines.push(...frameLines(one, false))
      continue
    }
    if (pending !== null && pending >= one.end) {
      fill(pending)
      mark('RSP', pending)
      pending = null
      if (at > one.end) lines.push(plainLine('free', `${at - one.end} bytes`, one.end))
      at = one.end
    } else {
      fill(one.end)
    }
    lines.push(...frameLines(one, open.has(one)))
    at = one.start
    if (pending !== null && pending > one.start) {
      // RSP inside of a frame: the error code was dropped, or some of it was popped.
      const above = Number((one.end - pending) / 8n)
      const place = lines.length - (open.has(one) ? Math.max(0, one.frame.fields.length - above) : 0)
      markers.push({ name: 'RSP', after: place, value: pending })
      pending = null
    }
  }
  if (pending !== null) {
    fill(pending)
    mark('RSP', pending)
  }
  if (ssp !== null) mark('SSP', ssp)
  return { lines, markers }
}

const plainLine = (kind: 'software' | 'free', left: string, address: bigint): PictureLine => ({
  kind,
  left,
  middle: '',
  right: '',
  address,
  marks: [],
})

function frameLines({ frame, bits, start, end }: Placed, open: boolean): PictureLine[] {
  const marks = [
    ...((bits & FRAME_RUNNING) !== 0 ? (['running'] as const) : []),
    ...((bits & FRAME_LEFT) !== 0 ? (['left'] as const) : []),
    ...((bits & FRAME_CLOBBERED) !== 0 ? (['clobbered'] as const) : []),
  ]
  const head: PictureLine = {
    kind: 'frame',
    left: `${frame.event} frame`,
    middle: '',
    right: `${frame.bytes} bytes`,
    address: open && frame.fields.length > 0 ? null : start,
    marks,
  }
  if (!open) return [head]
  const fields = frame.fields.map(
    ([name, value, meaning], n): PictureLine => ({
      kind: 'field',
      left: name,
      middle: meaning,
      right: value,
      address: end - BigInt(8 * (n + 1)),
      marks: [],
    }),
  )
  return [head, ...fields]
}

function sizeText(bytes: number): string {
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`
}
