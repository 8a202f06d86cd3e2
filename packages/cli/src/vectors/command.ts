import { createMachine } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { defineCommand } from 'citty'
import { JSON_OPTION } from '../command/json-option.js'
import { VECTOR_FORMATS, type Vector, type VectorFormat } from './format.js'
import { matchesGlob } from './glob.js'
import { vectorFormats } from './plugin.js'
import { readVectors, VectorFileError } from './read.js'
import { formatReport } from './report.js'
import { runVectors } from './run.js'

/** `trapframe vectors FILE…` */
export const vectorsCommand = defineCommand({
  meta: {
    name: 'vectors',
    description: 'Play conformance vectors on the model; exit 0 only if every undisputed one passes',
  },
  args: {
    files: { type: 'positional', required: true, description: 'vector files, .jsonl or .jsonl.gz' },
    group: { type: 'string', valueHint: 'GLOB', description: 'only groups that match, such as "fred/*"' },
    ...JSON_OPTION,
  },
  run({ args }) {
    const files = args._
    const { group } = args
    const plugins = [isa(), idt(), fred(), vectorFormats()]
    const formats = createMachine({ cpu: 'skylake', plugins }).contributions(VECTOR_FORMATS)
    const vectors = readAll(
      files,
      formats.map(({ value }) => value),
      group,
    )
    const report = runVectors(vectors, plugins)
    if (report.total === 0) {
      throw new VectorFileError('vector-group', `no group of ${files.join(', ')} matches "${group}"`, {
        hint: 'leave --group out to see the table of groups',
      })
    }
    process.stdout.write(args.json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report))
    process.exitCode = report.failed > 0 ? 1 : 0
  },
})

function* readAll(
  files: readonly string[],
  formats: readonly VectorFormat[],
  group: string | undefined,
): Generator<Vector> {
  for (const file of files) {
    for (const vector of readVectors(file, formats)) {
      if (group === undefined || matchesGlob(vector.group, group)) yield vector
    }
  }
}
