import type { CodeSize, Decoded } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { createDecoder } from './decoder.js'

/** Instructions of the conformance vectors, one for each operation, operand size and kind of operand. */
const SAMPLE = `
  intel 32  f4                     hlt
  intel 32  90                     nop
  intel 32  cd10                   int 0x10
  intel 64  cc                     int3
  intel 64  f1                     int1
  intel 32  ce                     into
  intel 64  0f0b                   ud2
  intel 64  f7f1                   div ecx
  intel 64  f7f9                   idiv ecx
  intel 64  f6f3                   div bl
  intel 64  8b0425f9a42300         mov eax, [0x23a4f9]
  intel 64  8904251c453a00         mov [0x3a451c], eax
  intel 64  ffe0                   jmp rax
  intel 64  50                     push rax
  intel 32  ffe0                   jmp eax
  intel 32  50                     push eax
  intel 64  0f22e0                 mov cr4, rax
  intel 64  fa                     cli
  intel 64  0f01142500801700       lgdt [0x178000]
  intel 64  8ed8                   mov ds, eax
  intel 64  fb                     sti
  intel 64  488b03                 mov rax, [rbx]
  intel 64  0f32                   rdmsr
  intel 64  0f30                   wrmsr
  intel 64  0f23f0                 mov dr6, rax
  intel 64  89c3                   mov ebx, eax
  intel 64  0f28c1                 movaps xmm0, xmm1
  intel 64  9b                     wait
  intel 64  d9d0                   fnop
  intel 32  620500e02e00           bound eax, [0x2ee000]
  intel 64  c3                     ret
  intel 64  ffd0                   call rax
  intel 64  0f05                   syscall
  intel 64  0f34                   sysenter
  intel 64  f20f01ca               erets
  intel 64  f30f1efa               endbr64
  intel 64  f30f01ca               eretu
  intel 64  48ffcb                 dec rbx
  intel 64  7404                   je $+0x6
  intel 64  0f07                   sysretl
  intel 64  f30f01e8               setssbsy
  intel 64  480f07                 sysretq
  intel 64  0f35                   sysexitl
  intel 64  480f35                 sysexitq
  intel 64  f30fae342500602100     clrssbsy [0x216000]
  intel 64  0f01f8                 swapgs
  intel 64  48cf                   iretq
  intel 64  48cb                   retfq
  intel 64  ff1c2510c03e00         call far dword [0x3ec010]
  intel 64  ff2c2510401a00         jmp far dword [0x1a4010]
  intel 64  f20f00f0               lkgs ax
  intel 64  f20f00342520a03200     lkgs [0x32a020]
  intel 64  31c0                   xor eax, eax
  intel 64  0f20e3                 mov rbx, cr4
  intel 64  66cf                   iretw
  intel 64  cf                     iretd
  intel 64  f3480faed8             wrgsbase rax
  intel 64  f3480faec8             rdgsbase rax
  intel 64  48ff1c2540003b00       call far qword [0x3b0040]
  intel 64  48ff2c2540802f00       jmp far qword [0x2f8040]
  intel 64  48ca1000               retfq 0x10
  intel 64  f30f01ea               saveprevssp
  intel 64  66480f38f50425d0a23900 wrussq [0x39a2d0], rax
  intel 64  f30f1ec8               rdsspd eax
  intel 64  480f38f604252aaa2c00   wrssq [0x2caa2a], rax
  intel 64  f30f012c2558832500     rstorssp [0x258358]
  intel 64  f30faee8               incsspd eax
  intel 64  f3480f1ec8             rdsspq rax
  intel 64  f3480faee8             incsspq rax
  intel 64  660f38f5042578632f00   wrussd [0x2f6378], eax
  intel 64  e8f8070000             call $+0x7fd
  intel 64  0f38f60425f8c71d00     wrssd [0x1dc7f8], eax
  intel 64  f30f1efb               endbr32
  intel 64  ff242500811100         jmp qword [0x118100]
  intel 64  ff142500011200         call qword [0x120100]
  amd   64  0fb9c0                 ud1 eax, eax
  amd   64  fec8                   dec al
  amd   64  0f06                   clts
  amd   64  0f08                   invd
  amd   64  0f09                   wbinvd
  amd   64  0f21c0                 mov rax, dr0
  amd   64  0f011b                 lidt [rbx]
  amd   64  0f00d0                 lldt ax
  amd   64  0f00d8                 ltr ax
  amd   64  0f01f0                 lmsw ax
  amd   64  0f013b                 invlpg [rbx]
  amd   64  e410                   in al, 0x10
  amd   64  ed                     in eax, dx
  amd   64  ee                     out dx, al
  amd   64  e710                   out 0x10, eax
  amd   64  6c                     insb
  amd   64  6e                     outsb
  amd   64  f36d                   rep insd
  amd   64  0f01d1                 xsetbv
  amd   64  66480f388203           invpcid rax, [rbx]
  amd   64  9c                     pushfq
  amd   64  488903                 mov [rbx], rax
  amd   64  480fb10b               cmpxchg [rbx], rcx
  amd   64  48010b                 add [rbx], rcx
  amd   64  480303                 add rax, [rbx]
  amd   64  c9                     leave
  amd   64  c60305                 mov byte [rbx], 0x5
  amd   64  9d                     popfq
  amd   64  58                     pop rax
  amd   64  ff03                   inc dword [rbx]
  amd   64  0fb703                 movzx eax, word [rbx]
  amd   64  8a03                   mov al, [rbx]
  amd   64  488703                 xchg rax, [rbx]
  amd   64  48a5                   movsq
  amd   64  48ab                   stosq
  amd   64  8f03                   pop qword [rbx]
  amd   64  48ad                   lodsq
  amd   64  390b                   cmp [rbx], ecx
  amd   64  c20800                 ret 0x8
  amd   64  ff33                   push qword [rbx]
  amd   64  c8100000               enter 0x10, 0x0
  amd   64  48f7f9                 idiv rcx
  amd   64  66f7f1                 div cx
  amd   64  f6f9                   idiv cl
  amd   64  0f1003                 movups xmm0, [rbx]
  amd   64  668b03                 mov ax, [rbx]
  amd   64  668903                 mov [rbx], ax
  amd   64  010b                   add [rbx], ecx
  amd   64  48810c2400010000       or qword [rsp], 0x100
  amd   64  48ffc0                 inc rax
  amd   64  f3aa                   rep stosb
  amd   64  810c2400400000         or dword [rsp], 0x4000
  amd   64  cb                     retf
  amd   64  f3480faed1             wrfsbase rcx
  amd   64  f3480faec0             rdfsbase rax
  amd   64  669d                   popfw
  amd   64  0f0103                 sgdt [rbx]
  amd   64  0f01e0                 smsw eax
  amd   64  0f00c8                 str eax
  amd   64  0f00c0                 sldt eax
  amd   64  0f010b                 sidt [rbx]
  intel 64  3effd0                 notrack call rax
  intel 64  660f01f8               swapgs
  amd   64  48ff2b                 jmp far dword [rbx]
  amd   64  440f22c0               mov cr8, rax
`

const decoder = createDecoder()

describe('instructions of the conformance vectors', () => {
  test.each(
    SAMPLE.trim()
      .split('\n')
      .map((row) => /^\s*(intel|amd)\s+(16|32|64)\s+(\S+)\s+(.*)$/.exec(row)!.slice(1)),
  )('%s, %s bits: %s is %s', (vendor, codeSize, hex, text) => {
    const bytes = Uint8Array.from(Buffer.from(hex!, 'hex'))
    const insn = decoder.decode(bytes, Number(codeSize) as CodeSize, vendor as 'intel' | 'amd') as Decoded
    expect(insn.text).toBe(text)
    expect(insn.length).toBe(bytes.length)
  })
})
