import type { Json } from '../src/vectors/pv-xen/read.js'

/** A line as the recordings have it, for tests: UD2 of user code under FRED. */
export const SAMPLE: Json = {
  id: 'exc/ud2/user',
  delivery: 'fred',
  cpu: 'intel',
  mode: 'user',
  setup: {
    asm: 'ud2',
    bytes: '0f0bcdf1',
    bits: 64,
    start: { rip: 'code', cs: '0xe033', rflags: '0x202', rsp: 'ustack', ss: '0xe02b' },
    iretFlags: '0x0',
  },
  seen: {
    setupResults: [],
    afterResults: [],
    events: [
      {
        entry: 'trap:0x6',
        name: '#UD',
        fromMode: 'user',
        frameAt: 'kstack-0x38',
        frame: {
          rcx: '0x1111111111111111',
          r11: '0xbbbbbbbbbbbbbbbb',
          rip: 'code',
          cs: '0xe033',
          savedUpcallMask: 0,
          rflags: '0x10202',
          rsp: 'ustack',
          ss: '0xe02b',
          ssQword: '0x20300060000e02b',
        },
        regs: { rax: '0xaaaa0000bbbb1111', rcx: 'handler:0x6', r11: '0x202' },
        rflags: '0x202',
        cs: '0xe033',
        ss: '0xe02b',
        ds: '0xe02b',
        es: '0xe02b',
        fs: '0x0',
        gs: '0x0',
        gsQword: 'gsk',
        upcallMask: 0,
        upcallPending: 0,
        cr2: '0x0',
        fsBase: 'fsb',
        gsBase: 'gsk',
        kernelGsBase: 'gsu',
        dr6: '0xffff0ff0',
      },
    ],
    outcome: 'ok',
  },
}

/** The sample with one part replaced. */
export function withChange(path: readonly (string | number)[], value: unknown): Json {
  const line = structuredClone(SAMPLE) as Record<string | number, unknown>
  let at = line
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>
  at[path.at(-1)!] = value
  return line
}
