import type { Explored, ExploredCell } from './explore-files.js'

/** The object that `explore --json` prints: sums over all cells, every violation, and each cell by itself. */
export function exploredObject({ cells, interrupted }: Explored): unknown {
  const sum = (of: (cell: ExploredCell) => number): number => cells.reduce((total, cell) => total + of(cell), 0)
  const seconds = sum(({ outcome }) => outcome.seconds)
  const judged = sum(({ outcome }) => outcome.states + outcome.passed)
  return {
    states: sum(({ outcome }) => outcome.states),
    passed: sum(({ outcome }) => outcome.passed),
    transitions: sum(({ outcome }) => outcome.transitions),
    depth: Math.max(0, ...cells.map(({ outcome }) => outcome.depth)),
    events: Math.max(0, ...cells.map(({ outcome }) => outcome.events)),
    seconds,
    statesPerSecond: seconds === 0 ? 0 : Math.round(judged / seconds),
    complete: !interrupted && cells.every(({ outcome }) => outcome.complete),
    ...(interrupted ? { interrupted } : {}),
    violations: cells.flatMap((cell) =>
      cell.counterexamples.map((one) => ({ file: cell.file, cell: cell.outcome.job.cell, ...violation(one) })),
    ),
    cells: cells.map(cellObject),
  }
}

function violation({ found, scenario, replay }: ExploredCell['counterexamples'][number]) {
  const { invariant, message, cpu, events, steps, label, others, path } = found
  return {
    invariant,
    message,
    scenario,
    replay,
    cpu,
    events,
    steps,
    at: label,
    others,
    injections: path.injections.map(({ event, cpu: whose, step, label: where }) => ({
      event,
      cpu: whose,
      step,
      at: where,
    })),
  }
}

function cellObject(cell: ExploredCell): unknown {
  const { file, name, outcome, counterexamples, unmet } = cell
  const { job, axes, counterexamples: _found, coverage, limits, memory, ...facts } = outcome
  return {
    file,
    name,
    cell: job.cell,
    axes: Object.fromEntries(
      Object.entries(axes).map(([axis, value]) => [axis, typeof value === 'bigint' ? Number(value) : value]),
    ),
    plan: job.plan,
    ...facts,
    memory,
    violations: counterexamples.map(violation),
    limits: limits.map(({ message, label }) => ({ message, at: label })),
    unmet,
    coverage: coverage.map(({ label, stepped, events }) => ({ at: label, stepped, events })),
  }
}
