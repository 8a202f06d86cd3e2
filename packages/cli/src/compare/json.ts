import { align, type Row } from './align.js'
import type { Comparison, Ran } from './compare-file.js'
import { facts } from './facts.js'
import { milestones } from './milestone.js'

/** The object that `compare --json` prints. */
export function comparisonObject({ scenario, ran, pairs }: Comparison): unknown {
  return {
    file: scenario.file,
    name: scenario.name,
    passed: ran.every(({ result }) => result.passed),
    comparisons: pairs.groups.map((group) => ({
      cells: group.map(({ cell }) => cell.name),
      rows: align(group.map(({ run }) => milestones(run))).map(rowObject),
      facts: facts(group.map(({ run }) => run)).map(({ name, equal, values }) => ({ name, equal, values })),
    })),
    cells: ran.map(cellObject),
  }
}

function rowObject({ label, cells }: Row): unknown {
  return {
    label,
    cells: cells.map((cell) => cell && { step: cell.step, lines: cell.lines.map(({ text }) => text) }),
  }
}

function cellObject({ cell, run, result }: Ran): unknown {
  return {
    name: cell.name,
    passed: result.passed,
    outcome: run.outcome,
    steps: run.steps,
    deliveries: run.deliveries.map(
      ({
        number,
        step,
        cpu,
        event,
        type,
        vector,
        errorCode,
        nested,
        eventData,
        mechanism,
        from,
        to,
        stack,
        reads,
        frame,
      }) => ({
        number,
        step,
        cpu,
        event,
        type,
        vector,
        errorCode,
        nested,
        eventData,
        mechanism,
        from,
        to,
        stack,
        reads,
        frame,
      }),
    ),
    violations: result.violations.map(({ invariant, step, cpu, message }) => ({ invariant, step, cpu, message })),
  }
}
