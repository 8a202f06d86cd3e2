/**
 * The stages of a boot: every label of its code that begins with `boot_`, `ap_` or `init_`. What lies behind the last of
 * them is C functions, which belong to the stage that calls them.
 */

/** The label at which the C functions begin. */
export const FUNCTIONS = 'init_functions'
const IS_STAGE = /^(boot|ap|init)_[a-z0-9_]+$/

/** Labels of the stages in the order of their addresses. */
export function stages(labels: ReadonlyMap<string, bigint>): readonly (readonly [name: string, address: bigint])[] {
  return [...labels]
    .filter(([name]) => IS_STAGE.test(name) && name !== FUNCTIONS)
    .sort(([, a], [, b]) => (a < b ? -1 : 1))
}

/** Finds the stage that an address of the boot's code lies in; undefined elsewhere, and in its C functions. */
export function stageFinder(labels: ReadonlyMap<string, bigint>): (address: bigint) => string | undefined {
  const all = stages(labels)
  const first = all[0]![1]
  const end = labels.get(FUNCTIONS)!
  return (address) =>
    address < first || address >= end ? undefined : all.findLast(([, start]) => start <= address)?.[0]
}
