import { FLAT_USER_CS32, FLAT_USER_CS64, FLAT_USER_SS } from '@trapframe/xen'
import fc from 'fast-check'
import { CALLBACK_NAMES } from '../guest/entry-points.js'
import { IRET_HYPERCALL_RETURN } from '../guest/kernel.js'
import { ANCHORS } from '../guest/memory.js'
import { hex } from './hex.js'
import type { GuestProgram, ProgramStart, SetUpStep } from './program.js'

/** Random guest programs. What comes first in each choice is the plainest: a program that fails shrinks towards it. */

/** One of several, of which a failing program may take an earlier, plainer one. */
export const anyOf: typeof fc.oneof = (...choices: readonly unknown[]) =>
  fc.oneof({ withCrossShrink: true }, ...(choices as fc.WeightedArbitrary<never>[]))

export const one = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values)

const NOT_CANONICAL = 0x8000_0000_0000_0000n
const XENS = 0xffff_8300_0260_0000n
/** UD2, in the page of the code. */
const UNDEFINED = ANCHORS.code - 0x100n
const KERNEL_CS = FLAT_USER_CS64 & ~3

/** Vectors of INT n: without and with an entry that user mode may have, Xen's own, exceptions. */
const VECTORS = [0x20, 0x80, 0x80, 0x80, 0x21, 0x81, 0x82, 3, 4, 1, 2, 6, 8, 13, 14, 0xff, 0xf1] as const
const vector = one(...VECTORS)
const prefix = one('', 'db 0x48\n', 'db 0x66\n', 'db 0xf3\n', 'db 0x2e, 0x66\n')

/** Selectors of all sorts: flat ones, the guest's own good and bad, NUL, Xen's, the LDT's, beyond the end. */
const SELECTORS = [
  FLAT_USER_SS,
  0,
  3,
  1,
  2,
  0x5b,
  0x63,
  0x6b,
  0x73,
  0x7b,
  0x4b,
  0x53,
  FLAT_USER_CS64,
  FLAT_USER_CS32,
  0xe008,
  0xe010,
  0xe040,
  0x7,
  0xf,
  0x17,
  0x1f,
  0x2007,
  0x83,
  0x8b,
  0x203,
  0xfffb,
] as const
const selector = one(...SELECTORS)
/** Those that a data segment can have. */
const DATA_SELECTORS = [0, 3, 2, 1, 0x5b, 0x58, 0x63, 0x6b, 0x7b, FLAT_USER_SS, 0xf, 0x17, 0x83] as const

const ADDRESSES = [
  ANCHORS.data,
  ANCHORS.ropage,
  ANCHORS.nppage,
  ANCHORS.nxpage,
  ANCHORS.gsx,
  XENS,
  0xffff_8000_0000_0000n,
  NOT_CANONICAL,
  8n,
] as const
const address = one(...ADDRESSES)

/** Bits of RFLAGS: none, TF, DF, AC, NT, RF, IOPL, IF cleared, ID, VM, all. */
const FLAGS = [0n, 0x100n, 0x400n, 0x4_0000n, 0x4000n, 0x1_0000n, 0x3000n, 0x8d5n, 0x20_0000n, 0x2_0000n, 0x3f_7fd5n]
const rflags = fc
  .tuple(one(0x202n, 0x2n), fc.array(one(...FLAGS), { maxLength: 2 }))
  .map(([base, more]) => more.reduce((all, flag) => all | flag, base))

const MSRS = [
  0xc000_0100, 0xc000_0101, 0xc000_0102, 0xc000_0080, 0x1b, 0x277, 0xc000_0081, 0xc000_0103, 0x6a2, 0x1d9,
] as const

