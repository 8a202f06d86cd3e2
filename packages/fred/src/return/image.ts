import {
  BLOCKED_BY_NMI,
  CPL,
  type Cpu,
  CR4,
  DR6_BS,
  peek,
  pendDebugTrap,
  READ,
  RFLAGS,
  readablePage,
  STATUS,
  stackAddress,
  TF,
  ud,
} from '@trapframe/core'
import { FRAME_RIP, SS_NMI, SS_SOFTWARE_EVENT } from '../frame/layout.js'

/** CR4.FRED, in the register's high half. */
const CR4_FRED_HIGH = 1

// Where popReturnImage leaves the quadwords: words of its result, low half first. They lie in the frame in this order.
export const IMAGE_RIP = 0
export const IMAGE_CS = 2
export const IMAGE_RFLAGS = 4
export const IMAGE_RSP = 6
export const IMAGE_SS = 8

const IMAGE_WORDS = 10
const image = new Int32Array(IMAGE_WORDS)

const PAGE_OFFSET = 0xfff
/** The highest page offset at which the image fits into the page. */
const LAST_IN_PAGE = 0x1000 - 4 * IMAGE_WORDS

/** @throws #UD for ERETS and ERETU outside ring 0 or while CR4.FRED is 0 */
export function requireFredReturn(cpu: Cpu): void {
  if (cpu.words[CPL] !== 0 || (cpu.words[CR4 + 1]! & CR4_FRED_HIGH) === 0) throw ud()
}

/**
 * What ERETS and ERETU pop after skipping the error code: RIP, CS, RFLAGS, RSP and SS, in this order, in halves at
 * `IMAGE_…`. RSP stays. The array is the same one every time: use it before anything else returns.
 *
 * @throws #SS(0) for a stack that is not canonical, #PF
 */
export function popReturnImage(cpu: Cpu): Int32Array {
  const lo = stackAddress(cpu, FRAME_RIP, 8, false)
  const at = lo & PAGE_OFFSET
  if (cpu.watching !== 0 || at > LAST_IN_PAGE) return popOneByOne(cpu)
  const page = readablePage(cpu, lo, cpu.hi, READ)
  image[IMAGE_RIP] = page.getInt32(at, true)
  image[IMAGE_RIP + 1] = page.getInt32(at + 4, true)
  image[IMAGE_CS] = page.getInt32(at + 8, true)
  image[IMAGE_CS + 1] = page.getInt32(at + 12, true)
  image[IMAGE_RFLAGS] = page.getInt32(at + 16, true)
  image[IMAGE_RFLAGS + 1] = page.getInt32(at + 20, true)
  image[IMAGE_RSP] = page.getInt32(at + 24, true)
  image[IMAGE_RSP + 1] = page.getInt32(at + 28, true)
  image[IMAGE_SS] = page.getInt32(at + 32, true)
  image[IMAGE_SS + 1] = page.getInt32(at + 36, true)
  return image
}

/** The same for an image across two pages, and while somebody watches memory. */
function popOneByOne(cpu: Cpu): Int32Array {
  for (let n = 0; n < IMAGE_WORDS; n += 2) {
    image[n] = peek(cpu, FRAME_RIP + 4 * n, 8)
    image[n + 1] = cpu.hi
  }
  return image
}

/**
 * The last thing that both returns do, RFLAGS being the new one: bit 18 of the SS image unblocks NMIs, bit 17 pends a
 * single step if TF is set.
 */
export function settleEvents(cpu: Cpu, ssImage: number): void {
  const { words } = cpu
  if ((ssImage & SS_NMI) !== 0) words[STATUS] = words[STATUS]! & ~BLOCKED_BY_NMI
  if ((ssImage & SS_SOFTWARE_EVENT) !== 0 && (words[RFLAGS]! & TF) !== 0) pendDebugTrap(cpu, DR6_BS)
}
