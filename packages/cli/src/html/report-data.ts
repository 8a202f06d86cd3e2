/**
 * What the page is given: plain JSON, small names for what is many, and every address named already. The page changes none of
 * it. Numbers of things count from 0 where they are places in a list.
 */
export interface ReportData {
  readonly generator: string
  /** Steps of deliveries and instructions, by the explainer's name. */
  readonly procedures: Readonly<Record<string, ProcedureData>>
  readonly scenarios: readonly ScenarioData[]
}

export interface ProcedureData {
  readonly title: string
  readonly steps: readonly {
    readonly stage: string
    readonly text: string
    readonly manual: string
    readonly fault?: string
  }[]
}

export interface ScenarioData {
  readonly name: string
  readonly file: string
  readonly about?: string
  readonly refs: readonly string[]
  readonly cells: readonly CellData[]
  readonly views: readonly ViewData[]
}

/** Cells that are looked at together, row by row. */
export interface ViewData {
  readonly title: string
  /** Places in the scenario's list, a column each. */
  readonly cells: readonly number[]
  /** Headings of the columns. */
  readonly columns: readonly string[]
  readonly rows: readonly RowData[]
  readonly facts: readonly { readonly name: string; readonly values: readonly string[]; readonly equal: boolean }[]
}

export interface RowData {
  /** The step of each column, as a place in its cell's list; null where it has none. */
  readonly at: readonly (number | null)[]
  /** What the row is about, where `compare` gives it one of its own. */
  readonly label?: string
  /** What each column has to say about it. */
  readonly lines?: readonly (readonly LineData[])[]
}

export interface LineData {
  readonly text: string
  readonly tone: 'plain' | 'faint' | 'good' | 'bad' | 'warn'
}

export interface CellData {
  readonly name: string
  /** CPU, host, options. */
  readonly setting: string
  readonly passed: boolean
  readonly outcome: string
  /** How many steps the run took. */
  readonly steps: number
  /** Steps in the middle that the page does not hold. */
  readonly omitted: number
  readonly expectations: readonly {
    readonly verb: string
    readonly line: number
    readonly holds: boolean
    readonly expected: string
    readonly actual: string
  }[]
  readonly violations: readonly ViolationData[]
  readonly log: readonly string[]
  readonly registers: readonly string[]
  /** Values before the first step, by CPU: hexadecimal digits, in the order of `registers`. */
  readonly initial: readonly (readonly string[])[]
  /** Stack maps as they were at some time, by CPU. */
  readonly maps: readonly MapData[]
  readonly initialMaps: readonly number[]
  /** By CPU, as in the steps. */
  readonly initialStrayed: readonly (string | null)[]
  readonly frames: readonly FrameData[]
  readonly trail: readonly StepData[]
}

export interface ViolationData {
  readonly invariant: string
  /** Number of the step, from 1. */
  readonly step: number
  readonly message: string
  readonly expected: boolean
}

export interface StepData {
  /** From 1. */
  readonly n: number
  readonly cpu: number
  readonly kind: 'instruction' | 'event' | 'idle'
  readonly text: string
  /** Where the CPU stood before. */
  readonly from: string
  /** Where it stands afterwards, where that is another ring, a handler or a return. */
  readonly to?: string
  readonly line?: number
  readonly injected?: readonly string[]
  /** `#PF(0x2) while delivering NMI`. */
  readonly faults?: readonly string[]
  readonly returned?: true
  /** Registers that changed: place in the list of registers, and the new value. */
  readonly set: readonly (readonly [register: number, value: string])[]
  /** Frames that it pushed. */
  readonly pushed?: readonly number[]
  /** The CPU's live frames from here on, oldest first, with FRAME_… bits; left out where nothing changed. */
  readonly live?: readonly (readonly [frame: number, bits: number])[]
  /** The CPU's stack map from here on; left out where it stays. */
  readonly map?: number
  /** Whose memory RSP is in afterwards, where that is no stack of the CPU. */
  readonly strayed?: string
  readonly explained?: readonly ExplainedData[]
  /** Places in the cell's list of violations. */
  readonly violated?: readonly number[]
  readonly shutdown?: true
}

export interface FrameData {
  readonly event: string
  readonly mechanism: string
  readonly address: string
  readonly bytes: number
  /** Whose memory it lies in. */
  readonly region: string | null
  /** From the top down: name, hexadecimal digits, and what the value is called. */
  readonly fields: readonly (readonly [name: string, value: string, meaning: string])[]
}

export interface MapData {
  readonly cpu: number
  readonly delivery: string
  /** The mechanism has stack levels. */
  readonly levels: boolean
  /** From the top down. */
  readonly regions: readonly RegionData[]
}

export interface RegionData {
  readonly address: string
  readonly bytes: number
  readonly name: string
  readonly kind: 'stack' | 'shadow-stack' | 'guard' | 'data'
  /** `writable`, `shadow`, `not mapped`. */
  readonly access: string
  readonly pointers: readonly (readonly [source: string, use: string, value: string])[]
}

export interface ExplainedData {
  readonly about: string
  /** Name of its procedure. */
  readonly by: string
  /** A letter for each step of the procedure: `p`assed, `d`one, `f`ailed, `i`dle, `u`nreached. */
  readonly verdicts: string
  readonly words: readonly (readonly [step: number, text: string])[]
  readonly fault?: string
}