/** Instructions of both sizes of code. */
const either: fc.Arbitrary<string> = anyOf(
  { weight: 6, arbitrary: vector.map((n) => `int ${hex(n)}`) },
  { weight: 4, arbitrary: one('syscall', 'sysenter') },
  { weight: 3, arbitrary: one('nop', 'int3', 'db 0xf1', 'ud2', 'xor ecx, ecx\ndiv ecx') },
  {
    weight: 2,
    arbitrary: fc
      .tuple(one('ds', 'es', 'fs', 'gs', 'ss'), selector)
      .map(([s, n]) => `mov eax, ${hex(n)}\nmov ${s}, eax`),
  },
  {
    weight: 1,
    arbitrary: one('std', 'cli', 'sti', 'hlt', 'clts', 'invd', 'wbinvd', 'in al, 0x80', 'out 0x80, al', 'in al, 0x60'),
  },
  {
    weight: 1,
    arbitrary: one(
      'mov eax, ds',
      'mov eax, gs',
      'cpuid',
      'str eax',
      'sldt eax',
      'smsw eax',
      'mov eax, 0x5b\nlar ecx, eax',
    ),
  },
)

/** Instructions of 32-bit code alone. */
const of32: fc.Arbitrary<string> = anyOf(
  { weight: 6, arbitrary: either },
  { weight: 1, arbitrary: one('into', 'mov eax, 0x7fffffff\nadd eax, 1\ninto', 'push es', 'pop ds', 'retf') },
)

const farTransfer = fc
  .tuple(one('call', 'jmp'), anyOf(one<number>(0x83, 0x8b, 0x93), selector), one(UNDEFINED, 0x7fff_f000n))
  .map(
    ([what, target, offset]) =>
      `mov rbx, ${hex(ANCHORS.data)}\nmov dword [rbx], ${hex(offset & 0x7fff_ffffn)}\nmov dword [rbx + 4], ${hex(target)}\ndb 0xff, ${what === 'call' ? '0x1b' : '0x2b'}`,
  )

const nativeIret = fc
  .tuple(
    one<number>(FLAT_USER_CS64, 0x4b, 0x53, 0x73, 0xe008, 0xf, KERNEL_CS),
    one<number>(FLAT_USER_SS, 0, 3, 0x5b, 0x6b, 0x17),
    rflags,
    one(UNDEFINED, ANCHORS.nppage, NOT_CANONICAL),
  )
  .map(([cs, ss, flags, rip]) =>
    [
      `push ${hex(ss)}`,
      'lea rbx, [rsp + 8]',
      'push rbx',
      `push ${hex(flags)}`,
      `push ${hex(cs)}`,
      `mov rbx, ${hex(rip)}`,
      'push rbx',
      'iretq',
    ].join('\n'),
  )

/** Instructions of 64-bit code. */
export const guestInstructions: fc.Arbitrary<string> = anyOf(
  { weight: 10, arbitrary: either },
  { weight: 4, arbitrary: fc.tuple(prefix, vector).map(([p, n]) => `${p}int ${hex(n)}`) },
  { weight: 2, arbitrary: prefix.map((p) => `${p}syscall`) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(one('mov rax, [rbx]', 'mov [rbx], rax', 'jmp rbx', 'mov rsp, rbx'), address)
      .map(([what, at]) => `mov rbx, ${hex(at)}\n${what}`),
  },
  { weight: 3, arbitrary: rflags.map((flags) => `push ${hex(flags)}\npopfq`) },
  { weight: 3, arbitrary: farTransfer },
  { weight: 1, arbitrary: nativeIret },
  {
    weight: 2,
    arbitrary: one('swapgs', 'sysretq', 'sysexit', 'setssbsy', 'clrssbsy [rbx]', 'db 0x48, 0x0f, 0x01, 0xf8'),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(one('rdmsr', 'wrmsr'), one(...MSRS), one(ANCHORS.gsx, NOT_CANONICAL))
      .map(
        ([what, msr, value]) =>
          `mov ecx, ${hex(msr)}\nmov eax, ${hex(value & 0xffff_ffffn)}\nmov edx, ${hex(value >> 32n)}\n${what}`,
      ),
  },
  {
    weight: 2,
    arbitrary: one(
      'mov rax, [gs:0]',
      'mov rax, [fs:0]',
      'rdgsbase rax',
      'mov eax, 0x16c000\nwrgsbase rax',
      'mov eax, 0x16c000\nwrfsbase rax',
      'rdsspq rax',
    ),
  },
  {
    weight: 2,
    arbitrary: one(
      'mov rax, cr0',
      'mov rax, cr2',
      'mov rax, cr4',
      'xor eax, eax\nmov cr3, rax',
      'mov rax, dr6',
      'mov rax, dr7',
      'mov dr0, rax',
      'lidt [rbx]',
      'lgdt [rbx]',
      'ltr ax',
      'lldt ax',
      'invlpg [rbx]',
    ),
  },
  {
    weight: 2,
    arbitrary: one(
      'clac',
      'stac',
      'fld1',
      'fwait',
      'xor ecx, ecx\nxgetbv',
      'endbr64',
      'vmcall',
      'mov rbx, 0x160000\nmov rax, [rbx + 1]',
      'retf',
    ),
  },
)

