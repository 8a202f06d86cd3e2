import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('.', import.meta.url))

/** Tests read the sources of the other packages, so that they need no build; only `system` tests need `dist`. */
const alias = [
  { find: /^@trapframe\/([^/]+)$/, replacement: `${root}packages/$1/src/index.ts` },
  { find: /^@trapframe\/([^/]+)\/testing$/, replacement: `${root}packages/$1/src/testing/index.ts` },
]

const everywhere = ['packages/*', 'examples/*']
const system = '**/*.system.test.ts'
const never = ['**/node_modules/**', '**/dist/**']

const packages = readdirSync(`${root}packages`, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)

export default defineConfig({
  resolve: { alias },
  test: {
    reporters: ['./.ci/count-reporter.ts'],
    projects: [
      ...packages.map((name) => ({
        extends: true as const,
        test: {
          name,
          include: [`packages/${name}/**/*.test.ts`],
          exclude: [...never, system],
        },
      })),
      {
        extends: true,
        test: {
          name: 'examples',
          include: ['examples/**/*.test.ts'],
          exclude: [...never, system],
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: everywhere.map((place) => `${place}/${system}`),
          exclude: never,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
