import { MachineError } from '@trapframe/core'
import { loadCrashImage, PRECAUTION_NAMES, type Precaution } from '@trapframe/kexec'
import { z } from 'zod'
import { integer, oneOrMore, text } from '../../scenario/schema.js'
import { setupVerb } from '../slots.js'

/** What stands for an empty list, so that an axis can have it. */
const NOTHING = 'nothing'

/** `crash: { image: 64-bit, without: selfNmi }`: a crash image is loaded, and the shootdown leaves out some precautions. */
export const SET_CRASH = setupVerb({
  summary:
    'a crash image for kexec_crash and panics: image (64-bit or 32-bit), without (precautions that are left out), consoleLock (CPU that holds it), fatalNmi',
  schema: z.strictObject({
    image: z.enum(['64-bit', '32-bit']).default('64-bit'),
    without: oneOrMore(text).default([]),
    consoleLock: integer(0, 63).optional(),
    fatalNmi: z.boolean().default(false),
  }),
  apply({ image, without, consoleLock, fatalNmi }, { machine, oneOf, wrong }) {
    const known = [NOTHING, ...PRECAUTION_NAMES]
    const left = without.filter((name) => oneOf(name, known, 'precautions', ['without']) !== NOTHING)
    const precautions: Partial<Record<Precaution, boolean>> = {}
    for (const name of left) precautions[name as Precaution] = false
    try {
      loadCrashImage(machine, { image, precautions, fatalNmi, ...(consoleLock === undefined ? {} : { consoleLock }) })
    } catch (error) {
      if (!(error instanceof MachineError)) throw error
      wrong(error.message, error.hint)
    }
  },
})
