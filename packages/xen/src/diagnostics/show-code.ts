import type { Call } from '../handlers/context.js'
import { isGuest } from '../handlers/user-regs.js'
import { hex16 } from '../handlers/vector-name.js'

/** Bytes that are shown before RIP, and from it on. */
const BEFORE = 8
const FROM = 16

/** show_code: the bytes around RIP, the one at RIP in brackets; nothing of a guest's code. */
export function showCode({ machine, cpu, regs, build }: Call): void {
  if (isGuest(regs)) return
  const rip = regs.get('rip')
  const byte = (address: bigint): string | null => {
    try {
      return cpu.space.read(address, 1)[0]!.toString(16).padStart(2, '0')
    } catch (error) {
      if (error instanceof RangeError) return null
      throw error
    }
  }
  const shown: string[] = []
  for (let offset = -BEFORE; offset < FROM; offset++) {
    const text = byte(BigInt.asUintN(64, rip + BigInt(offset)))
    if (text === null) {
      if (offset < 0) continue
      break
    }
    shown.push(offset === 0 ? `<${text}>` : text)
  }
  if (!shown.some((text) => text.startsWith('<'))) return
  machine.log(`Xen code around <${hex16(rip)}> (${build.symbol(rip) ?? hex16(rip)}):`, cpu)
  machine.log(` ${shown.join(' ')}`, cpu)
}