const DESCRIPTORS = [
  // flat data, 64-bit code, with a base, 32-bit code; call gates: to the guest's code, not present, to Xen's code
  0x00cf_f300_0000_ffffn,
  0x00af_fb00_0000_ffffn,
  0x10cf_f316_8000_ffffn,
  0x00cf_fb00_0000_ffffn,
  0x0000_ec00_e033_0000n,
  0x0000_6c00_e033_0000n,
  0x0000_ec00_e008_0000n,
  0x0000_8900_0000_0000n,
  0x00af_7b00_0000_ffffn,
  0x00cf_9300_0000_ffffn,
]

const debugRegister = anyOf(
  fc.tuple(one(0, 1, 2, 3), one(ANCHORS.data, ANCHORS.code, ANCHORS.code + 1n, ANCHORS.code + 2n, ANCHORS.ropage)),
  fc.tuple(one(7), one(0xd_0402n, 0xf_0402n, 0x402n, 0xff0_0455n, 0x600n, 0x2402n)),
)

/** Descriptors of a table as the guest's code can use them: from entry 16 on of the GDT, the first ones of the LDT. */
const descriptorStep = fc
  .tuple(one('gdt' as const, 'ldt' as const), one(0, 1, 2), one(...DESCRIPTORS))
  .map(([table, i, value]): SetUpStep => ({ op: 'descriptor', table, index: table === 'gdt' ? 16 + i : i, value }))

