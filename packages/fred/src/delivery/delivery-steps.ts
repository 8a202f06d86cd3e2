import { type DeliveryStep, VECTOR_GP, VECTOR_PF, VECTOR_SS } from '@trapframe/core'

/**
 * FRED delivery, step by step, in the order of `deliver.ts`: the first check that fails decides. Nothing is read from
 * memory, so that only the pushes, and what they are pushed on, can fail (A12, A15).
 */
export const DELIVERY_STEPS: readonly DeliveryStep[] = [
  {
    stage: 'entry point',
    text: 'the entry point is the page in IA32_FRED_CONFIG[63:12], for every event; from ring 0 256 bytes further on (A4)',
    manual: 'SDM 3A 8.3',
  },
  {
    stage: 'stack',
    text:
      'the event’s stack level: 0 from ring 3, unless it is #DF or nested; else from IA32_FRED_CONFIG[10:9] for interrupts, ' +
      'from IA32_FRED_STKLVLS for NMI, exceptions, INT1, INT3 and INTO, 0 for INT n, SYSCALL and SYSENTER (A10, A11)',
    manual: 'SDM 3A 8.3',
  },
  {
    stage: 'stack',
    text:
      'from ring 3, or to a higher level than the current one: RSP from IA32_FRED_RSP of the level; ' +
      'else RSP below the red zone, aligned down to 64 (A13)',
    manual: 'SDM 3A 8.3',
  },
  {
    stage: 'shadow stack',
    text: 'shadow stacks, another stack: bit 2 of the level’s SSP is 0 (WRMSR lets IA32_PL0_SSP alone have it set)',
    fault: { vector: VECTOR_GP, errorCode: '0' },
    manual: 'SDM 3A 8.3',
  },
  {
    stage: 'frame',
    text: 'the frame lies at canonical addresses',
    fault: { vector: VECTOR_SS, errorCode: '0' },
    manual: 'SDM 3A 8.3',
  },
  { stage: 'frame', text: 'the frame can be written', fault: { vector: VECTOR_PF }, manual: 'SDM 3A 8.3' },
  {
    stage: 'shadow stack',
    text: 'shadow stacks, from ring 0: CS, RIP and SSP go to canonical addresses',
    fault: { vector: VECTOR_GP, errorCode: '0' },
    manual: 'SDM 3A 8.3',
  },
  {
    stage: 'shadow stack',
    text: 'shadow stacks, from ring 0: the gap of four bytes and the three quadwords can be written',
    fault: { vector: VECTOR_PF },
    manual: 'SDM 3A 8.3',
  },
  {
    stage: 'registers',
    text: 'from ring 3 CS and SS become fixed flat segments of ring 0, by the selectors of IA32_STAR[47:32] (A8)',
    manual: 'SDM 3A 8.3',
  },
  {
    stage: 'registers',
    text: 'from ring 3 GS base and IA32_KERNEL_GS_BASE change places, and a user SSP goes to IA32_PL3_SSP (A1)',
    manual: 'SDM 3A 8.3',
  },
  {
    stage: 'registers',
    text: 'RIP, RSP, the current stack level and, with shadow stacks, SSP are loaded',
    manual: 'SDM 3A 8.3',
  },
  {
    stage: 'registers',
    text: 'RFLAGS becomes 2; with `rflags: fmask` it loses the bits of IA32_FMASK instead (A8)',
    manual: 'SDM 3A 8.3',
  },
  {
    stage: 'registers',
    text: 'the ENDBRANCH tracker of ring 0 is idle: no ENDBRANCH need follow',
    manual: 'SDM 3A 8.3',
  },
  {
    stage: 'registers',
    text: 'an NMI blocks NMIs; blocking by STI and MOV SS ends, and the frame says that STI blocked',
    manual: 'SDM 3A 8.3',
  },
]
