// Tries trapframe as a new user would: packs every package, and in empty folders outside of the workspace does what
// docs/getting-started.md and docs/write-a-plugin.md say, command by command. The packages come from the archives, by their names;
// all others from npm's usual registry. Then core and fred once more, from the archives as files, without any registry. Needs a build.
//   node .ci/new-user.mjs [PAGE…]      without a page: both
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { localRegistry } from './local-registry.mjs'
import { pack, publicPackages } from './pack.mjs'

const ALL = ['docs/getting-started.md', 'docs/write-a-plugin.md']
const PAGES = process.argv.length > 2 ? process.argv.slice(2) : ALL
const root = mkdtempSync(join(tmpdir(), 'trapframe-new-user-'))
const start = Date.now()

const packages = publicPackages().map((one) => {
  const archive = pack(one, root)
  return { archive, manifest: manifestIn(archive) }
})
console.log(`${packages.length} packages packed`)
const registry = await localRegistry(packages)

try {
  const environment = userEnvironment(registry.url)
  for (const page of PAGES) {
    const folder = join(root, basename(page, '.md'))
    mkdirSync(folder)
    await inThread(page, folder, environment)
  }
  if (PAGES.includes(ALL[0])) fromFiles(join(root, 'from-files'), environment)
  console.log(`\na new user gets along: ${PAGES.join(', ')} (${Math.round((Date.now() - start) / 1000)} s)`)
} finally {
  registry.end()
  rmSync(root, { recursive: true, force: true })
}

/** The page is executed in another thread: this one is the registry. */
async function inThread(page, folder, environment) {
  const { Worker } = await import('node:worker_threads')
  const code = `
    import { workerData } from 'node:worker_threads'
    const { executePage } = await import(workerData.module)
    executePage(workerData.page, workerData.folder, workerData.environment)`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    workerData: { page, folder, environment, module: new URL('./executed-page.mjs', import.meta.url).href },
  })
  await new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve))
}

/** An environment without what a workspace and its scripts put there, whose npm knows the registry. */
function userEnvironment(url) {
  const { HOME, LANG, HTTPS_PROXY, HTTP_PROXY, NO_PROXY, https_proxy, http_proxy, no_proxy } = process.env
  const path = process.env.PATH.split(':').filter((folder) => !folder.includes('node_modules'))
  const settings = join(root, 'npmrc')
  writeFileSync(
    settings,
    `@trapframe:registry=${url}\nregistry=${npm(['config', 'get', 'registry'])}\ncache=${npm(['config', 'get', 'cache'])}\n` +
      'fund=false\naudit=false\nupdate-notifier=false\nprogress=false\n',
  )
  const kept = { HOME, LANG, HTTPS_PROXY, HTTP_PROXY, NO_PROXY, https_proxy, http_proxy, no_proxy }
  return {
    ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)),
    PATH: path.join(':'),
    NPM_CONFIG_USERCONFIG: settings,
    NO_COLOR: '1',
    COLUMNS: '120',
  }
}

/** core and fred from files and npm's cache alone: they bring nothing but their own dependencies. */
function fromFiles(folder, environment) {
  mkdirSync(folder)
  const archives = packages.filter(({ manifest }) => ['@trapframe/core', '@trapframe/fred'].includes(manifest.name))
  for (const { archive } of archives) copyFileSync(archive, join(folder, basename(archive)))
  writeFileSync(join(folder, 'package.json'), '{ "name": "x", "private": true, "type": "module" }\n')
  const files = archives.map(({ archive }) => `./${basename(archive)}`)
  const done = spawnSync('npm', ['install', '--offline', ...files], {
    cwd: folder,
    env: environment,
    encoding: 'utf8',
  })
  if (done.status !== 0) throw new Error(`npm install --offline ${files.join(' ')}:\n${done.stdout}${done.stderr}`)
  const installed = readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))
  if (installed.join() !== '@trapframe,eventemitter3') throw new Error(`core and fred brought ${installed.join(', ')}`)
  copyFileSync(join(root, 'getting-started', 'event.mjs'), join(folder, 'event.mjs'))
  const run = spawnSync('node', ['event.mjs'], { cwd: folder, env: environment, encoding: 'utf8' })
  if (run.status !== 0) throw new Error(`event.mjs from files:\n${run.stderr}`)
  console.log(`\n── from files, offline: ${files.join(' ')}\n${run.stdout.trimEnd()}`)
}

function npm(args) {
  const { error, status, stdout, stderr } = spawnSync('npm', args, { encoding: 'utf8', cwd: tmpdir() })
  if (error) throw error
  if (status !== 0) throw new Error(`npm ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

/** The manifest as it stands in an archive, with versions for the workspace's own. */
function manifestIn(archive) {
  const { error, status, stdout, stderr } = spawnSync('tar', ['-xzOf', archive, 'package/package.json'], {
    encoding: 'utf8',
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${archive} holds no package.json: ${stderr}`)
  return JSON.parse(stdout)
}
