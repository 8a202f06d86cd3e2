import { basename, join, relative, resolve } from 'node:path'
import { EXIT_OK, type ExitCode } from '../command/exit.js'
import { UsageError } from '../error/usage-error.js'
import type { Terminal } from '../terminal/terminal.js'
import { pluginTemplate } from './plugin-template.js'
import { installedVersions } from './versions.js'
import { writeFiles } from './write-files.js'

export interface PluginOptions {
  /** Of the package, with or without a scope. */
  readonly name: string
  readonly dir: string | undefined
  readonly force: boolean
}

/** What npm takes for a name, with letters in the beginning so that it makes an identifier. */
const PACKAGE_NAME = /^(@[a-z0-9][a-z0-9._-]*\/)?[a-z][a-z0-9._-]*$/

/** Writes a plugin package. @throws UsageError for a name that npm would not take, and for files that are there */
export async function initPlugin(terminal: Terminal, { name, dir, force }: PluginOptions): Promise<ExitCode> {
  if (!PACKAGE_NAME.test(name) || name.length > 200) {
    throw new UsageError(
      `"${name}" is no name for a package`,
      'small letters, digits and dashes, as in acme-random or @acme/random; --dir says where it goes',
    )
  }
  const folder = resolve(dir ?? basename(name))
  const files = pluginTemplate(name, installedVersions())
  const written = await writeFiles(folder, files, force)
  const here = relative(process.cwd(), folder)
  const scenario = join(
    'scenarios',
    Object.keys(files)
      .map((file) => basename(file))
      .find((file) => file.endsWith('.yaml'))!,
  )
  terminal.out.write(
    `${written.join('\n')}\n\n` +
      `${here === '' ? '' : `  cd ${here}\n`}` +
      '  npm install\n  npm run build\n  npm test\n' +
      `  npx trapframe run ${scenario}    # its trapframe.config.json loads the plugin\n`,
  )
  return EXIT_OK
}
