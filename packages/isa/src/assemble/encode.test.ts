import type { CodeSize } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { assemble } from './assemble.js'

const symbols = { kernel: 0xffffffff80000000n, ext: 0x5000n }

function hex(source: string, codeSize: CodeSize = 64): string {
  return Buffer.from(assemble(source, { origin: 0x1000n, codeSize, symbols }).bytes).toString('hex')
}

const table = (rows: string) =>
  rows
    .trim()
    .split('\n')
    .map((row) => row.split('|').map((cell) => cell.trim()) as [string, string])

describe('events and privilege', () => {
  test.each(
    table(`
      int 0x80            | cd80
      int 3               | cd03
      int3                | cc
      icebp               | f1
      iret                | cf
      iretq               | 48cf
      iretw               | 66cf
      retf                | cb
      retfq               | 48cb
      o64 retf            | 48cb
      retf 8              | ca0800
      syscall             | 0f05
      sysret              | 0f07
      sysretl             | 0f07
      sysretq             | 480f07
      o64 sysret          | 480f07
      sysexitq            | 480f35
      erets               | f20f01ca
      eretu               | f30f01ca
      lkgs ax             | f20f00f0
      lkgs word ptr [rax] | f20f0030
      swapgs              | 0f01f8
      ud2                 | 0f0b
      mov cr4, rax        | 0f22e0
      mov rax, cr8        | 440f20c0
      mov dr7, rax        | 0f23f8
      mov ds, ax          | 8ed8
      mov ax, ds          | 668cd8
      mov [rax], ds       | 8c18
      lgdt [rax]          | 0f0110
      lidt fword ptr [rax] | 0f0118
      ltr ax              | 0f00d8
      lldt [rax]          | 0f0010
      invlpg [rax]        | 0f0138
      in al, dx           | ec
      out 0x80, al        | e680
      pushfq              | 9c
      popf                | 9d
      rdfsbase rax        | f3480faec0
      lock nop            | f090
    `),
  )('%s', (source, expected) => {
    expect(hex(source)).toBe(expected)
  })
})

describe('control-flow enforcement', () => {
  test.each(
    table(`
      endbr64              | f30f1efa
      rdsspq rax           | f3480f1ec8
      incsspd eax          | f30faee8
      wrssq [rax], rbx     | 480f38f618
      wrussd [rax], ebx    | 660f38f518
      setssbsy             | f30f01e8
      clrssbsy [rax]       | f30fae30
      rstorssp qword [rax] | f30f0128
      saveprevssp          | f30f01ea
      notrack jmp rax      | 3effe0
      notrack call [rax]   | 3eff10
    `),
  )('%s', (source, expected) => {
    expect(hex(source)).toBe(expected)
  })
})

describe('the shortest encoding is taken', () => {
  test.each(
    table(`
      add rax, 8                | 4883c008
      add eax, 0xfffffff8       | 83c0f8
      add rax, 0x1234           | 480534120000
      add al, 5                 | 0405
      add eax, dword 8          | 83c008
      add eax, strict dword 8   | 0508000000
      mov eax, 1                | b801000000
      mov rax, -1               | 48c7c0ffffffff
      mov rax, kernel           | 48c7c000000080
      mov rax, 0x123456789      | 48b88967452301000000
      movabs rax, 5             | 48b80500000000000000
      push 5                    | 6a05
      push 0x1234               | 6834120000
      push word 5               | 666a05
      xchg rax, rbx             | 4893
      xchg eax, eax             | 87c0
      shl rax, 1                | 48d1e0
      imul eax, 5               | 6bc005
      test eax, [rax]           | 8500
      movsx rax, dword [rax]    | 486300
      vaddps xmm0, xmm1, xmm2   | c5f058c2
    `),
  )('%s', (source, expected) => {
    expect(hex(source)).toBe(expected)
  })
})

