import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { createMachine, type Plugin } from '@trapframe/core'
import type { LoadedConfig } from '../config/load-config.js'
import { findScenarios } from '../run/files.js'
import { scenarioSchema } from '../scenario/json-schema.js'
import { officialPlugins } from '../session/plugins.js'
import type { Finding } from './finding.js'

const MODELINE = /^#\s*yaml-language-server:\s*\$schema=(\S+)/m

/** Whether the schemas that the scenarios of a config name are what this command checks scenarios against. */
export async function examineSchemas(config: LoadedConfig, plugins: readonly Plugin[]): Promise<readonly Finding[]> {
  const files = await scenariosOf(config)
  const named = new Map<string, { readonly scenario: string; readonly written: string }>()
  for (const scenario of files) {
    const written = MODELINE.exec(readFileSync(scenario, 'utf8').slice(0, 2000))?.[1]
    if (written === undefined || /^https?:/.test(written)) continue
    const path = resolve(dirname(scenario), written)
    if (!named.has(path)) named.set(path, { scenario, written })
  }
  if (named.size === 0) return [{ what: 'schema', health: 'note', message: 'no scenario of the config names one' }]
  const plain = schemaWith([])
  const whole = plugins.length === 0 ? plain : schemaWith(plugins)
  return [...named].map(([path, { scenario, written }]) => {
    const name = relative(process.cwd(), path)
    const kept = readJson(path)
    if (kept === undefined)
      return {
        what: 'schema',
        health: 'bad',
        message: `${scenario} names ${written}, and there is none`,
        hint: `trapframe schema > ${name}`,
      }
    if (isDeepStrictEqual(kept, whole)) return { what: 'schema', health: 'good', message: `${name} is up to date` }
    if (isDeepStrictEqual(kept, plain)) {
      const message = `${name} is up to date; it does not have the words of plugins`
      return { what: 'schema', health: 'good', message }
    }
    const hint = path.includes('node_modules')
      ? 'it is of another @trapframe/cli than the one that runs: npm install @trapframe/cli'
      : `trapframe schema > ${name}, with --plugin for each plugin`
    return { what: 'schema', health: 'bad', message: `${name} is of another version`, hint }
  })
}

async function scenariosOf({ settings, folder }: LoadedConfig): Promise<readonly string[]> {
  const operands = (settings.files ?? []).map((file) => relative(process.cwd(), resolve(folder, file)) || '.')
  if (operands.length === 0) return []
  const { files } = await findScenarios(operands)
  return files.filter((file) => /\.ya?ml$/.test(file))
}

/** The schema as JSON has it. */
function schemaWith(plugins: readonly Plugin[]): unknown {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [...officialPlugins(), ...plugins] })
  return JSON.parse(JSON.stringify(scenarioSchema(machine)))
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}
