import { assemble } from '@trapframe/isa'
import { CPU_INFO, type CpuInfoLayout } from '../layout/cpu-info.js'
import { type Mapping, stackOf, stubPage } from '../layout/memory.js'
import { rsp0Of } from '../layout/stack.js'

/** Where LSTAR and CSTAR of a CPU point. */
export interface Trampolines {
  readonly page: Mapping
  readonly bytes: Uint8Array
  readonly lstar: bigint
  readonly cstar: bigint
}

/**
 * The code that SYSCALL enters, one for each CPU because it knows the CPU's stack by heart: it saves RAX in the slot of
 * SS, RSP in RAX, and loads the stack. Until then RSP is the guest's: the syscall gap.
 */
export function trampolines(
  cpu: number,
  ibt: boolean,
  text: ReadonlyMap<string, bigint>,
  layout: CpuInfoLayout = CPU_INFO,
): Trampolines {
  const page = stubPage(cpu)
  const ssSlot = rsp0Of(stackOf(cpu).linear, layout) - 8n
  const symbols = Object.fromEntries(['lstar_enter', 'cstar_enter'].map((name) => [name, text.get(name)!]))
  const stub = (name: string): string => `
${name}_trampoline:
${ibt ? '    endbr64' : ''}
    movabs [${ssSlot}], rax
    mov rax, rsp
    mov rsp, ${ssSlot}
    push rax
    jmp ${name}_enter`
  const source = [stub('lstar'), '    align 64', stub('cstar')].join('\n')
  const { bytes, labels } = assemble(source, { origin: page.linear, symbols })
  return { page, bytes, lstar: labels.get('lstar_trampoline')!, cstar: labels.get('cstar_trampoline')! }
}
