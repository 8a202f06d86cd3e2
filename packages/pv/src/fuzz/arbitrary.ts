import { FLAT_USER_CS64, FLAT_USER_SS } from '@trapframe/xen'
import fc from 'fast-check'
import { ARGUMENTS } from '../guest/kernel.js'
import { ANCHORS, GUEST_GDT } from '../guest/memory.js'
import { anyOf, guestInstructions, mostly, one, setUpSteps } from '../promise/arbitrary.js'
import { hex } from '../promise/hex.js'
import type { GuestProgram, ProgramStart, SetUpStep } from '../promise/program.js'
import { HYPERVISOR_VIRT_END, HYPERVISOR_VIRT_START } from '../virtual-range.js'

/** Programs of guests that mean harm: malformed selectors, frames, stacks, handlers, descriptors, MSRs, contexts, code. */

/** Places of Xen's memory, where a guest would like to read or write. */
export interface Targets {
  readonly addresses: readonly bigint[]
  /** Xen's code selectors. */
  readonly selectors: readonly number[]
}

const random64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
const EDGES = [
  0n,
  8n,
  0x7fff_ffff_fff8n,
  0x8000_0000_0000n,
  0x8000_0000_0000_0000n,
  HYPERVISOR_VIRT_START - 8n,
  HYPERVISOR_VIRT_START,
  HYPERVISOR_VIRT_END - 8n,
  HYPERVISOR_VIRT_END,
  HYPERVISOR_VIRT_END + 0x40n,
  0xffff_ffff_ffff_fff8n,
]
const PAGES = [ANCHORS.ldt, GUEST_GDT, ANCHORS.ropage, ANCHORS.nxpage] as const

const CODE_AND_DATA = 0x00af_9b00_0000_ffffn
const PRESENT = 1n << 47n

/** Descriptors of any type, ring and target: most of them none that a guest may have. */
const descriptors = ({ selectors, addresses }: Targets): fc.Arbitrary<bigint> =>
  anyOf(
    { weight: 3, arbitrary: one(0x0000_ec00_e008_0800n, 0x0014_ec00_e008_0800n, 0x0000_8c00_e008_0000n) },
    fc
      .tuple(
        one(3n, 0n, 1n, 2n),
        one(12n, 14n, 15n, 2n, 9n, 11n, 5n),
        one(...selectors),
        one(...addresses, ANCHORS.code),
      )
      .map(
        ([dpl, type, target, offset]) =>
          PRESENT |
          (dpl << 45n) |
          (type << 40n) |
          (BigInt(target) << 16n) |
          (offset & 0xffffn) |
          (((offset >> 16n) & 0xffffn) << 48n),
      ),
    fc
      .tuple(one(0n, 1n, 2n, 3n), one(0x00n, 0x04n, 0x08n, 0x0cn, 0x0an))
      .map(([dpl, type]) => (CODE_AND_DATA & ~(0x6fn << 40n)) | (dpl << 45n) | (type << 40n) | (1n << 44n)),
    random64,
  )

/** Selectors that far transfers and loads try: those of the tables' first entries, the places of the steps, Xen's. */
const TABLE_SELECTORS = [
  0x83, 0x7, 0x83, 0x7, 0x83, 0x7, 0x7, 0x80, 0x7, 0xf, 0x17, 0x8b, 0x93, 0xe00b, 0xe010, 0xe043, 0xe053,
]

/** What such a program's arguments and registers may hold. */
interface Values {
  readonly address: fc.Arbitrary<bigint>
  readonly quad: fc.Arbitrary<bigint>
  readonly selector: fc.Arbitrary<number>
  readonly descriptor: fc.Arbitrary<bigint>
}

function valuesOf(targets: Targets): Values {
  const address = anyOf(
    one(...targets.addresses),
    one(...EDGES),
    one(ANCHORS.data, ANCHORS.ropage, ANCHORS.nppage, ANCHORS.kstack, ANCHORS.kcur, ARGUMENTS),
    random64,
  )
  const quad = anyOf(address, fc.bigInt({ min: 0n, max: 0xffffn }), one(~0n & ((1n << 64n) - 1n)))
  const selector = anyOf(
    { weight: 4, arbitrary: one(...TABLE_SELECTORS, ...targets.selectors) },
    { weight: 1, arbitrary: fc.nat(0xffff) },
  )
  return { address, quad, selector, descriptor: descriptors(targets) }
}

