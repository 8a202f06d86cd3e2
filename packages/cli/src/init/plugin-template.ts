import type { Versions } from './versions.js'

/** Development tools of a new plugin; the same as trapframe's own. */
export const TOOLS = { typescript: '~5.9.3', vitest: '~4.1.12' } as const

/** `@acme/random-numbers`: `random-numbers`, `randomNumbers`, `RANDOM_NUMBERS`. */
function namesOf(name: string): { readonly short: string; readonly camel: string; readonly upper: string } {
  const short = name.slice(name.indexOf('/') + 1)
  const words = short.split(/[^a-z0-9]+/).filter((word) => word !== '')
  const camel = words.map((word, i) => (i === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join('')
  return { short, camel, upper: words.join('_').toUpperCase() }
}

/**
 * A plugin package: an MSR, an instruction and an invariant, tests that hold it to the contracts, and a scenario.
 *
 * @returns texts by path
 */
export function pluginTemplate(name: string, versions: Versions): Readonly<Record<string, string>> {
  const { short, camel, upper } = namesOf(name)
  return {
    'package.json': manifest(name, versions),
    'tsconfig.json': TSCONFIG,
    '.gitignore': 'node_modules/\ndist/\n.trapframe/\n',
    'README.md': readme(name, camel, upper),
    'trapframe.config.json': `${JSON.stringify({ plugins: ['./dist/index.js'], files: ['scenarios'] }, null, 2)}\n`,
    'src/index.ts': source(name, camel, upper),
    'test/plugin.test.ts': test(camel, upper, short),
    [`scenarios/${short}.yaml`]: scenario(upper, short),
  }
}

function manifest(name: string, versions: Versions): string {
  const peer = (of: keyof Versions): string => `>=${versions[of]} <1.0.0`
  const caret = (of: keyof Versions): string => `^${versions[of]}`
  return `${JSON.stringify(
    {
      name,
      version: '0.1.0',
      description: 'A trapframe plugin',
      keywords: ['trapframe', 'trapframe-plugin'],
      license: 'MIT',
      type: 'module',
      exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
      files: ['dist'],
      engines: { node: '>=20.19' },
      scripts: { build: 'tsc', test: 'vitest run', start: 'trapframe run', prepack: 'npm run build' },
      peerDependencies: { '@trapframe/core': peer('core'), '@trapframe/explore': peer('explore') },
      devDependencies: {
        '@trapframe/cli': caret('cli'),
        '@trapframe/core': caret('core'),
        '@trapframe/explore': caret('explore'),
        '@trapframe/idt': caret('idt'),
        '@trapframe/isa': caret('isa'),
        ...TOOLS,
      },
    },
    null,
    2,
  )}\n`
}

const TSCONFIG = `{
  "compilerOptions": {
    "target": "ES2023",
    "lib": ["ES2023"],
    "types": [],
    "module": "NodeNext",
    "strict": true,
    "noUncheckedIndexedAccess": true,
    "skipLibCheck": true,
    "rootDir": "src",
    "outDir": "dist",
    "declaration": true,
    "sourceMap": true
  },
  "include": ["src"]
}
`

const source = (name: string, camel: string, upper: string): string => `import {
  ARITHMETIC_FLAGS,
  CF,
  definePlugin,
  gp0,
  type Plugin,
  RFLAGS,
  readMsr,
  writeOperand,
} from '@trapframe/core'
import { INVARIANTS } from '@trapframe/explore'

/** What can be chosen. It must survive JSON: it is part of the recipe of a machine. */
export interface Options {
  /** What the generator starts with after a reset; not 0. */
  readonly seed?: number
}

/** The MSR that holds the state of the generator. Index and name must be free: a clash is an error that names both plugins. */
export const ${upper}_SEED = 0x4000_1000

/** A step of xorshift64, a generator of random numbers whose only bad state is 0. */
function next(seed: bigint): bigint {
  seed ^= BigInt.asUintN(64, seed << 13n)
  seed ^= seed >> 7n
  return seed ^ BigInt.asUintN(64, seed << 17n)
}

/**
 * An example of each thing that plugins add most: an MSR, an instruction, an invariant.
 *
 * RDRAND, which trapframe does not model because no two runs would be alike, gives the numbers of a generator whose state
 * is an MSR: what lasts is part of the machine's state, never a variable of the plugin.
 */
export function ${camel}({ seed = 42 }: Options = {}): Plugin {
  return definePlugin({
    name: '${name}',
    specifier: '${name}',
    options: { seed },
    requires: ['explore'],
    setup(host) {
      const state = host.msrs.define({
        index: ${upper}_SEED,
        name: '${upper}_SEED',
        reset: BigInt(seed),
        // What WRMSR stores, or a fault: 0 is #GP(0).
        write: (value) => (value === 0n ? gp0() : value),
      })

      host.instructions.define({
        mnemonic: 'rdrand',
        execute(cpu, insn) {
          const value = next(cpu.get64(state.slot))
          // Registers change last, when nothing can fault any more.
          writeOperand(cpu, insn, insn.operands[0]!, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)))
          cpu.set64(state.slot, value)
          cpu.words[RFLAGS] = (cpu.words[RFLAGS]! & ~ARITHMETIC_FLAGS) | CF
        },
      })

      host.add(INVARIANTS, 'seed-not-zero', {
        name: 'seed-not-zero',
        summary: 'the generator of random numbers is not stuck at 0',
        check: ({ cpu }) =>
          readMsr(cpu, ${upper}_SEED) === 0n
            ? { invariant: 'seed-not-zero', message: 'the seed is 0', cpu: cpu.id }
            : null,
      })
    },
  })
}

/** By this name \`--plugin\` and configs find the plugin. */
export { ${camel} as plugin }
`

const test = (
  camel: string,
  upper: string,
  short: string,
): string => `import { createMachine, readMsr, writeMsr } from '@trapframe/core'
import { explore } from '@trapframe/explore'
import { invariantContract } from '@trapframe/explore/testing'
import { idt } from '@trapframe/idt'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { ${camel}, ${upper}_SEED } from '../src/index.js'

/** A machine that the plugin is loaded into, booted. */
function setUp() {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [isa(), idt(), explore(), ${camel}({ seed: 1 })] })
  return { machine, boot: machine.boot('flat-idt') }
}

test('the MSR refuses 0 with #GP(0)', () => {
  const { cpu } = setUp().machine
  writeMsr(cpu, ${upper}_SEED, 7n)
  expect(readMsr(cpu, ${upper}_SEED)).toBe(7n)
  expect(() => writeMsr(cpu, ${upper}_SEED, 0n)).toThrow(expect.objectContaining({ vector: 13, errorCode: 0 }))
})

test('RDRAND gives the next number, sets CF, and gives the same after a restore', () => {
  const { machine, boot } = setUp()
  const { cpu } = machine
  const { origin } = boot.sites.guest!
  machine.space(0n).write(origin, assemble('rdrand rax', { origin }).bytes)
  const before = machine.snapshot()
  machine.step()
  const first = cpu.gpr(0)
  expect(first).not.toBe(0n)
  expect(cpu.rflags & 1n).toBe(1n)
  machine.restore(before)
  machine.step()
  expect(cpu.gpr(0)).toBe(first)
})

describe('the invariant of ${short} keeps the contract', () => {
  const checks = invariantContract({
    invariant: 'seed-not-zero',
    setUp,
    obey: ({ machine }) => writeMsr(machine.cpu, ${upper}_SEED, 1n),
    violate: ({ machine }) => machine.cpu.set64(machine.msrs.get(${upper}_SEED)!.slot, 0n),
  })
  for (const { title, skip, run } of checks) test(title, { skip }, run)
})
`

const scenario = (
  upper: string,
  short: string,
): string => `# yaml-language-server: $schema=../node_modules/@trapframe/cli/schema/scenario.schema.json
name: ${JSON.stringify(`Random numbers of ${short}`)}
about: |
  RDRAND gives what the plugin's generator gives, in ring 3 and in ring 0 alike; what it starts with is an MSR.
matrix:
  delivery: [idt, fred]
machine:
  cpu: panther-lake
  host: xen
  delivery: "\${delivery}"
setup:
  - { msr: { ${upper}_SEED: 1 } }
guest: |
  rdrand rax
  rdrand rbx
  done:
expect:
  - { outcome: done, registers: { rip: done, rax: 0x40822041 }, flags: { cf: true } }
  - { keeps: seed-not-zero }
`

const readme = (name: string, camel: string, upper: string): string => `# ${name}

A plugin for [trapframe](https://www.npmjs.com/package/@trapframe/cli): the MSR ${upper}_SEED, RDRAND, and the invariant
\`seed-not-zero\`.

\`\`\`sh
npm install --save-dev ${name} @trapframe/cli
npx trapframe run scenario.yaml --plugin ${name}
\`\`\`

or, for all scenarios of a folder, in \`trapframe.config.json\`:

\`\`\`json
{ "plugins": [["${name}", { "seed": 7 }]] }
\`\`\`

In a program: \`createMachine({ cpu: 'panther-lake', plugins: [isa(), idt(), explore(), ${camel}()] })\`.

## Working on it

\`\`\`sh
npm install
npm run build
npm test                          # its own tests, and the contracts of trapframe
npx trapframe run                 # the scenarios, by trapframe.config.json
npx trapframe plugins             # what it adds, and what it clashes with
npx trapframe doctor              # whether the installation is sound
\`\`\`
`
