// Mutants that make no difference, and why. The script fails for one that is caught after all, and for one that is no more.

const XEN_FRED = 'xen-fred xen-fred-upstream'
const VERW =
  'VERW empties buffers of the CPU and changes ZF, which is overwritten: no architectural effect, done or not'
const SYSRET = 'goes back by IRET, which restores all that SYSRET does'
const OVERWRITTEN = 'the register is written again before anybody reads it'
const ONLY_GUESTS = 'what comes here comes from a guest, and while one with tables of its own runs xen_cr3 is not 0'
const R14 = 'R14 is the end of the stack since the way in, and is kept by C functions'
const NOT_REACHED = 'never reached: the fault of an IRET is the end of its task'
const NO_VC =
  'always the same here: of the exceptions only #VC goes back without asking for another task, and linux-idt-vc has it'

const ASKS = 'a system call that returns always lets another task run first'

/** Places are labels, with an offset where the same instruction stands there twice. */
export const EQUIVALENT = [
  {
    systems: 'xen-idt',
    places:
      'handle_exception handle_ist_exception handle_double_fault handle_interrupt handle_int80 handle_int82 lstar_enter sysenter_eflags_saved',
    mutants: ['xor edi, edi: deleted'],
    why: OVERWRITTEN,
  },
  { systems: 'xen-idt-32', places: 'cstar_enter', mutants: ['xor edi, edi: deleted'], why: OVERWRITTEN },
  {
    systems: 'xen-idt',
    places: 'handle_ist_exception',
    mutants: ['xor edx, edx: deleted', 'xor eax, eax: deleted'],
    why: OVERWRITTEN,
  },
  {
    systems: XEN_FRED,
    places: 'entry_FRED_R3 entry_FRED_R0 eretu_error_dom_crash',
    mutants: ['xor edi, edi: deleted'],
    why: OVERWRITTEN,
  },
  {
    systems: 'xen-idt',
    places: 'exception_with_ints_disabled',
    mutants: ['test byte [rsp+0x88], 0x3: deleted', 'jne $-0x2d: deleted'],
    why: 'no guest runs with interrupts off: both ways out turn them on',
  },
  {
    systems: 'xen-idt',
    places: 'exception_with_ints_disabled',
    mutants: ['mov [rsp+0x80], rax: deleted'],
    why: 'search_pre_exception_table has written the same address there, with that on the shadow stack',
  },
  {
    systems: 'xen-idt',
    places: 'handle_double_fault',
    mutants: ['ud2: deleted'],
    why: 'never reached: do_double_fault does not return',
  },
  {
    systems: `xen-idt ${XEN_FRED}`,
    places: 'nmi_exit_to_guest',
    mutants: ['cli: deleted'],
    why: 'interrupts are off already: the handlers of NMIs never turn them on',
  },
  {
    systems: `xen-idt ${XEN_FRED}`,
    places: 'nmi_exit_to_guest',
    mutants: ['jmp $+0x2: deleted'],
    why: 'it jumps to the next instruction',
  },
  {
    systems: `xen-idt ${XEN_FRED}`,
    places: 'test_all_events',
    mutants: ['jmp $+0x30: deleted'],
    why: 'falls into the way out of NMIs, which looks for softirqs again, finds none, and goes on at the same place',
  },
  {
    systems: 'xen-idt',
    places: 'restore_all_guest iret_exit_to_guest',
    mutants: [
      'test byte [rsp+0x7c], 0x8: deleted',
      'je $+0x7: deleted',
      'je $+0x7: inverted',
      'verw [rsp+0x44]: deleted',
    ],
    why: VERW,
  },
  {
    systems: XEN_FRED,
    places: 'restore_all_guest',
    mutants: [
      'test byte [rsp+0x7c], 0x8: deleted',
      'je $+0x7: deleted',
      'je $+0x7: inverted',
      'verw [rsp+0x44]: deleted',
    ],
    why: VERW,
  },
  {
    systems: 'xen-idt-xpti',
    places: 'restore_all_guest iret_exit_to_guest',
    mutants: ['je $+0x7: deleted', 'je $+0x7: inverted'],
    why: VERW,
  },
  {
    systems: 'xen-idt-xpti',
    places: 'handle_int80 lstar_enter sysenter_eflags_saved',
    mutants: ['test rcx, rcx: deleted', 'je $+0x12: deleted'],
    why: ONLY_GUESTS,
  },
  {
    systems: 'xen-idt-xpti',
    places: 'restore_all_guest',
    mutants: ['test rax, rax: deleted', 'je $+0x11: deleted'],
    why: 'pv_cr3 is not 0: every guest has tables of its own here',
  },
  {
    systems: 'xen-idt-xpti',
    places: 'test_all_events nmi_exit_to_guest restore_all_guest restore_all_xen',
    mutants: ['mov r14, rsp: deleted'],
    why: R14,
  },
  {
    systems: XEN_FRED,
    places: 'after_pv_event',
    mutants: ['and al, 0xf: deleted'],
    why: 'the bits above the type are reserved, and 0 in a frame that the CPU pushes',
  },
  {
    systems: XEN_FRED,
    places: 'entry_from_pv entry_from_xen',
    mutants: ['endbr64: deleted'],
    why: 'both are called directly, which nothing tracks',
  },
  {
    systems: XEN_FRED,
    places: 'entry_from_pv',
    mutants: ['cli: deleted'],
    why: 'test_all_events turns interrupts off before it looks; one that comes earlier is handled and returns',
  },
  {
    systems: XEN_FRED,
    places: 'entry_from_xen',
    mutants: ['cli: deleted'],
    why: 'an interrupt while registers are taken back has a frame further down, and ERETS needs no interrupts off',
  },
  {
    systems: 'linux-idt',
    places: 'idt_common+0x13 idt_on_own_stack idt_paranoid',
    mutants: ['xor esi, esi: deleted'],
    why: OVERWRITTEN,
  },
  { systems: 'linux-idt', places: 'idt_common+0x73', mutants: ['xor ecx, ecx: deleted'], why: OVERWRITTEN },
  {
    systems: 'linux-idt',
    places: 'idt_on_own_stack idt_paranoid',
    mutants: ['xor edx, edx: deleted', 'xor ecx, ecx: deleted', 'xor eax, eax: deleted'],
    why: OVERWRITTEN,
  },
  {
    systems: 'linux-idt',
    places: 'idt_paranoid',
    mutants: ['xor ebx, ebx: deleted'],
    why: 'RBX is cleared twice, with nothing in between that reads it',
  },
  { systems: 'linux-idt', places: 'idt_syscall', mutants: ['xor edi, edi: deleted'], why: OVERWRITTEN },
  { systems: 'linux-fred', places: 'entry_ring3 entry_ring0', mutants: ['xor edi, edi: deleted'], why: OVERWRITTEN },
  {
    systems: 'linux-idt',
    places: 'idt_common+0x58',
    mutants: ['je near $+0x2e8: deleted'],
    why: NO_VC,
  },
  { systems: 'linux-idt', places: 'idt_common+0xc3', mutants: ['je near $+0x29d: deleted'], why: NO_VC },
  {
    systems: 'linux-idt',
    places: 'idt_common',
    mutants: ['je near $+0x24f: deleted', 'je near $+0x24f: inverted', 'call $-0xbca: deleted', 'jmp $+0x244: deleted'],
    why: NOT_REACHED,
  },
  { systems: 'linux-idt', places: 'idt_common+0xef', mutants: ['test eax, eax: deleted'], why: NOT_REACHED },
  {
    systems: 'linux-idt-vc',
    places: 'idt_common',
    mutants: ['je near $+0x24f: deleted', 'je near $+0x24f: inverted'],
    why: NOT_REACHED,
  },
  {
    systems: 'linux-idt',
    places: 'idt_int80',
    mutants: ['je near $+0x1e5: deleted'],
    why: ASKS,
  },
  { systems: 'linux-idt', places: 'idt_syscall', mutants: ['je $+0x7: deleted'], why: ASKS },
  {
    systems: 'linux-idt',
    places: 'idt_syscall',
    mutants: [
      'mov rcx, [rsp+0x80]: deleted',
      'cmp rcx, [rsp+0x58]: deleted',
      'mov rax, rcx: deleted',
      'shl rax, 0x10: deleted',
      'sar rax, 0x10: deleted',
      'cmp rax, rcx: deleted',
      'mov r11, [rsp+0x90]: deleted',
      'jne $+0x3a: inverted',
    ],
    why: SYSRET,
  },
  {
    systems: 'linux-idt',
    places: 'idt_syscall',
    mutants: ['test r11d, 0x10100: deleted', 'jne $+0x3a: deleted'],
    why: 'SYSRET loads TF and the next instruction traps, as with IRET; SYSCALL never saves RF',
  },
  {
    systems: 'linux-fred',
    places: 'fred_return_to_user',
    mutants: ['je $+0x19: deleted'],
    why: 'writes to IA32_FRED_RSP0 what it holds already',
  },
]
