import type { KnipConfig } from 'knip'

const tests = ['src/**/*.test.ts', 'test/**/*.ts', 'bench/*.bench.mjs']
const project = ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.mjs']

const config: KnipConfig = {
  ignoreExportsUsedInFile: true,
  workspaces: {
    '.': {
      entry: ['.ci/*.{mjs,ts}', '.ci/mutants/*.mjs'],
      project: ['.ci/**/*.{mjs,ts}', '*.ts'],
      // .ci/pack-check.mjs runs them as commands
      ignoreDependencies: ['publint', '@arethetypeswrong/cli'],
    },
    site: {
      entry: ['build.mjs', '.vitepress/config.ts', '.vitepress/theme/index.ts'],
      project: ['*.mjs', '.vitepress/**/*.ts'],
      // site/api.mjs names it to typedoc
      ignoreDependencies: ['typedoc-plugin-markdown'],
    },
    'packages/*': {
      entry: [
        'src/index.ts',
        'src/testing/index.ts',
        'src/workers/worker.ts',
        'src/bin.ts',
        'src/html/page/main.ts',
        ...tests,
      ],
      project,
      // every package's tests may import isa, whether they do yet or not; core cannot name it, as isa names core
      ignoreDependencies: ['@trapframe/isa'],
    },
    'examples/*': { entry: ['src/index.ts', ...tests], project },
  },
}

export default config
