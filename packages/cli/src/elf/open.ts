import { open, realpath } from 'node:fs/promises'
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import { UserError } from '@trapframe/core'
import { nearestFile } from './nearest-file.js'

/** Longest image that is read. */
export const MOST_FILE_BYTES = 64 << 20

/** A file that a scenario may not read, or that cannot be read. */
export class FileRefusal extends UserError {
  constructor(message: string, hint?: string) {
    super('scenario-file', message, hint === undefined ? {} : { hint })
  }
}

/**
 * Reads a file that a scenario names. A stranger's scenario reads nothing outside of its own folder, links followed,
 * unless the person at the keyboard allows it; pipes, devices and folders are never read.
 *
 * @param path as the scenario writes it, relative to the scenario
 * @throws FileRefusal
 */
export async function readBeside(scenario: string, path: string, anywhere: boolean): Promise<Uint8Array> {
  const folder = dirname(resolve(scenario))
  const wanted = resolve(folder, path)
  const outside = new FileRefusal(
    `"${path}" lies outside of the scenario's folder`,
    'a scenario reads files beside and below it only; if you trust it: --allow-files',
  )
  if (!anywhere && (isAbsolute(path) || !isBelow(folder, wanted))) throw outside
  let real: string
  try {
    real = await realpath(wanted)
  } catch (error) {
    throw unreadable(path, error, await nearestFile(wanted, folder))
  }
  if (!anywhere && !isBelow(await realpath(folder), real)) throw outside
  return readRegular(real, path)
}

async function readRegular(real: string, path: string): Promise<Uint8Array> {
  // Without waiting: to open a pipe otherwise waits for a writer.
  const { O_RDONLY, O_NONBLOCK } = (await import('node:fs')).constants
  const file = await open(real, O_RDONLY | (O_NONBLOCK ?? 0)).catch((error: unknown) => {
    throw unreadable(path, error)
  })
  try {
    const facts = await file.stat()
    if (!facts.isFile()) throw new FileRefusal(`"${path}" is ${facts.isDirectory() ? 'a folder' : 'no ordinary file'}`)
    if (facts.size > MOST_FILE_BYTES) {
      throw new FileRefusal(`"${path}" is too large`, `most: ${MOST_FILE_BYTES >> 20} MiB`)
    }
    return await file.readFile()
  } finally {
    await file.close()
  }
}

function unreadable(path: string, error: unknown, hint?: string): FileRefusal {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return new FileRefusal(`there is no file "${path}"`, hint)
  if (code === 'EACCES' || code === 'EPERM') return new FileRefusal(`"${path}" may not be read`)
  return new FileRefusal(`"${path}" cannot be read: ${code ?? 'unknown reason'}`)
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}
