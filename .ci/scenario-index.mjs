// Writes docs/scenario-index.md: every scenario of scenarios/ and examples/ with how its cells end, and the public bugs of
// docs/reference/cases.md with the scenarios that cite them. A bug that none cites must be in
// docs/scenario-index.reasons.json with the reason, and one that is cited must not be. `--check` writes nothing and fails if
// the page is not what it would write. Works on the built packages: run `pnpm build` first.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { generatedPage } from './generated-page.mjs'

const CLI = 'packages/cli/dist/bin.js'
const CASES = 'docs/reference/cases.md'
const REASONS = 'docs/scenario-index.reasons.json'
/** The order of the page; folders that are not here come behind, by name. */
const ORDER = [
  'scenarios',
  'scenarios/idt',
  'scenarios/fred',
  'scenarios/classic',
  'scenarios/migration',
  'scenarios/xen',
  'scenarios/pv',
  'scenarios/explore',
]
/** References that a reader of the index looks for: requirements and bugs. The manuals stay in the files. */
const MANUAL = /^(Intel SDM|AMD APM|Linux commit)/

/** More combinations than these are counted. */
const SHOWN = 6

const { parseDocument } = createRequire(new URL('../packages/cli/package.json', import.meta.url))('yaml')

const scenarios = [...run('scenarios'), ...exampleFolders().flatMap(run)]
const bugs = readBugs()
const missing = readReasons()
generatedPage('docs/scenario-index.md', page(), 'pnpm build, then pnpm scenario-index')

/** Example folders that hold scenarios. */
function exampleFolders() {
  return readdirSync('examples')
    .map((name) => `examples/${name}`)
    .filter((folder) => existsSync(`${folder}/package.json`))
    .filter((folder) => readdirSync(folder).some((file) => file.endsWith('.yaml')))
}

/** Runs a folder, with its plugin where it has one: what the page says of each scenario. */
function run(folder) {
  const plugin = existsSync(`${folder}/plugin.mjs`) ? ['--plugin', `${folder}/plugin.mjs`] : []
  const { stdout, stderr, status } = spawnSync('node', [CLI, 'run', folder, '--json', ...plugin], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  })
  if (status !== 0) throw new Error(`trapframe run ${folder} ended with ${status}: ${stderr || stdout.slice(0, 2000)}`)
  return JSON.parse(stdout).scenarios.flatMap(({ file, name, cells }) => {
    const { about, refs = [], machine = {} } = parseDocument(readFileSync(file, 'utf8')).toJS()
    if (about === undefined || refs.length === 0) {
      if (folder.startsWith('examples')) return []
      throw new Error(`${file}: a scenario of the library has an essay and refs`)
    }
    return [
      { file, folder: dirname(file), name, summary: firstSentence(about), refs: refs.map(String), cells, machine },
    ]
  })
}

/** The first sentence of the essay, without the word that the essays begin with. */
function firstSentence(about) {
  const text = about.replace(/\s+/g, ' ').replace(/^Background\. /, '')
  return /^.*?[.:](?= [A-Z]|$)/.exec(text)?.[0].replace(/:$/, '.') ?? text
}

