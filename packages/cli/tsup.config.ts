import { build, defineConfig } from 'tsup'
import { library } from '../../tsup.config.base.js'

/** The page of `--html`: one script and one style, which the command reads when it writes a report. */
function buildPage(): Promise<void> {
  return build({
    config: false,
    entry: { report: 'src/html/page/main.ts' },
    outDir: 'dist/page',
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    outExtension: () => ({ js: '.js' }),
    minify: true,
    silent: true,
    clean: false,
    tsconfig: 'src/html/page/tsconfig.json',
    loader: { '.css': 'css' },
  })
}

export default defineConfig({
  ...library({
    bin: 'src/bin.ts',
    index: 'src/index.ts',
    worker: 'src/run/worker.ts',
    'search-setup': 'src/explore/search-setup.ts',
    'testing/index': 'src/testing/index.ts',
  }),
  onSuccess: buildPage,
})
