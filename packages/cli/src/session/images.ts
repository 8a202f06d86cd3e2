import { UserError } from '@trapframe/core'
import type { ElfImage } from '../elf/image.js'
import { readBeside } from '../elf/open.js'
import { readElf } from '../elf/read.js'
import { ScenarioError } from '../error/scenario-error.js'
import { PROGRAMS, type ProgramName } from '../scenario/grammar.js'
import type { Problems } from '../scenario/problems.js'
import type { Scenario } from '../scenario/scenario.js'

/** The images that a scenario's programs are, read once for all cells. */
export type Images = ReadonlyMap<ProgramName, ElfImage>

/** Bytes that the images of all cells take together, at most: every cell has a machine with memory of its own. */
const MOST_BYTES = 1 << 28

/** Reads the images that a scenario names; what is wrong with them goes to the problems, at the path that names them. */
export async function readImages(scenario: Scenario, anywhere: boolean, problems: Problems): Promise<Images> {
  const images = new Map<ProgramName, ElfImage>()
  let bytes = 0
  for (const name of PROGRAMS) {
    const program = scenario.programs[name]
    if (program === undefined || !('elf' in program)) continue
    const path = [name, 'elf']
    try {
      const image = readElf(await readBeside(scenario.file, program.elf, anywhere))
      images.set(name, image)
      bytes += image.size * scenario.cells.length
      if (program.base !== undefined && !image.movable) {
        const message = `"${program.elf}" is linked to fixed addresses, and takes no base`
        problems.add({ path: [name, 'base'], at: 'key', message, hint: 'leave it out, or link with -static-pie' })
      }
      if (bytes <= MOST_BYTES) continue
      const message = `"${program.elf}" takes ${image.size} bytes in each of ${scenario.cells.length} cells`
      problems.add({ path, at: 'value', message, hint: `most: ${MOST_BYTES >> 20} MiB in all cells together` })
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      problems.addError(imageError(scenario, name, error))
    }
  }
  return images
}

/** What is wrong with a program's image, at the path that names it. */
export function imageError(scenario: Scenario, name: ProgramName, error: UserError): ScenarioError {
  const program = scenario.programs[name]
  const file = program !== undefined && 'elf' in program ? program.elf : name
  const message = error.code.startsWith('elf-') ? `"${file}" cannot be loaded: ${error.message}` : error.message
  return new ScenarioError(message, scenario.places.value([name, 'elf']), error.hint, error)
}
