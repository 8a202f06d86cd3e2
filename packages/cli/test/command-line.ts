import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { main } from '../src/main.js'
import { memoryTerminal } from '../src/terminal/terminal.js'

/** What a command line did. */
export interface Did {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command line in this process. */
export async function trapframe(...words: readonly string[]): Promise<Did> {
  const terminal = memoryTerminal()
  const code = await main(words, terminal)
  return { code, out: terminal.text.out, err: terminal.text.err }
}

/** A folder with these files, gone when the test ends. */
export function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'trapframe-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}
