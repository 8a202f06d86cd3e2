// Runs what the documentation shows, page by page, each page in a folder of its own.
//   ```console                    a session: lines after "$ " are commands, what follows is their output (stderr too)
//   ```js NAME, ```yaml NAME …    a file of that name, for the sessions below it; JavaScript and TypeScript are type-checked
// Without an argument the outputs are written into the pages, with --check it fails where they differ. A line "…" in an output
// stands for any lines, and such an output is mended by hand; durations are not compared. Needs a build.
//   node .ci/docs-examples.mjs [--check] [PAGE…]
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import ts from 'typescript'
import { markdownFiles, readMarkdown } from './markdown.mjs'

// Within the package that depends on all others, so that examples can import them.
const ROOM = resolve('packages/cli/node_modules/.docs-examples')
const MOST_SECONDS = 60
const check = process.argv.includes('--check')
const named = process.argv.slice(2).filter((one) => !one.startsWith('--'))
const start = Date.now()
const problems = []
const toType = []
let sessions = 0

rmSync(ROOM, { recursive: true, force: true })
mkdirSync(join(ROOM, 'bin'), { recursive: true })
writeFileSync(join(ROOM, 'bin/trapframe'), `#!/bin/sh\nexec node ${resolve('packages/cli/dist/bin.js')} "$@"\n`)
chmodSync(join(ROOM, 'bin/trapframe'), 0o755)

for (const path of named.length > 0 ? named : markdownFiles()) {
  if (existsSync(path)) runPage(path)
}
typeCheck()
rmSync(ROOM, { recursive: true })
for (const problem of problems) console.error(problem)
console.log(
  `${sessions} sessions, ${toType.length} programs checked, ${problems.length} problems, ${Math.round((Date.now() - start) / 1000)} s`,
)
process.exitCode = problems.length === 0 && sessions > 0 ? 0 : 1

function runPage(path) {
  const text = readFileSync(path, 'utf8')
  const blocks = readMarkdown(text).blocks
  if (!blocks.some(isSession)) return
  const folder = join(ROOM, path.replaceAll('/', '-').replace(/\.md$/, ''))
  mkdirSync(folder)
  for (const part of ['scenarios', 'examples', 'conformance']) symlinkSync(resolve(part), join(folder, part))
  let fresh = text
  const before = problems.length
  for (const block of blocks) {
    const file = block.info.split(/\s+/)[1]
    if (isSession(block)) fresh = fresh.replace(block.text, () => played(path, folder, block))
    else if (file !== undefined) writeExample(path, folder, file, block)
  }
  // A command that broke is not what the page should show.
  if (fresh === text || problems.length > before) return
  if (check) problems.push(`${path} shows other output than its commands print: run node .ci/docs-examples.mjs ${path}`)
  else writeFileSync(path, fresh)
}

function isSession({ info, text }) {
  return info === 'console' || (info === '' && text.startsWith('$ trapframe '))
}

function writeExample(page, folder, file, { text, line }) {
  mkdirSync(dirname(join(folder, file)), { recursive: true })
  writeFileSync(join(folder, file), text)
  if (['.ts', '.mts', '.mjs', '.js'].includes(extname(file)))
    toType.push({ at: `${page}:${line}`, path: join(folder, file) })
}

/** The session with the output that its commands have now, or as it was where that still fits. */
function played(page, folder, { text, line }) {
  sessions += 1
  const steps = text.split(/^(?=\$ )/m)
  let status = 0
  return steps
    .map((step, at) => {
      const [command, ...shown] = step.replace(/\n$/, '').split('\n')
      const last = status
      const { stdout, error, signal, ...done } = spawnSync(
        'bash',
        ['-c', `exec 2>&1; (exit ${last}); ${command.slice(2)}`],
        {
          cwd: folder,
          encoding: 'utf8',
          timeout: MOST_SECONDS * 1000,
          env: {
            ...process.env,
            PATH: `${join(ROOM, 'bin')}:${process.env.PATH}`,
            NO_COLOR: '1',
            COLUMNS: '120',
            CI: '1',
            GITHUB_ACTIONS: '',
          },
        },
      )
      status = done.status ?? 1
      if (error || signal) problems.push(`${page}:${line}  ${command}: ${error?.message ?? signal}`)
      // 1 is a verdict; a mistake is shown together with its exit code, and a defect never.
      const asked = status < 70 && steps[at + 1]?.startsWith('$ echo $?')
      if (status > 1 && !asked) problems.push(`${page}:${line}  ${command}: exit code ${status}\n${stdout}`)
      const printed = stdout.replace(/^\n+|\s+$/g, '').replaceAll(folder, '.')
      const fits = shown.length > 0 && pattern(shown.join('\n')).test(steady(printed))
      if (!fits && shown.includes('…'))
        problems.push(`${page}:${line}  ${command}: what stands between "…" is not printed any more`)
      return `${[command, ...(fits ? shown : printed === '' ? [] : [printed])].join('\n')}\n`
    })
    .join('')
}

/** What the output has to look like: "…" alone on a line is any lines. */
function pattern(shown) {
  const lines = shown.trim().split('\n')
  const source = lines.map((line) => (line.trim() === '…' ? '(?:.*\\n)*?(?:.*)' : literal(steady(line)))).join('\\n')
  return new RegExp(`^\\s*${source}\\s*$`)
}

function literal(text) {
  return text.trimEnd().replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function steady(text) {
  return text.replace(/\b\d[\d  ]*(\.\d+)? (ms|s|min)\b/g, '… ms').replace(/[ \t]+$/gm, '')
}

function typeCheck() {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, process.cwd())
  const program = ts.createProgram(
    toType.map(({ path }) => path),
    { ...options, allowJs: true, checkJs: true, noEmit: true, maxNodeModuleJsDepth: 0 },
  )
  for (const { at, path } of toType) {
    const file = program.getSourceFile(path)
    for (const one of [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]) {
      problems.push(`${at}  ${ts.flattenDiagnosticMessageText(one.messageText, '\n')}`)
    }
  }
}