/** What the guest's kernel does before. */
function hostileSteps({ address, quad, descriptor }: Values): fc.Arbitrary<SetUpStep[]> {
  const pointer = anyOf({ weight: 2, arbitrary: fc.constant(ARGUMENTS) }, { weight: 1, arbitrary: address })
  const structure = fc.array(quad, { maxLength: 4 })
  const table = one(...PAGES)

  const raw = (
    number: number,
    args: fc.Arbitrary<readonly bigint[]>,
    content: fc.Arbitrary<readonly bigint[]> = structure,
  ) =>
    fc
      .tuple(args, content)
      .map(([values, quads]): SetUpStep => ({ op: 'hypercall', number, args: values, structure: quads }))
  const head = (...values: readonly bigint[]) => fc.tuple(one(...values), quad, quad)

  const step: fc.Arbitrary<SetUpStep> = anyOf(
    { weight: 6, arbitrary: setUpSteps },
    // update_descriptor: in the guest's tables, and anywhere
    {
      weight: 3,
      arbitrary: raw(
        10,
        fc.tuple(anyOf(one(GUEST_GDT + 0x80n, ANCHORS.ldt, ANCHORS.ldt + 8n), address, physical), descriptor),
        fc.constant([]),
      ),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(table, fc.array(descriptor, { minLength: 1, maxLength: 4 }))
        .map(([page, values]): SetUpStep => ({ op: 'fill', page, values })),
    },
    // set_gdt, mmuext_op about the LDT
    {
      weight: 2,
      arbitrary: raw(
        2,
        fc.tuple(pointer, one(64n, 512n, 7168n, 0xffff_ffffn)),
        fc.array(
          anyOf(
            table.map((page) => page >> 12n),
            physical.map((at) => at >> 12n),
            quad,
          ),
          { minLength: 1, maxLength: 2 },
        ),
      ),
    },
    {
      weight: 3,
      arbitrary: raw(
        26,
        fc.tuple(pointer, one(1n, 2n, 0xffff_ffffn), anyOf(fc.constant(0n), address), fc.constant(0x7ff0n)),
        fc.tuple(fc.constant(13n), anyOf(table, address), one(16n, 512n, 8192n, 0xffff_ffffn)),
      ),
    },
    // set_segment_base, stack_switch, callback_op, set_trap_table, set_debugreg
    { weight: 3, arbitrary: raw(25, fc.tuple(one(0n, 1n, 2n, 3n, 4n), quad), fc.constant([])) },
    { weight: 3, arbitrary: raw(3, fc.tuple(quad, address), fc.constant([])) },
    { weight: 2, arbitrary: raw(30, fc.tuple(one(0n, 1n), pointer), head(0n, 1n, 2n, 4n, 5n, 7n, 0x1_0002n)) },
    {
      weight: 2,
      arbitrary: raw(
        0,
        fc.tuple(pointer),
        fc.tuple(one(0xe033_030dn, 0xe008_000dn, 0x0306n, 0x80n), quad, fc.constant(0n), fc.constant(0n)),
      ),
    },
    { weight: 2, arbitrary: raw(8, fc.tuple(anyOf(one(0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n), quad), quad), fc.constant([])) },
    // vcpu_op, event_channel_op, physdev_op, vm_assist, xen_version, iret from nowhere
    { weight: 2, arbitrary: raw(24, fc.tuple(anyOf(one(11n, 0n), quad), one(0n, 1n), quad)) },
    { weight: 1, arbitrary: raw(32, fc.tuple(one(4n, 0n), pointer)) },
    { weight: 1, arbitrary: raw(33, fc.tuple(one(6n, 7n, 5n, 0n), pointer)) },
    { weight: 1, arbitrary: raw(17, fc.tuple(one(0n, 1n, 2n, 6n, 7n, 10n), pointer)) },
    { weight: 1, arbitrary: raw(21, fc.tuple(one(0n, 1n, 2n), quad), fc.constant([])) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.nat(60), fc.array(quad, { maxLength: 5 }), structure)
        .map(([number, args, quads]): SetUpStep => ({ op: 'hypercall', number, args, structure: quads })),
    },
    { weight: 2, arbitrary: fc.constant<SetUpStep>({ op: 'preempt' }) },
    {
      weight: 1,
      arbitrary: fc
        .array(fc.tuple(anyOf(fc.nat(900), fc.nat(5167)), quad), { minLength: 1, maxLength: 3 })
        .map((edits): SetUpStep => ({ op: 'context', edits })),
    },
  )

  // a page of descriptors that is brought in
  const ldt = fc.array(descriptor, { minLength: 1, maxLength: 2 }).map((values): SetUpStep[] => [
    { op: 'fill', page: ANCHORS.ldt, values },
    { op: 'ldt', entries: 16 },
  ])
  return anyOf({ weight: 8, arbitrary: step.map((single) => [single]) }, { weight: 2, arbitrary: ldt })
}

