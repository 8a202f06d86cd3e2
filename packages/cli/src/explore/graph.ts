import { writeFile } from 'node:fs/promises'
import { type GraphEdge, type GraphState, type StateGraph, stateGraph } from '@trapframe/explore'
import { UsageError } from '../error/usage-error.js'
import type { PreparedCell } from '../session/prepare.js'
import type { SearchPlan } from './job.js'
import { searchOptions } from './search-options.js'

/** States that a picture shows at most: beyond that nobody sees anything. */
const MOST_STATES = 2000

/** Writes the graph of a cell's states. @throws UsageError for a search that is too large for a picture */
export async function writeGraph(prepared: PreparedCell, plan: SearchPlan, file: string): Promise<void> {
  const { machine, boot, cell, scenario } = prepared
  const graph = stateGraph(machine, boot, searchOptions(prepared, plan), MOST_STATES)
  if (graph.truncated) {
    throw new UsageError(
      `the search has more than ${MOST_STATES} states: too many for a graph`,
      'fewer events, a smaller --depth, or a part of the program: "regions" in the scenario',
    )
  }
  const title = cell.name === '' ? scenario.name : `${scenario.name} (${cell.name})`
  try {
    await writeFile(file, drawDot(graph, title))
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${(error as Error).message}`, undefined, error)
  }
}

/** A graph in DOT. Stretches in which nothing else can happen are one edge, with the number of their steps. */
export function drawDot(graph: StateGraph, title: string): string {
  const { states, edges } = contracted(graph)
  const several = (states[0]?.at.length ?? 1) > 1
  return [
    `digraph ${quoted(title)} {`,
    `  label=${quoted(title)}; labelloc=t; rankdir=TB; fontname="sans-serif"`,
    '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="monospace", fontsize=10]',
    '  edge [fontname="sans-serif", fontsize=9]',
    ...states.map((state) => `  s${state.id} [${attributes(state)}]`),
    ...edges.map((edge) => `  s${edge.from} -> s${edge.to} [${edgeAttributes(edge, several)}]`),
    '}',
    '',
  ].join('\n')
}

type Line = GraphEdge & { readonly steps: number }

/** Takes out states with one way in and one way out, both of them plain steps of one CPU. */
function contracted({ states, edges }: StateGraph): { states: readonly GraphState[]; edges: readonly Line[] } {
  const lines = new Map<number, Line>(edges.map((edge, n) => [n, { ...edge, steps: 1 }]))
  const into = states.map((): number[] => [])
  const out = states.map((): number[] => [])
  edges.forEach(({ from, to }, n) => {
    into[to]!.push(n)
    out[from]!.push(n)
  })
  const kept = states.filter(({ id, kind }) => {
    const [before, after] = [into[id]!, out[id]!]
    if (id === 0 || kind !== 'open' || before.length !== 1 || after.length !== 1 || before[0] === after[0]) return true
    const first = lines.get(before[0]!)!
    const second = lines.get(after[0]!)!
    if (second.event !== null || first.cpu !== second.cpu || first.from === id) return true
    lines.set(before[0]!, { ...first, to: second.to, steps: first.steps + second.steps })
    lines.delete(after[0]!)
    into[second.to] = into[second.to]!.map((n) => (n === after[0] ? before[0]! : n))
    return false
  })
  return { states: kept, edges: [...lines.values()] }
}

const COLOURS: Readonly<Record<Exclude<GraphState['kind'], 'open'>, string>> = {
  violation: '#ffb3b3',
  shutdown: '#ffb3b3',
  limit: '#ffe0a3',
  halted: '#d9d9d9',
  end: '#c2efc2',
}

function attributes({ id, at, kind, messages, events }: GraphState): string {
  const lines = [...at, ...(kind === 'open' ? [] : [kind]), ...messages]
  return [
    `label=${quoted(lines.join('\n'))}`,
    `tooltip=${quoted(`${events} events`)}`,
    ...(kind === 'open' ? [] : [`fillcolor="${COLOURS[kind]}"`]),
    ...(id === 0 ? ['penwidth=2'] : []),
  ].join(', ')
}

function edgeAttributes({ event, cpu, steps }: Line, several: boolean): string {
  const words = [
    ...(several && cpu !== null ? [`CPU ${cpu}`] : []),
    ...(event === null ? [] : [event]),
    ...(steps === 1 ? [] : [`${steps} steps`]),
  ]
  const label = words.length === 0 ? [] : [`label=${quoted(words.join(', '))}`]
  return [...label, ...(event === null ? [] : ['color="#c04000"', 'fontcolor="#c04000"'])].join(', ')
}

const quoted = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
