// The size of each package: what its archive weighs, what its code weighs bundled, minified and compressed, and how much of that
// is left where a program uses one thing of it. Prints a table; fails where nothing falls away that is not used, and where a
// package is heavier than a limit of about twice what it weighs now. Needs a build.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { pack, publicPackages } from './pack.mjs'

// esbuild is what tsup builds with.
const { build } = createRequire(createRequire(resolve('package.json')).resolve('tsup'))('esbuild')

/** What a program uses that uses little, and how many KiB of a whole bundle there may be, compressed. */
const PACKAGES = {
  apic: { use: 'apic', most: 12 },
  cli: { use: 'defineConfig', most: 100 },
  core: { use: 'createMachine', most: 56 },
  explore: { use: 'checkInvariants', most: 40 },
  fred: { use: 'decodeFrame', most: 16 },
  idt: { use: 'decodeGate', most: 16 },
  isa: { use: 'readTimeStamp', most: 80 },
  kexec: { use: 'kexec', most: 20 },
  pv: { use: 'PvGuest', most: 50 },
  queue: { use: 'startQueueWorker', most: 6 },
  xen: { use: 'parseCommandLine', most: 60 },
}

const archives = mkdtempSync(join(tmpdir(), 'trapframe-sizes-'))
const problems = []
const rows = []
for (const one of publicPackages()) {
  const name = one.manifest.name.replace('@trapframe/', '')
  const { use, most } = PACKAGES[name] ?? {}
  if (use === undefined) {
    problems.push(`${name} has no row in .ci/sizes.mjs`)
    continue
  }
  const archive = statSync(pack(one, archives)).size
  const whole = await bundled(one, `export * from './dist/index.js'`)
  const little = await bundled(one, `import { ${use} } from './dist/index.js'\nconsole.log(${use})`)
  const nothing = await bundled(one, `import './dist/index.js'`)
  rows.push([name, kib(archive), kib(whole), `${use} ${kib(little)}`, kib(nothing)])
  if (nothing > 100)
    problems.push(`${name}: importing nothing of it leaves ${nothing} bytes: something has side effects`)
  if (little > whole) problems.push(`${name}: ${use} alone is larger than the whole`)
  if (whole > most * 1024) problems.push(`${name}: ${kib(whole)} KiB compressed; the limit in .ci/sizes.mjs is ${most}`)
}
rmSync(archives, { recursive: true })

console.log(table(['package', 'archive', 'bundled, gzip', 'using one thing', 'using nothing'], rows))
console.log('KiB, without dependencies; a bundle is minified')
for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1

/** Bytes of a program's bundle, compressed, with the package inside and its dependencies outside. */
async function bundled({ dir, manifest }, program) {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: resolve(dir) },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    treeShaking: true,
    logLevel: 'silent',
    external: Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).flatMap((name) => [
      name,
      `${name}/*`,
    ]),
  })
  const code = outputFiles[0].text
  return code.trim() === '' ? 0 : gzipSync(code).length
}

function kib(bytes) {
  return (bytes / 1024).toFixed(1)
}

function table(heads, lines) {
  const widths = heads.map((head, i) => Math.max(head.length, ...lines.map((line) => line[i].length)))
  const row = (cells) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')
  return [row(heads), ...lines.map(row)].join('\n')
}
