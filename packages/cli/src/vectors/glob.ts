/** Whether a group name matches a glob of `*` (any text within or across slashes) and `?`; several globs by commas. */
export function matchesGlob(name: string, glob: string): boolean {
  return glob.split(',').some((pattern) => {
    const expression = pattern
      .trim()
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')
    return new RegExp(`^${expression}$`).test(name)
  })
}
