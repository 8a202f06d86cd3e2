/** The option of commands that have plugins. */
export const PLUGIN_OPTION = {
  plugin: { type: 'string', valueHint: 'MODULE', description: 'load a plugin: a path or a package (may be repeated)' },
} as const

/** The options of commands that make machines of scenarios. */
export const PLUGIN_OPTIONS = {
  ...PLUGIN_OPTION,
  'allow-plugins': { type: 'boolean', description: 'let scenarios load the plugins that they name' },
} as const

/** The option of commands that run what a scenario's files hold. */
export const FILE_OPTIONS = {
  'allow-files': { type: 'boolean', description: 'let scenarios read ELF images outside of their own folder' },
} as const
