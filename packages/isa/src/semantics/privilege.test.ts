import { type Cpu, CR4, CR4_DE, CR4_FSGSBASE, CR4_OSXSAVE, CR4_UMIP, DR7, DR7_GD } from '@trapframe/core'
import { expect, test } from 'vitest'
import { DATA, eventOf } from './test-machine.js'

const cr4 = (bits: number) => (cpu: Cpu) => cpu.setControl(CR4, cpu.cr4 | BigInt(bits))
const atCpl3 = (source: string, prepare: (cpu: Cpu) => void = () => {}) =>
  eventOf(source, { cpl: 3, prepare, registers: { rbx: DATA, rdx: 0x3f8n } })

test.each([
  ...['hlt', 'invd', 'wbinvd', 'wbnoinvd', 'clts', 'lmsw ax', 'lgdt [rbx]', 'lidt [rbx]', 'lldt ax', 'ltr ax'],
  ...['invlpg [rbx]', 'invpcid rax, [rbx]', 'rdmsr', 'wrmsr', 'wrmsrns', 'rdpmc', 'cli', 'sti'],
  ...['mov rax, cr0', 'mov rax, cr2', 'mov cr3, rax', 'mov rax, cr8', 'mov cr8, rax', 'mov rax, dr7', 'mov dr4, rax'],
  ...['in al, dx', 'in eax, 0x10', 'out dx, ax', 'rep insb', 'outsd'],
])('%s at CPL 3 is #GP(0)', (source) => {
  // a string instruction that repeats asks for its port only if it has something to do
  expect(eventOf(source, { cpl: 3, registers: { rbx: DATA, rdx: 0x3f8n, rcx: 1n } })).toBe('#GP(0)')
})

test.each([
  ['mov rax, cr1', '0f20c8'],
  ['mov rax, cr5', '0f20e8'],
  ['mov rax, dr8', '440f21c0'],
  ['mov cs, eax', '8ec8'],
  ['lock nop', 'f090'],
  ['lock add eax, eax', 'f001c0'],
])('%s does not exist: #UD before any privilege', (_, hex) => {
  expect(atCpl3(`db ${[...Buffer.from(hex, 'hex')].join(', ')}`)).toBe('#UD')
})

test.each(['clac', 'stac', 'xgetbv', 'xsetbv', 'rdgsbase rax', 'wrfsbase rax', 'monitor', 'mwait'])(
  '%s at CPL 3 is #UD, whatever CR4 would allow at CPL 0',
  (source) => {
    expect(atCpl3(source)).toBe('#UD')
  },
)

test('what CR4 lets CPL 3 do: FSGSBASE, OSXSAVE (XSETBV stays #GP(0)), UMIP the other way round', () => {
  expect(atCpl3('rdgsbase rax\nwrgsbase rax', cr4(CR4_FSGSBASE))).toBe('')
  expect(atCpl3('xor ecx, ecx\nxgetbv', cr4(CR4_OSXSAVE))).toBe('')
  expect(atCpl3('xsetbv', cr4(CR4_OSXSAVE))).toBe('#GP(0)')
  for (const source of ['sgdt [rbx]', 'sidt [rbx]', 'sldt eax', 'str eax', 'smsw ax']) {
    expect(atCpl3(source)).toBe('')
    expect(atCpl3(source, cr4(CR4_UMIP))).toBe('#GP(0)')
  }
})

test('MOV DR: #UD of DR4 under CR4.DE comes before privilege, privilege before DR7.GD', () => {
  expect(atCpl3('mov rax, dr4', cr4(CR4_DE))).toBe('#UD')
  expect(atCpl3('mov rax, dr0', (cpu) => cpu.setControl(DR7, BigInt(DR7_GD)))).toBe('#GP(0)')
})

test('RDSSPQ and ENDBR64 do nothing at CPL 3 without CET', () => {
  expect(atCpl3('rdsspq rax\nendbr64')).toBe('')
})

test('16 bytes are #GP(0) at any privilege (SDM 2A 2.3.11)', () => {
  expect(eventOf(`db ${Array.from({ length: 15 }, () => '0x66').join(', ')}, 0x90`, { cpl: 3, steps: 1 })).toBe(
    '#GP(0)',
  )
})
