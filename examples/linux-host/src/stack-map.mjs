/** @import { Cpu, StackMap, StackPointer, StackRegion } from '@trapframe/core' */
/** @import { Mapping } from './memory.mjs' */
import { PAGE_PRESENT, PAGE_SIZE, pageLetters, readMsr, vectorName } from '@trapframe/core'
import { IA32_FRED_RSP0 } from '@trapframe/fred'
import { readGate, readIst, readRsp } from '@trapframe/idt'
import { VECTORS } from './entry/idt-source.mjs'
import { EVENT_STACKS, eventStack, otherTaskStack, taskStack } from './memory.mjs'
import { readPerCpu } from './per-cpu.mjs'

/**
 * The stacks of a CPU as the machine has them now, from the top down: pages and attributes from the page table, every
 * pointer from the register or table that holds it.
 *
 * @param {Cpu} cpu
 * @returns {StackMap}
 */
export function linuxStackMap(cpu) {
  const delivery = cpu.mechanism?.name ?? 'none'
  const pointers = delivery === 'fred' ? fredPointers(cpu) : idtPointers(cpu)
  const stacks = /** @type {const} */ ([
    ...EVENT_STACKS.map((name) => /** @type {const} */ ([name, eventStack(cpu.id, name)])).reverse(),
    ['other task', otherTaskStack(cpu.id)],
    ['task', taskStack(cpu.id)],
  ])
  const regions = stacks.flatMap(([name, stack]) => [
    region(cpu, name, 'stack', stack, pointers),
    region(cpu, `${name} guard`, 'guard', guardBelow(stack), pointers),
  ])
  const found = new Set(regions.flatMap((one) => one.pointers))
  return { cpu: cpu.id, delivery, regions, elsewhere: pointers.filter((one) => !found.has(one)) }
}

/** @param {Mapping} stack @returns {Mapping} */
const guardBelow = (stack) => ({ ...stack, linear: stack.linear - BigInt(PAGE_SIZE), pages: 1 })

/**
 * @param {Cpu} cpu
 * @param {string} name
 * @param {StackRegion['kind']} kind
 * @param {Mapping} mapping
 * @param {readonly StackPointer[]} pointers
 * @returns {StackRegion}
 */
function region(cpu, name, kind, { linear, pages }, pointers) {
  const flags = cpu.space.flagsAt(linear)
  const bytes = pages * PAGE_SIZE
  return {
    address: linear,
    bytes,
    name,
    kind,
    attributes: (flags & PAGE_PRESENT) === 0 ? null : pageLetters(flags),
    // A stack pointer points just above the first byte that a push writes.
    pointers: pointers.filter(({ value }) => value > linear && value <= linear + BigInt(bytes)),
  }
}

/** @param {Cpu} cpu @returns {StackPointer[]} */
function fredPointers(cpu) {
  return [0, 1, 2, 3].map((level) => ({
    source: `IA32_FRED_RSP${level}`,
    use: `SL${level}`,
    value: readMsr(cpu, IA32_FRED_RSP0 + level),
  }))
}

/** RSP0, the stack that SYSCALL's entry code loads, and the IST entries that a gate names. @param {Cpu} cpu @returns {StackPointer[]} */
function idtPointers(cpu) {
  /** @type {StackPointer[]} */
  const pointers = [{ source: 'task_stack_top', use: 'SYSCALL', value: readPerCpu(cpu, 'task_stack_top') }]
  const rsp0 = readRsp(cpu, 0)
  if (rsp0 !== null) pointers.push({ source: 'TSS.RSP0', use: 'ring 3 → 0', value: rsp0 })
  for (let n = 1; n <= 7; n++) {
    const value = readIst(cpu, n)
    const users = gatesOf(cpu, n)
    if (value === null || (value === 0n && users === '')) continue
    pointers.push({ source: `TSS.IST${n}`, use: users === '' ? `IST${n}, no gate` : `IST${n} (${users})`, value })
  }
  return pointers
}

/** The vectors whose gates name an entry of the interrupt stack table. @param {Cpu} cpu @param {number} ist */
function gatesOf(cpu, ist) {
  const vectors = Array.from({ length: VECTORS }, (_, vector) => vector)
  return vectors
    .filter((vector) => readGate(cpu, vector)?.ist === ist)
    .map(vectorName)
    .join(', ')
}
