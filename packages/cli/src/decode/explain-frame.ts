import {
  EXTERNAL_INTERRUPT,
  HARDWARE_EXCEPTION,
  NMI,
  OTHER_EVENT,
  pushesErrorCode,
  SOFTWARE_INTERRUPT,
  VECTOR_DB,
  VECTOR_DF,
  VECTOR_NM,
  VECTOR_PF,
} from '@trapframe/core'
import type { FredFrame } from '@trapframe/fred'
import { errorCodeWords, eventDataWords, rflagsWords, typeWords, vectorWords } from './event-words.js'
import { ripWords } from './explain-event.js'
import { address, type EventFacts, type Field, hex, ringOf } from './facts.js'

/** What a frame tells about its event. */
export function factsOf(frame: FredFrame): EventFacts {
  const { type, vector, eventData, cs, rip } = frame
  return { type, vector, errorCode: BigInt(frame.errorCode), eventData, cs, rip }
}

const yesNo = (name: string, value: boolean, yes: string, no = ''): Field => ({
  name,
  value: value ? '1' : '0',
  meaning: value ? yes : no,
})

/** Every field of a frame, in the order of its bytes. */
export function explainFrame(frame: FredFrame): Field[] {
  const facts = factsOf(frame)
  const { type, vector, eventData } = frame
  const ring = ringOf(facts)
  const asked = type >= SOFTWARE_INTERRUPT
  return [
    {
      name: 'error code',
      value: hex(frame.errorCode),
      meaning: errorCodeWords(type, vector, BigInt(frame.errorCode)),
    },
    { name: 'RIP', value: address(frame.rip), meaning: ripWords(facts, frame.length) },
    { name: 'CS', value: hex(frame.cs), meaning: `ring ${ring}` },
    {
      name: 'stack level',
      value: String(frame.stackLevel),
      meaning: ring === 3 ? 'always 0 from ring 3' : 'current before the event',
    },
    yesNo('wait for ENDBRANCH', frame.waitForEndbranch, 'an indirect branch had just been taken'),
    { name: 'RFLAGS', value: hex(frame.rflags), meaning: rflagsWords(frame.rflags) },
    { name: 'RSP', value: address(frame.rsp), meaning: '' },
    { name: 'SS', value: hex(frame.ss), meaning: frame.ss < 4 ? 'null' : `RPL ${frame.ss & 3}` },
    yesNo('STI blocking', frame.stiBlocking, 'in the instruction after STI'),
    yesNo(
      'software event',
      frame.softwareEvent,
      'INT n, SYSCALL or SYSENTER: a single step is pending at the return if TF is set',
    ),
    yesNo('NMI', frame.nmi, 'the return unblocks NMIs', 'the return leaves NMI blocking alone'),
    { name: 'vector', value: String(vector), meaning: vectorWords(type, vector) },
    { name: 'type', value: String(type), meaning: typeWords(type) },
    yesNo('enclave', frame.enclave, 'met in an enclave'),
    yesNo('64-bit mode', frame.mode64, 'the interrupted code', 'the interrupted code ran in compatibility mode'),
    yesNo('nested', frame.nested, 'met while another event was delivered'),
    { name: 'length', value: String(frame.length), meaning: asked ? 'bytes of the instruction that asked for it' : '' },
    { name: 'event data', value: hex(eventData), meaning: eventDataWords(type, vector, eventData) },
  ]
}

/** Reserved bits, and VM. */
const IMPOSSIBLE_FLAGS = 0xffff_ffff_ffc2_8028n
const LAST_TYPE = OTHER_EVENT
const HAS_DATA: readonly number[] = [VECTOR_DB, VECTOR_NM, VECTOR_PF]

/** The vectors that a type can have, where they are few. */
const VECTORS: Readonly<Record<number, readonly number[]>> = { 2: [2], 5: [1], 6: [3, 4], 7: [1, 2] }

/**
 * What no CPU leaves in a frame: signs that software made or changed it, or that these bytes are none. In words that
 * stand alone.
 */
export function oddities(frame: FredFrame): string[] {
  const { type, vector, length, cs, reserved } = frame
  const ring = cs & 3
  const isException = type === HARDWARE_EXCEPTION
  const asked = type >= SOFTWARE_INTERRUPT
  const hasData = type === NMI || (isException && HAS_DATA.includes(vector))
  const known: readonly (readonly [boolean, string])[] = [
    [type === 1 || type > LAST_TYPE, `no event has type ${type}`],
    [
      VECTORS[type]?.includes(vector) === false,
      `an event of type ${type} has vector ${VECTORS[type]?.join(' or ')}, and not ${vector}`,
    ],
    [isException && vector > 31, `an exception has a vector below 32, and not ${vector}`],
    [asked && length === 0, 'the instruction that asked for the event has length 0'],
    [!asked && length !== 0, `an event that no instruction asked for has length ${length}`],
    [
      frame.softwareEvent !== (type === SOFTWARE_INTERRUPT || type === OTHER_EVENT),
      `bit 17 of SS is ${frame.softwareEvent ? 1 : 0} for ${typeWords(type)}: the single step after the return differs`,
    ],
    [
      frame.nmi !== (type === NMI),
      frame.nmi
        ? `bit 18 of SS is 1 for ${typeWords(type)}: the return unblocks NMIs that this event did not block`
        : 'bit 18 of SS is 0 for an NMI: the return leaves NMIs blocked',
    ],
    [ring === 1 || ring === 2, `FRED does not leave or enter ring ${ring}`],
    [ring === 3 && frame.stackLevel !== 0, `ring 3 is on stack level 0, and not ${frame.stackLevel}`],
    [ring === 3 && frame.waitForEndbranch, 'bit 18 of CS is about ring 0 only'],
    [ring === 0 && !frame.mode64, 'ring 0 has no compatibility mode under FRED'],
    [ring === 3 && (frame.ss & 3) !== 3, 'SS of ring 3 has another RPL'],
    [(frame.rflags & 2n) === 0n, 'bit 1 of RFLAGS is 0'],
    [(frame.rflags & IMPOSSIBLE_FLAGS) !== 0n, 'RFLAGS has bits that do not exist in long mode'],
    [
      frame.errorCode !== 0 && !(isException && pushesErrorCode(vector)),
      `the event has no error code, and ${hex(frame.errorCode)} is there`,
    ],
    [frame.eventData !== 0n && !hasData, `the event has no data, and ${hex(frame.eventData)} is there`],
    [isException && vector === VECTOR_DF && frame.nested, '#DF is never nested'],
    [frame.nested && !isException, `only exceptions are nested, and this is ${typeWords(type)}`],
    [type === EXTERNAL_INTERRUPT && (frame.rflags & (1n << 9n)) === 0n, 'an interrupt came while IF was 0'],
    [reserved !== undefined, 'bits are set that have no meaning'],
  ]
  return known.filter(([odd]) => odd).map(([, words]) => words)
}
