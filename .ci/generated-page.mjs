// A page that a script writes: formatted as the rest of the repository is, and with `--check` only compared.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/** Writes the page, or with `--check` fails the process if it is not this text. `again` is how to write it. */
export function generatedPage(path, text, again) {
  const formatted = format(path, text)
  if (!process.argv.includes('--check')) {
    writeFileSync(path, formatted)
    console.log(path)
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== formatted) {
    console.error(`${path} is out of date: run ${again}`)
    process.exitCode = 1
  }
}

function format(path, text) {
  const biome = spawnSync('node_modules/.bin/biome', ['format', `--stdin-file-path=${path}`], {
    input: text,
    encoding: 'utf8',
  })
  if (biome.error) throw biome.error
  if (biome.status !== 0) throw new Error(`biome cannot format ${path}: ${biome.stderr}`)
  return biome.stdout
}
