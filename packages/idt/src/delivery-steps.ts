import { type DeliveryStep, VECTOR_GP, VECTOR_NP, VECTOR_PF, VECTOR_SS, VECTOR_TS } from '@trapframe/core'

const INT_N = 'SDM 2A INT n'
const GATES = 'SDM 3A 6.14.1'
const STACKS = 'SDM 3A 6.14.2, 6.14.4, 6.14.5'
const SHADOW_STACKS = 'SDM 1 17.2.3'

/**
 * IDT delivery in long mode, step by step, in the order of `deliver.ts`: the first check that fails decides. `gate` is
 * vector × 8 + 2, `selector` the gate's code segment, `TR` the selector of the TSS; EXT is added to each of them.
 */
export const DELIVERY_STEPS: readonly DeliveryStep[] = [
  {
    stage: 'entry point',
    text: 'the gate lies within the limit of IDTR',
    fault: { vector: VECTOR_GP, errorCode: 'gate' },
    manual: GATES,
  },
  { stage: 'entry point', text: 'it can be read', fault: { vector: VECTOR_PF }, manual: GATES },
  {
    stage: 'entry point',
    text: 'it is an interrupt or a trap gate',
    fault: { vector: VECTOR_GP, errorCode: 'gate' },
    manual: GATES,
  },
  {
    stage: 'entry point',
    text: 'INT n, INT3, INTO: its DPL is not below CPL',
    fault: { vector: VECTOR_GP, errorCode: 'gate' },
    manual: 'SDM 3A 6.12.1.1',
  },
  {
    stage: 'entry point',
    text: 'it is present',
    fault: { vector: VECTOR_NP, errorCode: 'gate' },
    manual: INT_N,
  },
  {
    stage: 'entry point',
    text: 'its selector is not null',
    fault: { vector: VECTOR_GP, errorCode: '0' },
    manual: INT_N,
  },
  {
    stage: 'entry point',
    text: 'the selector lies within its table',
    fault: { vector: VECTOR_GP, errorCode: 'selector' },
    manual: INT_N,
  },
  { stage: 'entry point', text: 'its descriptor can be read', fault: { vector: VECTOR_PF }, manual: INT_N },
  {
    stage: 'entry point',
    text: 'it names 64-bit code whose DPL is not above CPL',
    fault: { vector: VECTOR_GP, errorCode: 'selector' },
    manual: 'SDM 3A 6.14.1; SDM 2A INT n',
  },
  {
    stage: 'entry point',
    text: 'the code segment is present',
    fault: { vector: VECTOR_NP, errorCode: 'selector' },
    manual: INT_N,
  },
  {
    stage: 'stack',
    text: 'the limit of TR covers the stack pointer',
    fault: { vector: VECTOR_TS, errorCode: 'TR' },
    manual: STACKS,
  },
  { stage: 'stack', text: 'the TSS can be read', fault: { vector: VECTOR_PF }, manual: STACKS },
  {
    stage: 'stack',
    text: 'the stack pointer is canonical',
    fault: { vector: VECTOR_SS, errorCode: '0' },
    manual: STACKS,
  },
  {
    stage: 'shadow stack',
    text: 'IST with shadow stacks: the interrupt SSP table can be read',
    fault: { vector: VECTOR_PF },
    manual: SHADOW_STACKS,
  },
  {
    stage: 'frame',
    text: 'the frame lies at canonical addresses',
    fault: { vector: VECTOR_SS, errorCode: '0' },
    manual: INT_N,
  },
  { stage: 'frame', text: 'the frame can be written', fault: { vector: VECTOR_PF }, manual: 'SDM 3A 6.14.2' },
  {
    stage: 'entry point',
    text: 'the handler’s address is canonical',
    fault: { vector: VECTOR_GP, errorCode: '0' },
    manual: INT_N,
  },
  {
    stage: 'entry point',
    text: 'the accessed bit of a code segment that was never used can be set',
    fault: { vector: VECTOR_PF },
    manual: 'SDM 3A 3.4.5.1',
  },
  {
    stage: 'shadow stack',
    text: 'shadow stack: the token is aligned to 8',
    fault: { vector: VECTOR_GP, errorCode: '0' },
    manual: SHADOW_STACKS,
  },
  {
    stage: 'shadow stack',
    text: 'shadow stack: the token can be written',
    fault: { vector: VECTOR_PF },
    manual: SHADOW_STACKS,
  },
  {
    stage: 'shadow stack',
    text: 'shadow stack: the token is its own address and free',
    fault: { vector: VECTOR_GP, errorCode: '0' },
    manual: SHADOW_STACKS,
  },
  {
    stage: 'shadow stack',
    text: 'shadow stack, not from ring 3: CS, RIP and SSP can be pushed',
    fault: { vector: VECTOR_PF },
    manual: SHADOW_STACKS,
  },
  {
    stage: 'registers',
    text: 'to an inner ring SS becomes null, with the new CPL as its RPL, and a user SSP goes to IA32_PL3_SSP',
    manual: 'SDM 3A 6.14.4; SDM 1 17.2.3',
  },
  { stage: 'registers', text: 'CS, CPL, RSP and RIP are loaded, and SSP with shadow stacks', manual: INT_N },
  {
    stage: 'registers',
    text: 'TF, NT, RF and VM are cleared, and IF by an interrupt gate',
    manual: 'SDM 3A 6.12.1.3',
  },
  { stage: 'registers', text: 'GS base stays the interrupted code’s: SWAPGS is software’s', manual: 'SDM 3A 6.14' },
  { stage: 'registers', text: 'where IBT is on, an ENDBRANCH must follow', manual: 'SDM 1 17.3.4' },
  {
    stage: 'registers',
    text: 'an NMI blocks NMIs; blocking by STI and MOV SS ends',
    manual: 'SDM 3A 6.7.1, 6.8.3',
  },
]