describe('memory', () => {
  test.each(
    table(`
      mov rax, [rbx + rcx*8 + 0x10]     | 488b44cb10
      mov rax, [rbx][rcx*8]             | 488b04cb
      mov rax, [8*rcx + rbx]            | 488b04cb
      mov rax, [rsp + rax]              | 488b0404
      mov rax, [rax + rsp]              | 488b0404
      mov rax, [rax*5]                  | 488b0480
      mov rax, [rbp]                    | 488b4500
      mov rax, [rbp + rbp]              | 488b442d00
      mov rax, [rbp*1]                  | 488b042d00000000
      mov rax, [rbx - 8]                | 488b43f8
      mov rax, [dword rbx + 8]          | 488b8308000000
      mov rax, [rip + 0x10]             | 488b0510000000
      mov dword [rip + 0x10], 1         | c7051000000001000000
      mov eax, [0x1234]                 | 8b042534120000
      mov eax, [-0x1000]                | 8b042500f0ffff
      mov rax, [0xffff800000000000]     | 48a1000000000080ffff
      mov ecx, [0x80000000]             | 678b0c2500000080
      mov eax, [ext]                    | 8b042500500000
      mov rax, fs:[0x28]                | 64488b042528000000
      mov rax, [fs:0x28]                | 64488b042528000000
      mov rax, fs:0x28                  | 64488b042528000000
      mov rax, qword ptr ext[rcx*8]     | 488b04cd00500000
      mov dword ptr [rax], 5            | c70005000000
      mov byte [rax], 'a'               | c60061
      vpgatherdd xmm0, [rax+xmm1*4], xmm2 | c4e269900488
      lods byte ptr fs:[rsi]            | 64ac
      stos qword ptr es:[rdi], rax      | 48ab
      fs lodsb                          | 64ac
      rep movsq                         | f348a5
      a32 movsb                         | 67a4
      movsd                             | a5
      movsd xmm0, [rax]                 | f20f1000
    `),
  )('%s', (source, expected) => {
    expect(hex(source)).toBe(expected)
  })
})

describe('far transfers', () => {
  test.each(
    table(`
      jmp far [rax]            | ff28
      jmp far dword [rax]      | ff28
      jmp fword ptr [rax]      | ff28
      call far qword ptr [rax] | 48ff18
      callf word [rax]         | 66ff18
    `),
  )('%s', (source, expected) => {
    expect(hex(source)).toBe(expected)
  })

  test('jmp 0x8:0x1234 in compatibility mode', () => {
    expect(hex('jmp 0x8:0x1234', 32)).toBe('ea341200000800')
    expect(hex('jmp word 0x8:0x1234', 32)).toBe('66ea34120800')
    expect(hex('lcall 0x8:0x1234', 16)).toBe('9a34120800')
  })
})

test('conditions by any name', () => {
  for (const [name, code] of Object.entries({
    je: '74',
    jz: '74',
    jnae: '72',
    jc: '72',
    jnbe: '77',
    jpo: '7b',
    jng: '7e',
  })) {
    expect(hex(`${name} $`)).toBe(`${code}fe`)
  }
  expect(hex('setz al')).toBe('0f94c0')
  expect(hex('cmovnz rax, rbx')).toBe('480f45c3')
})

test('x87 forms as people write them', () => {
  expect(['fld st(1)', 'fadd st1', 'faddp', 'fxch', 'fnop', 'fwait', 'fninit'].map((source) => hex(source))).toEqual([
    'd9c1',
    'd8c1',
    'dec1',
    'd9c9',
    'd9d0',
    '9b',
    'dbe3',
  ])
})

describe('16- and 32-bit code', () => {
  test.each(
    table(`
      mov eax, [ebp+8]   | 8b4508
      mov eax, [0x1234]  | a134120000
      mov eax, [bx+si]   | 678b00
      inc eax            | 40
      into               | ce
      bound eax, [ebx]   | 6203
      push ds            | 1e
      pusha              | 60
      pushfd             | 9c
      iret               | cf
      lgdt [eax]         | 0f0110
      jmp [eax]          | ff20
    `),
  )('32 bits: %s', (source, expected) => {
    expect(hex(source, 32)).toBe(expected)
  })

  test('16 bits', () => {
    expect(hex('mov ax, [bp]', 16)).toBe('8b4600')
    expect(hex('mov eax, 5', 16)).toBe('66b805000000')
    expect(hex('o32 iret', 16)).toBe('66cf')
  })

  test('bits changes the mode from there on', () => {
    expect(hex('push rax\nbits 32\npush eax\n.code64\npush rbx')).toBe('505053')
  })
})
