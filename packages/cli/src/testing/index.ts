/** What the tests of a reporter can build on. */

export { type ReporterContract, reporterContract, SAMPLE_RUNS } from './reporter-contract.js'