/** Steps of a guest's kernel, which mean no harm. */
export const setUpSteps: fc.Arbitrary<SetUpStep> = anyOf(
  {
    weight: 5,
    arbitrary: fc
      .tuple(vector, one(3, 0, 1, 2), one(false, true))
      .map(([v, dpl, masks]): SetUpStep => ({ op: 'set_trap', vector: v, dpl, masks })),
  },
  { weight: 1, arbitrary: one(13, 6, 14, 1, 11, 2).map((v): SetUpStep => ({ op: 'clear_trap', vector: v })) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(one(...CALLBACK_NAMES.filter((n) => n !== 'nmi')), one(false, true), one(false, true))
      .map(([name, present, masks]): SetUpStep => ({ op: 'callback', name, present, masks })),
  },
  { weight: 6, arbitrary: descriptorStep },
  { weight: 2, arbitrary: one(16, 1, 512, 8192).map((entries): SetUpStep => ({ op: 'ldt', entries })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(one('FS' as const, 'GS_USER' as const, 'GS_KERNEL' as const), one(ANCHORS.gsx, 0n, NOT_CANONICAL, XENS))
      .map(([which, value]): SetUpStep => ({ op: 'segment_base', which, value })),
  },
  {
    weight: 1,
    arbitrary: one(...DATA_SELECTORS).map(
      (value): SetUpStep => ({ op: 'segment_base', which: 'GS_USER_SEL', value: BigInt(value) }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(one('gs' as const, 'fs' as const, 'es' as const, 'ds' as const), one(...DATA_SELECTORS))
      .map(([segment, sel]): SetUpStep => ({ op: 'load', segment, selector: sel })),
  },
  { weight: 4, arbitrary: debugRegister.map(([n, value]): SetUpStep => ({ op: 'debugreg', n, value })) },
  {
    weight: 2,
    arbitrary: one(
      ANCHORS.kstack - 8n,
      ANCHORS.kstack - 0x408n,
      ANCHORS.ropage + 0x800n,
      ANCHORS.nppage + 0x20n,
      XENS,
      NOT_CANONICAL,
      0n,
    ).map((rsp): SetUpStep => ({ op: 'stack', rsp })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(one(3, 1, 0), one(false, true))
      .map(([iopl, assist]): SetUpStep => ({ op: 'iopl', iopl, assist })),
  },
  { weight: 1, arbitrary: one<SetUpStep>({ op: 'taskswitch' }, { op: 'cr4', bits: 0x1_0000n }) },
  { weight: 3, arbitrary: one<SetUpStep>({ op: 'event' }, { op: 'nmi' }) },
)

/** Code segments by their size, and what they begin with. */
const CODE64 = [
  FLAT_USER_CS64,
  KERNEL_CS,
  0x4b,
  0x48,
  0x73,
  0x70,
  0xf,
  0xe008,
  0x5b,
  0,
  3,
  0xe009,
  0x8b,
  0xfffb,
] as const
const CODE32_SEGMENTS = [FLAT_USER_CS32, FLAT_USER_CS32 & ~3, 0x53, 0x50] as const
const STACKS = [FLAT_USER_SS, FLAT_USER_SS & ~3, 0x5b, 0, 3, 0x63, 0x6b, 0x17, 0xe010, FLAT_USER_CS64] as const

/** Mostly the first of some values. */
export const mostly = <T>(first: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  anyOf({ weight: 6, arbitrary: fc.constant(first) }, { weight: 1, arbitrary: one(...others) })

const codeSegment = (size: 32 | 64): fc.Arbitrary<number> =>
  size === 32
    ? one<number>(...CODE32_SEGMENTS)
    : anyOf(
        { weight: 8, arbitrary: one<number>(FLAT_USER_CS64, KERNEL_CS) },
        { weight: 3, arbitrary: one<number>(...CODE64) },
      )

const start = (size: 32 | 64): fc.Arbitrary<ProgramStart> =>
  codeSegment(size).chain((cs) => {
    const own = (cs & 3) === 3 ? ANCHORS.ustack : ANCHORS.kcur
    return fc.record({
      rip: mostly(ANCHORS.code, NOT_CANONICAL, ANCHORS.nppage, ANCHORS.nxpage, XENS, IRET_HYPERCALL_RETURN),
      cs: fc.constant(cs),
      rflags,
      rsp: mostly(
        own,
        own - 8n,
        own - 3n,
        ANCHORS.ropage + 0x40n,
        ANCHORS.nppage + 0x10n,
        XENS,
        NOT_CANONICAL,
        0n,
        0xffff_8800_0000_0040n,
      ),
      ss: mostly<number>(...STACKS),
      inSyscall: one(false, false, true),
    })
  })

const returns = fc.record({
  count: one(0, 0, 1, 2, 3),
  skip: one(0, 1, 2, 3),
  inSyscall: one(false, false, false, true),
})

const program = (size: 32 | 64): fc.Arbitrary<GuestProgram> =>
  fc.record({
    before: fc.array(setUpSteps, { maxLength: 4 }),
    start: start(size),
    code: fc.array(size === 32 ? of32 : guestInstructions, { maxLength: 4 }),
    returns,
  })

/** Guest programs of 64-bit code, and some of 32-bit code. */
export const guestPrograms: fc.Arbitrary<GuestProgram> = anyOf(
  { weight: 5, arbitrary: program(64) },
  { weight: 1, arbitrary: program(32) },
)
