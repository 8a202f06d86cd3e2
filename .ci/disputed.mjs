// Writes docs/disputed.md: every reason for which a conformance vector is disputed, by its own `disputed` field or by
// conformance/disputed.json, with what recorder, specification and model say (docs/disputed.reasons.json) and the tests
// that pin the model's answer. `--check` writes nothing and fails if the page is not what it would write.
//
// It also fails when a reason has no entry, an entry no vector, a test no such title, or a line of disputed.json no vector.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { generatedPage } from './generated-page.mjs'

const PAGE = 'docs/disputed.md'
const TOPICS = 'docs/disputed.reasons.json'
const OWN = 'conformance/disputed.json'

const problems = []
const topics = JSON.parse(readFileSync(TOPICS, 'utf8'))
const own = JSON.parse(readFileSync(OWN, 'utf8'))
const { files, vectors } = readVectors()
const given = new Set(vectors.map(({ reason }) => reason))

checkTopics()
const page = writePage()
if (problems.length > 0) {
  for (const problem of problems) console.error(problem)
  process.exitCode = 1
} else {
  generatedPage(PAGE, page, 'pnpm disputed')
}

/** The disputed vectors of all files, and how many vectors each file with disputed ones has. */
function readVectors() {
  const files = []
  const vectors = []
  const claimed = new Set()
  for (const name of readdirSync('conformance').filter((name) => name.endsWith('.jsonl.gz'))) {
    const lines = gunzipSync(readFileSync(`conformance/${name}`))
      .toString('utf8')
      .split('\n')
      .filter(Boolean)
    const before = vectors.length
    for (const line of lines) {
      const { id, group, vendor, disputed } = identify(JSON.parse(line))
      const claim = own.find((one) => one.file === name && one.id === id && one.sha256 === sha256(line))
      if (claim) claimed.add(claim)
      if (claim && disputed) problems.push(`${OWN}: ${id} of ${name} is disputed by its own field already`)
      const reason = disputed ?? claim?.reason
      if (reason) vectors.push({ file: name, id, group, vendor, reason, ours: !disputed })
    }
    const disputed = vectors.length - before
    if (disputed > 0) files.push({ name, total: lines.length, disputed })
  }
  for (const one of own) {
    if (!claimed.has(one)) problems.push(`${OWN}: no line of ${one.file} is ${one.id} with SHA-256 ${one.sha256}`)
  }
  return { files, vectors }
}

/** A line by the names that `trapframe vectors` reports: of a recording with a guest, which delivery and CPU it was made on. */
function identify({ id, group, cpu, delivery, disputed }) {
  if (group !== undefined) return { id, group, vendor: cpu.vendor, disputed }
  return { id: `${id}@${delivery}@${cpu}`, group: `pv/${id.split('/', 1)[0]}`, vendor: cpu }
}

function sha256(line) {
  return createHash('sha256').update(line).digest('hex')
}

function checkTopics() {
  const known = new Set(topics.flatMap(({ reasons }) => reasons))
  for (const reason of given) if (!known.has(reason)) problems.push(`${TOPICS}: no entry for "${reason}"`)
  for (const reason of known) if (!given.has(reason)) problems.push(`${TOPICS}: no vector has the reason "${reason}"`)
  for (const { topic, settled, tests } of topics) {
    if (settled && tests.length === 0) problems.push(`${TOPICS}: "${topic}" is settled and no test pins the answer`)
    for (const { file, title } of tests) {
      const found = existsSync(file) && readFileSync(file, 'utf8').includes(title)
      if (!found) problems.push(`${TOPICS}: "${topic}": ${file} has no test "${title}"`)
    }
  }
}

function writePage() {
  const ours = vectors.filter((vector) => vector.ours).length
  const sections = [...new Set(topics.map(({ chapter }) => chapter))].map(
    (chapter) =>
      `## ${chapter}\n\n${topics
        .filter((topic) => topic.chapter === chapter)
        .map(section)
        .join('\n')}`,
  )
  return `<!-- Written by .ci/disputed.mjs from the conformance vectors and ${TOPICS}; edit those. -->

# Disputed vectors

A disputed vector is one whose recorder is believed to be wrong, or about which the manuals do not decide. \`trapframe vectors\`
skips it by name; it counts neither as a pass nor as a failure. Each question below says what the recorder does, what the
specification says and what the model does, and names the tests that pin the model's answer. *Settled* means that the
specification lets us decide.

Most are disputed by the vectors themselves. ${ours} more are listed in \`${OWN}\`, with the hash of the line
that they are about: trapframe's reading of the specification against the recording.

| file | vectors | disputed |
| --- | ---: | ---: |
${files.map(({ name, total, disputed }) => `| \`${name}\` | ${total} | ${disputed} |`).join('\n')}

${sections.join('\n')}`
}

function section({ topic, reasons, settled, recorder, specification, model, tests }) {
  const about = vectors.filter(({ reason }) => reasons.includes(reason))
  const ours = about.filter((vector) => vector.ours)
  const groups = [...new Set(about.map(({ group }) => group))].sort()
  const vendors = [...new Set(about.map(({ vendor }) => vendor))].sort()
  const where = ours.length > 0 ? `, ${ours.length} of them by \`${OWN}\`: ${listOf(ours)}` : ''
  return `### ${topic}

- Recorder: ${recorder}
- Specification${settled ? '' : ' (not settled)'}: ${specification}
- trapframe: ${model}
- Vectors: ${about.length}${where}; ${vendors.join(' and ')}; ${groups.map((group) => `\`${group}\``).join(', ')}
${tests.map(({ file, title }) => `- Pinned by: “${title}” (\`${file}\`)`).join('\n')}
`
}

/** Groups with the last parts of their ids: `cet/ops` 0003, 0011. */
function listOf(list) {
  const groups = [...new Set(list.map(({ group }) => group))]
  return groups
    .map((group) => {
      const ids = list.filter((vector) => vector.group === group).map(({ id }) => id.replace(/^pv\/|.*\/(?=\d+$)/, ''))
      return `\`${group}\` ${ids.join(' ')}`
    })
    .join('; ')
}