/** The rows of every table of the cases: their IDs, and what happened. */
function readBugs() {
  const rows = readFileSync(CASES, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| -'))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | *\|$/g, '').trim()))
  return rows
    .filter(([first]) => first !== '#' && first !== 'id')
    .map(([first, ...rest]) => {
      const title = first.replace(' (k)', '')
      const ids = title.match(/^F\d+$|CVE-\d+-\d+|XSA-\d+/g) ?? [title]
      const where = rest.length === 3 ? `${rest[0]}: ${rest[1]}` : rest[0]
      const cited = scenarios.filter(({ refs }) => ids.some((id) => refs.includes(id)))
      return { title, ids, where: where.replaceAll(' (k)', ''), cited }
    })
}

/** What cannot be expressed, in whole or (`missing`) in part; every entry must be needed. */
function readReasons() {
  const entries = JSON.parse(readFileSync(REASONS, 'utf8'))
  for (const { row, missing } of entries) {
    const bug = bugs.find(({ title }) => title === row)
    if (bug === undefined) throw new Error(`${REASONS}: ${CASES} has no row "${row}"`)
    if (bug.cited.length > 0 && missing === undefined) {
      throw new Error(
        `${REASONS}: "${row}" is expressed by ${bug.cited[0].file}; say what is missing, or take the entry away`,
      )
    }
  }
  for (const { title, ids, cited } of bugs) {
    if (cited.length > 0 || entries.some(({ row }) => row === title)) continue
    throw new Error(`no scenario cites ${ids.join(' or ')}, and ${REASONS} does not say why`)
  }
  return entries
}

function page() {
  const cells = scenarios.reduce((sum, { cells }) => sum + cells.length, 0)
  const folders = [...new Set(scenarios.map(({ folder }) => folder))].sort(byOrder)
  const expressed = bugs.filter(({ cited }) => cited.length > 0).length
  return `<!-- Written by .ci/scenario-index.mjs from the scenarios, ${CASES} and ${REASONS}; edit those. -->

# The library of scenarios

${scenarios.length} scenarios with ${cells} cells, all of which pass; ${expressed} of the ${bugs.length} rows of [the public bugs](reference/cases.md) are among them.
[The language](scenarios.md) is explained elsewhere, and so is [how to run many of them](cli.md).

A cell is one combination of a scenario's matrix. The column _ends_ says how the cells end, by the axes on which that
depends: _done_ at the end of a program or handler, _halted_ with nothing to wake the CPU, _shutdown_, or still _running_ when the limit
of steps came. An end of any of these kinds is what the scenario expects.

${folders.map(themeSection).join('\n\n')}

## Public bugs, and where to see them

Rows of [public bugs worth a scenario](reference/cases.md).

${table(['row', 'what', 'scenarios'], bugs.map(bugRow))}

## What the scenarios leave out

${table(
  ['row', 'missing', 'reason'],
  missing.map(({ row, missing = 'all of it', reason }) => [row, missing, reason]),
)}
`
}

function byOrder(a, b) {
  const rank = (folder) =>
    ORDER.includes(folder) ? ORDER.indexOf(folder) : ORDER.length + Number(folder.startsWith('examples'))
  return rank(a) - rank(b) || (a < b ? -1 : 1)
}

/** A folder: the heading and the first paragraph of its README, and a table of its scenarios. */
function themeSection(folder) {
  const own = existsSync(`${folder}/README.md`) ? readFileSync(`${folder}/README.md`, 'utf8') : `# ${folder}`
  const readme = own.replace(/\]\((?!\w+:|#)([^)]+)\)/g, (_, link) => `](${relative('docs', join(folder, link))})`)
  const [heading, next = ''] = readme.trim().split('\n\n')
  const paragraph = /^[#|`]/.test(next) ? '' : ` · ${next}`
  const rows = scenarios.filter((one) => one.folder === folder).map(scenarioRow)
  return `## ${heading.replace(/^# /, '')}

[\`${folder}\`](../${folder})${paragraph}

${table(['scenario', 'about', 'refs', 'deliveries', 'ends'], rows)}`
}

function scenarioRow({ file, name, summary, refs, cells, machine }) {
  const cited = refs.filter((ref) => !MANUAL.test(ref))
  return [`[${name}](../${file})`, summary, cited.join(', '), deliveriesOf(cells, machine), endsOf(cells)]
}

function bugRow({ title, where, cited }) {
  return [
    title,
    where,
    cited
      .map(({ file, folder }) => `[${file.slice(folder.indexOf('/') + 1).replace('.yaml', '')}](../${file})`)
      .join(', ') || '–',
  ]
}

/** The deliveries that the cells have: by their axis, or what the machine asks for, or the host that has only one. */
function deliveriesOf(cells, machine) {
  const found = cells.map(({ axes }) => {
    const fill = (text) => String(text ?? '').replace(/\$\{(\w+)\}/g, (_, axis) => axes[axis])
    const asked = fill(machine.delivery) || /^flat-(\w+)$/.exec(fill(machine.host))?.[1]
    return asked || axes.delivery || 'the host’s'
  })
  return [...new Set(found)].sort().reverse().join(', ')
}

/** How the cells end, by the fewest axes that tell: "idt: done · fred: halted". */
function endsOf(cells) {
  const outcomes = [...new Set(cells.map(({ outcome }) => outcome))]
  const count = `${cells.length} ${cells.length === 1 ? 'cell' : 'cells'}`
  if (outcomes.length === 1) return `${outcomes[0]} (${count})`
  const axes = decidingAxes(cells)
  const parts = outcomes.map((outcome) => {
    const keys = cells
      .filter((cell) => cell.outcome === outcome)
      .map((cell) => axes.map((axis) => label(axis, cell.axes[axis])))
    const names = [...new Set(keys.map((key) => key.join(' ')))]
    return [outcome, names.length > SHOWN ? `${keys.length} of them` : names.join(', ')]
  })
  return `${parts.map(([outcome, names]) => `${outcome}: ${names}`).join(' · ')} (${count})`
}

function label(axis, value) {
  return axis === 'delivery' || typeof value === 'string' ? String(value) : `${axis}: ${value}`
}

/** The smallest set of axes that decides how a cell ends. */
function decidingAxes(cells) {
  const names = Object.keys(cells[0].axes)
  const subsets = Array.from({ length: 1 << names.length }, (_, bits) => names.filter((_, n) => bits & (1 << n)))
  const decides = (axes) => {
    const ends = new Map()
    return cells.every(({ axes: values, outcome }) => {
      const key = axes.map((axis) => values[axis]).join('\n')
      if (!ends.has(key)) ends.set(key, outcome)
      return ends.get(key) === outcome
    })
  }
  return subsets.sort((a, b) => a.length - b.length).find(decides) ?? names
}

function table(heads, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}
