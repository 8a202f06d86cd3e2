import { inTests, inTestsOf, layers } from './.ci/layers.mjs'

const test = String.raw`\.test\.ts$|^packages/[^/]+/(test|bench)/`

function layerRules() {
  const known = Object.keys(layers).join('|')
  const rules = Object.entries(layers).flatMap(([name, may]) => {
    const inOwnTests = [...may, ...inTests, ...(inTestsOf[name] ?? [])]
    const other = (allowed) => `^packages/(?!(?:${[name, ...allowed].join('|')})/)`
    return [
      {
        name: `layer-${name}`,
        comment: `${name} may import ${may.join(', ') || 'no other package'}`,
        severity: 'error',
        from: { path: `^packages/${name}/`, pathNot: test },
        to: { path: other(may) },
      },
      {
        name: `layer-${name}-tests`,
        comment: `the tests of ${name} may import ${[...new Set(inOwnTests)].join(', ')}`,
        severity: 'error',
        from: { path: [`^packages/${name}/.*\\.test\\.ts$`, `^packages/${name}/(test|bench)/`] },
        to: { path: other(inOwnTests) },
      },
    ]
  })
  return [
    ...rules,
    {
      name: 'layer-unknown-package',
      comment: 'every package has a row in .ci/layers.mjs',
      severity: 'error',
      from: { path: `^packages/(?!(?:${known})/)` },
      to: {},
    },
  ]
}

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...layerRules(),
    {
      name: 'no-inner-file',
      comment: 'another package is imported by its name, never by one of its files',
      severity: 'error',
      from: { path: '^(packages|examples)/([^/]+)/' },
      to: {
        path: '^(packages|examples)/[^/]+/',
        pathNot: ['^$1/$2/', '^packages/[^/]+/(src|dist)/(testing/)?index\\.(ts|js|d\\.ts)$'],
      },
    },
    {
      name: 'no-relative-way-out',
      comment: 'another package is imported by its name, never by a path',
      severity: 'error',
      from: { path: '^(packages|examples)/([^/]+)/' },
      to: {
        path: '^(packages|examples)/[^/]+/',
        pathNot: '^$1/$2/',
        dependencyTypesNot: ['aliased', 'npm', 'npm-dev', 'npm-peer'],
      },
    },
    {
      name: 'testing-only-in-tests',
      comment: '`…/testing` is for tests',
      severity: 'error',
      from: { path: '^packages/([^/]+)/', pathNot: [test, '/src/testing/'] },
      to: { path: '^packages/[^/]+/src/testing/', pathNot: '^packages/$1/src/testing/' },
    },
    {
      name: 'no-circular',
      comment: 'a cycle of values; cycles of types alone are fine',
      severity: 'error',
      from: { pathNot: test },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-unresolvable',
      comment: 'an import that leads nowhere',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: false,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'default', 'node'] },
  },
}
