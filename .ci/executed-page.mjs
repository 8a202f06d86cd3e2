// Does what a page of the documentation says, in an empty folder: `sh` blocks are executed, one after the other and
// each where the last one ended; a block whose first line says a language and a file's name (```js event.mjs) writes that file; a `text`
// block after an `sh` block must be what that printed: its lines in their order, with … for anything, and lines between
// them passed over; how many blanks there are does not matter.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Executes a page. @throws Error with the page's line for what fails or prints something else */
export function executePage(page, folder, environment) {
  let here = folder
  let printed = null
  for (const { info, text, line } of blocks(readFileSync(page, 'utf8'))) {
    const [language, file] = info.split(/\s+/)
    const where = `${page}:${line}`
    if (language === 'sh') {
      console.log(`\n── ${where}\n${text.trimEnd()}`)
      const done = execute(text, here, environment, where)
      ;({ here, printed } = done)
    } else if (language === 'text' && printed !== null) {
      compare(text, printed, where)
    } else if (file !== undefined) {
      mkdirSync(dirname(join(here, file)), { recursive: true })
      writeFileSync(join(here, file), text)
    }
  }
  return here
}

/** The fenced blocks of a page, with the line of each. */
function blocks(markdown) {
  const found = []
  let open = null
  markdown.split('\n').forEach((line, i) => {
    const fence = /^```(.*)$/.exec(line)
    if (open === null && fence) open = { info: fence[1].trim(), text: '', line: i + 2 }
    else if (open !== null && fence) {
      found.push(open)
      open = null
    } else if (open !== null) open.text += `${line}\n`
  })
  return found
}

function execute(text, cwd, environment, where) {
  const start = Date.now()
  // What the commands print goes to stdout and stderr; where they ended, to a pipe of its own.
  const { error, status, stdout, stderr, output } = spawnSync('bash', ['-euo', 'pipefail', '-c', `${text}\npwd >&3`], {
    cwd,
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    timeout: 600_000,
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${where} ended with ${status}:\n${stdout}${stderr}`)
  console.log(`${stdout.trimEnd()}\n   (${((Date.now() - start) / 1000).toFixed(1)} s)`)
  return { here: output[3].trim(), printed: stdout }
}

function compare(expected, printed, where) {
  const lines = printed.split('\n').map(squeezed)
  let next = 0
  for (const line of expected.split('\n')) {
    if (line.trim() === '' || line.trim() === '…') continue
    const pattern = new RegExp(`^${squeezed(line).split(/ ?… ?/).map(escaped).join('.*')}$`)
    const at = lines.findIndex((one, i) => i >= next && pattern.test(one))
    if (at < 0) throw new Error(`${where}: this line was not printed: ${line}\nwhat was printed:\n${printed}`)
    next = at + 1
  }
}

/** Columns are not compared. */
const squeezed = (line) => line.trim().replaceAll(/\s+/g, ' ')

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
