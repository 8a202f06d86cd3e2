import { relative, resolve, sep } from 'node:path'
import type { ReporterKind } from './reporter.js'

/**
 * Workflow commands that GitHub Actions turns into annotations of the changed files: an `::error` for each expectation
 * that failed and for each mistake in a file.
 */
export const GITHUB: ReporterKind = {
  summary: 'annotations for GitHub Actions; there they come by themselves, beside other reporters',
  create({ write, environment, folder }) {
    const root = environment.GITHUB_WORKSPACE || folder
    const file = (name: string): string => relative(root, resolve(folder, name)).split(sep).join('/')
    return {
      scenario(report) {
        for (const cell of report.cells) {
          const title = cell.name === '' ? report.name : `${report.name} (${cell.name})`
          for (const { verb, place, holds, expected, actual } of cell.expectations) {
            if (holds) continue
            const message = `${verb}\nexpected  ${expected}\nactual    ${actual}`
            write(annotation(message, { file: file(report.file), line: place.line, col: place.column, title }))
          }
        }
      },
      unreadable({ file: name, errors }) {
        for (const { message, line, column, hint } of errors) {
          const place = line === undefined ? {} : { line, ...(column === undefined ? {} : { col: column }) }
          write(
            annotation(hint === undefined ? message : `${message}\n${hint}`, {
              file: file(name),
              ...place,
              title: 'scenario cannot be read',
            }),
          )
        }
      },
    }
  },
}

function annotation(message: string, properties: Readonly<Record<string, string | number>>): string {
  const written = Object.entries(properties).map(([name, value]) => `${name}=${escapeProperty(String(value))}`)
  return `::error ${written.join(',')}::${escapeData(message)}\n`
}

const escapeData = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')

const escapeProperty = (text: string): string => escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
