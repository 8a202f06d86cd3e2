/**
 * What plugins need to add words to scenarios and vectors to the player, and what programs need to run a scenario. The
 * command itself is `bin.ts`.
 */

export { type BootQuestion, type BootReport, readBoot } from './boot/read-boot.js'
export { type Config, defineConfig, type PluginEntry } from './config/config.js'
export type { EventFacts, Field } from './decode/facts.js'
export { PANIC_DECODERS, type PanicDecoder, type PanicReport } from './decode/panic.js'
export {
  DELIVERY_EXPLAINERS,
  type Explainer,
  INSTRUCTION_EXPLAINERS,
  type Names,
  type Plan,
} from './explain/explanation.js'
export type { Unreadable } from './report/json.js'
export {
  REPORTERS,
  type Reporter,
  type ReporterContext,
  type ReporterKind,
  type RunEnd,
  type RunReport,
  type ScenarioReport,
} from './report/reporter.js'
export type { CellResult, ExpectationResult, ScenarioResult, Totals } from './report/result.js'
export { runScenario } from './run/run-scenario.js'
export type { Axes, AxisValue } from './scenario/matrix.js'
export type { Path } from './scenario/place.js'
export type { Quantity } from './scenario/quantity.js'
export { integer, oneOrMore, quantity, text } from './scenario/schema.js'
export {
  type ClauseInput,
  type ConditionInput,
  defineScenario,
  type InjectionInput,
  type ScenarioInput,
} from './script/define-scenario.js'
export type { CellRun, FaultNote, Outcome, Step, Violation } from './session/cell-run.js'
export type { Delivery, FrameFields, Standing } from './session/delivery.js'
export type { RegionFinder, Whereabouts } from './session/symbols.js'
export { type Mismatch, VECTOR_FORMATS, type Vector, type VectorFormat } from './vectors/format.js'
export { canonicalEventName } from './verbs/event-names.js'
export { verbs } from './verbs/plugin.js'
export {
  type Check,
  DELIVERY_VIEWS,
  type DeliveryView,
  EXPECTATIONS,
  type ExpectationVerb,
  expectationVerb,
  INJECTIONS,
  type InjectionVerb,
  injectionVerb,
  SETUPS,
  type SetupVerb,
  setupVerb,
  type VerbContext,
  type Verdict,
} from './verbs/slots.js'
