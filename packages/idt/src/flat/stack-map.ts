import {
  type Cpu,
  PAGE_PRESENT,
  pointersElsewhere,
  readGuardedStack,
  readMsr,
  type StackMap,
  type StackPointer,
  vectorName,
} from '@trapframe/core'
import { readGate } from '../gate.js'
import { IA32_INTERRUPT_SSP_TABLE_ADDR } from '../msrs.js'
import { readIst, readRsp } from '../tss.js'
import { PAGE, STACK_COUNT, shadowToken, stackTop } from './memory.js'

const IA32_PL0_SSP = 0x6a4
const TOP_DOWN = Array.from({ length: STACK_COUNT }, (_, n) => STACK_COUNT - 1 - n)

/** The stacks of a CPU, with the pointers and page attributes that it has now, from the top down. */
export function flatStackMap(cpu: Cpu): StackMap {
  const pointers = [...stackPointers(cpu), ...(cpu.has('cet-ss') ? shadowPointers(cpu) : [])]
  const shadowStacks = TOP_DOWN.map((n) => ({ top: shadowToken(cpu.id, n) + 8n, name: `${stackName(n)} shadow` }))
  const stacks = [
    ...shadowStacks.filter(({ top }) => (cpu.space.flagsAt(top - PAGE) & PAGE_PRESENT) !== 0),
    ...TOP_DOWN.map((n) => ({ top: stackTop(cpu.id, n), name: stackName(n) })),
  ]
  const regions = stacks.flatMap((stack) => readGuardedStack(cpu, stack, pointers))
  return { cpu: cpu.id, delivery: 'idt', regions, elsewhere: pointersElsewhere(pointers, regions) }
}

const stackName = (n: number): string => (n === 0 ? 'primary' : `IST${n}`)

/** RSP0 and the IST entries that some gate names or that are not 0, from the TSS as it is. */
function stackPointers(cpu: Cpu): StackPointer[] {
  const pointers: StackPointer[] = []
  const rsp0 = readRsp(cpu, 0)
  if (rsp0 !== null) pointers.push({ source: 'TSS.RSP0', use: 'ring 3 → 0', value: rsp0 })
  for (let n = 1; n <= 7; n++) {
    const value = readIst(cpu, n)
    const users = gatesOf(cpu, n)
    if (value === null || (value === 0n && users === '')) continue
    pointers.push({ source: `TSS.IST${n}`, use: istUse(n, users), value })
  }
  return pointers
}

/** IA32_PL0_SSP and the entries of the interrupt SSP table, where these are set up. */
function shadowPointers(cpu: Cpu): StackPointer[] {
  const pointers: StackPointer[] = []
  const ssp0 = readMsr(cpu, IA32_PL0_SSP)
  if (ssp0 !== 0n) pointers.push({ source: 'IA32_PL0_SSP', use: 'ring 3 → 0', value: ssp0 })
  const table = readMsr(cpu, IA32_INTERRUPT_SSP_TABLE_ADDR)
  if (table === 0n || (cpu.space.flagsAt(table) & PAGE_PRESENT) === 0) return pointers
  for (let n = 1; n <= 7; n++) {
    const value = cpu.space.read64(table + BigInt(8 * n))
    if (value === 0n) continue
    pointers.push({ source: `interrupt SSP table[${n}]`, use: istUse(n, gatesOf(cpu, n)), value })
  }
  return pointers
}

const istUse = (n: number, users: string): string => (users === '' ? `IST${n}, no gate` : `IST${n} (${users})`)

/** The vectors whose gates name an entry of the interrupt stack table. */
function gatesOf(cpu: Cpu, ist: number): string {
  const users: string[] = []
  for (let vector = 0; vector < 256; vector++) if (readGate(cpu, vector)?.ist === ist) users.push(vectorName(vector))
  return users.join(', ')
}
