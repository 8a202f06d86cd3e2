import type { Cpu } from '@trapframe/core'
import { readRsp } from '@trapframe/idt'
import type { Call } from '../handlers/context.js'
import { hex16 } from '../handlers/vector-name.js'
import { STACK_BYTES } from '../layout/cpu-info.js'
import { stackOf, tssPage } from '../layout/memory.js'
import { PAGE_BYTES } from '../layout/stack.js'

/** The two pages that Xen runs on, at the top of the stack. */
const PRIMARY_BYTES = 2 * PAGE_BYTES
/** With fewer bytes than these left, the stack has as good as overflown. */
const MARGIN = 512
/** RSP0 in a TSS. */
const TSS_RSP0 = 4n

/**
 * show_stack_overflow, part of the report of #DF: where RSP stood against the primary stack, and, if it was at its low end or
 * in the guard page below, which addresses of Xen's code lie on the stack.
 */
export function showStackOverflow(call: Call): void {
  const { machine, cpu, regs, build } = call
  const say = (line: string): void => machine.log(line, cpu)
  const sp = regs.get('rsp')
  const base = sp - (sp % BigInt(STACK_BYTES))
  const expected = stackOf(cpu.id).linear
  if (base !== expected) say(`Current stack base ${hex16(base)} differs from expected ${hex16(expected)}`)
  const bottom = base + BigInt(STACK_BYTES)
  const top = bottom - BigInt(PRIMARY_BYTES)
  say(`Valid stack range: ${hex16(top)}-${hex16(bottom)}, sp=${hex16(sp)}, tss.rsp0=${hex16(tssRsp0(cpu))}`)
  if (sp > top + BigInt(MARGIN) || sp < top - BigInt(PAGE_BYTES)) {
    say('No stack overflow detected. Skipping stack trace.')
    return
  }
  const from = sp < top ? top : sp
  say(`Xen stack overflow (dumping trace ${hex16(from)}-${hex16(bottom)}):`)
  for (let at = from & ~7n; at < bottom; at += 8n) {
    const value = quadAt(cpu, at)
    const symbol = value === null ? null : build.symbol(value)
    if (symbol !== null) say(`   [<${hex16(value!)}>] S ${symbol}`)
  }
  say('')
}

/** RSP0 from the TSS: the limit that TR has under FRED hides it from the hardware, not from Xen. */
const tssRsp0 = (cpu: Cpu): bigint => readRsp(cpu, 0) ?? cpu.space.read64(tssPage(cpu.id).linear + TSS_RSP0)

function quadAt(cpu: Cpu, address: bigint): bigint | null {
  try {
    return cpu.space.read64(address)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
