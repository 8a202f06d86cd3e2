import { defineSlot, type Slot } from '@trapframe/core'
import type { Paint } from '../terminal/style.js'
import type { Unreadable } from './json.js'
import type { ScenarioResult, Totals } from './result.js'

/** A scenario that was run, as reporters are told of it. */
export interface ScenarioReport extends ScenarioResult {
  /** Requirement IDs, manual sections, public bugs. */
  readonly refs: readonly string[]
  /** What each cell took, in the order of `cells`. */
  readonly milliseconds: readonly number[]
}

/** `complete`: everything was run; `bailed`: a failure ended it, as was asked; `interrupted`: a person ended it. */
export type RunEnd = 'complete' | 'bailed' | 'interrupted'

/** What a run came to. */
export interface RunReport {
  readonly scenarios: readonly ScenarioReport[]
  readonly unreadable: readonly Unreadable[]
  readonly totals: Totals
  /** Cells that the person's selection left out. */
  readonly leftOut: number
  readonly end: RunEnd
  readonly milliseconds: number
}

/**
 * Hears of a run and writes about it. Scenarios come whole and in the order of the files, however many workers there
 * are, so that two runs of the same files are told alike.
 */
export interface Reporter {
  /** A scenario was run. */
  scenario?(report: ScenarioReport): void
  /** A file could not be read. People have been told on stderr already. */
  unreadable?(file: Unreadable): void
  /** The run is over. */
  end?(run: RunReport): void
}

/** What a reporter writes with. */
export interface ReporterContext {
  write(text: string): void
  /** The paint for where it writes to: colours for a terminal, none for a file. */
  readonly paint: Paint
  /** Variables of the process. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The working folder, which the names of files are relative to. */
  readonly folder: string
}

/** A way of writing about a run, by name: `--reporter NAME`. */
export interface ReporterKind {
  /** One sentence for listings. */
  readonly summary: string
  create(context: ReporterContext): Reporter
}

/** Where plugins add reporters. */
export const REPORTERS: Slot<ReporterKind> = defineSlot('cli/reporters', 'all')
