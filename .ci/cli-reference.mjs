// Writes docs/reference/cli.md from what `trapframe COMMAND --help` prints; `--check` writes nothing and fails if the page is not
// what it would write. Works on the built packages: run `pnpm build` first.
import { spawnSync } from 'node:child_process'
import { generatedPage } from './generated-page.mjs'

const overview = help([])
const commands = [...section(overview, 'Commands').matchAll(/^ {2}(\S+) {2,}(.*)$/gm)].map(([, name, summary]) => ({
  name,
  summary,
}))
if (commands.length === 0) throw new Error('trapframe --help lists no commands')

generatedPage(
  'docs/reference/cli.md',
  `<!-- Written by .ci/cli-reference.mjs from the command's own help; edit the definitions in packages/cli/src. -->

# The command line: reference

What \`trapframe --help\` and \`trapframe COMMAND --help\` print. [The command line](../cli.md) explains what the options are for.

| command | does |
| --- | --- |
${commands.map(({ name, summary }) => `| [\`${name}\`](#trapframe-${name}) | ${cell(summary)} |`).join('\n')}

${
  section(overview, 'Exit codes') &&
  `Exit codes: ${section(overview, 'Exit codes')
    .trim()
    .replace(/\s{2,}/g, ' ')
    .replace(/ (?=\d+ )/g, ' · ')}.`
}

${commands.map(({ name }) => page(name)).join('\n')}`,
  'pnpm build, then node .ci/cli-reference.mjs',
)

function page(name) {
  const text = help([name])
  const summary = text.split('\n')[0].replace(`trapframe ${name}: `, '')
  const usage = section(text, 'Usage').trim()
  const options = rows(section(text, 'Options'))
  const examples = section(text, 'Examples').replace(/^ {2}/gm, '').trimEnd()
  return `## trapframe ${name}

${summary.charAt(0).toUpperCase()}${summary.slice(1)}.

\`\`\`
${usage}
\`\`\`

| option | meaning |
| --- | --- |
${options.map(([option, meaning]) => `| \`${cell(option)}\` | ${cell(meaning)} |`).join('\n')}
${examples && `\n\`\`\`text\n${examples}\n\`\`\`\n`}`
}

function help(words) {
  const { stdout, stderr, status } = spawnSync('node', ['packages/cli/dist/bin.js', ...words, '--help'], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', COLUMNS: '200' },
  })
  if (status !== 0) throw new Error(`trapframe ${words.join(' ')} --help ended with ${status}: ${stderr}`)
  return stdout
}

/** The indented lines below a heading. */
function section(text, heading) {
  return new RegExp(`^${heading}\\n((?: {2}.*\\n)+)`, 'm').exec(text)?.[1] ?? ''
}

function rows(text) {
  return [...text.matchAll(/^ {2}(\S.*?) {2,}(.*)$/gm)].map(([, option, meaning]) => [option, meaning])
}

function cell(text) {
  return text.replaceAll('|', '\\|').replace(/<([a-z])/g, '&lt;$1')
}