/** Instructions of the code under test. */
const hostileCode = ({ address, quad, selector }: Values): fc.Arbitrary<string> =>
  anyOf(
    { weight: 5, arbitrary: guestInstructions },
    {
      weight: 4,
      arbitrary: fc
        .tuple(one('0x1b', '0x2b'), selector)
        .map(
          ([far, target]) =>
            `mov rbx, ${hex(ANCHORS.data)}\nmov dword [rbx], ${hex(ANCHORS.code)}\nmov dword [rbx + 4], ${hex(target)}\ndb 0xff, ${far}`,
        ),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(
          one('wrmsr', 'rdmsr'),
          one(0xc000_0100, 0xc000_0101, 0xc000_0102, 0xc000_0103, 0xc000_0080, 0x10, 0x6a0),
          quad,
        )
        .map(
          ([what, msr, value]) =>
            `mov ecx, ${hex(msr)}\nmov eax, ${hex(value & 0xffff_ffffn)}\nmov edx, ${hex(value >> 32n)}\n${what}`,
        ),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(one('mov [rbx], rax', 'mov rax, [rbx]', 'jmp rbx', 'wrgsbase rbx', 'wrfsbase rbx', 'mov rsp, rbx'), quad)
        .map(([what, at]) => `mov rbx, ${hex(at)}\n${what}`),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(one('insb', 'rep insb', 'outsb', 'insd', 'rep outsb'), address)
        .map(([what, at]) => `mov edx, 0x80\nmov ecx, 3\nmov rdi, ${hex(at)}\nmov rsi, rdi\n${what}`),
    },
    // an iret hypercall with whatever the stack pointer points to
    { weight: 2, arbitrary: address.map((at) => `mov rsp, ${hex(at)}\nmov eax, 23\nsyscall`) },
    {
      weight: 2,
      arbitrary: one(
        'cli',
        'sti',
        'in al, 0x60',
        'out 0x80, al',
        'hlt',
        'mov rax, cr3',
        'mov rax, cr0',
        'iretq',
        'pushfq\npop rax',
      ),
    },
    {
      weight: 1,
      arbitrary: fc
        .array(fc.nat(255), { minLength: 1, maxLength: 8 })
        .map((bytes) => `db ${bytes.map(hex).join(', ')}`),
    },
  )

/** Where and how that code starts. */
const hostileStart = ({ address, quad, selector }: Values, { addresses }: Targets): fc.Arbitrary<ProgramStart> =>
  fc
    .record({
      rip: mostly(ANCHORS.code, ...EDGES, ...addresses),
      cs: anyOf({ weight: 6, arbitrary: one(FLAT_USER_CS64 & ~3, FLAT_USER_CS64) }, { weight: 1, arbitrary: selector }),
      rflags: anyOf({ weight: 3, arbitrary: one(0x202n, 0x3202n, 0x302n, 2n) }, { weight: 1, arbitrary: quad }),
      rsp: anyOf({ weight: 5, arbitrary: one(ANCHORS.kcur) }, { weight: 2, arbitrary: address }),
      ss: mostly(FLAT_USER_SS, ...TABLE_SELECTORS, 0, 3),
      inSyscall: one(false, true),
    })
    .map((values) => ({
      ...values,
      rsp: values.cs % 4 === 3 && values.rsp === ANCHORS.kcur ? ANCHORS.ustack : values.rsp,
    }))

export function hostilePrograms(targets: Targets): fc.Arbitrary<GuestProgram> {
  const values = valuesOf(targets)
  return fc.record({
    before: fc.array(hostileSteps(values), { maxLength: 4 }).map((groups) => groups.flat()),
    start: hostileStart(values, targets),
    code: fc.array(hostileCode(values), { maxLength: 3 }),
    returns: fc.record({ count: one(0, 1, 2), skip: one(0, 1, 2), inSyscall: one(false, true) }),
  })
}

/** Physical addresses: the guest's own, and those at which Xen's memory is likely to be. */
const physical = anyOf(
  one(ANCHORS.data, ANCHORS.ropage, ANCHORS.fsb, ANCHORS.gsx),
  fc
    .tuple(
      one(0x100_0000n, 0x200_0000n, 0x210_0000n, 0x220_0000n, 0x230_0000n, 0x250_0000n, 0x260_0000n),
      fc.nat(0xfff),
    )
    .map(([base, offset]) => base + BigInt(offset & ~7)),
)
