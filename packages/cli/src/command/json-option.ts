/** The option of commands whose result programs may read. */
export const JSON_OPTION = { json: { type: 'boolean', description: 'print one JSON object' } } as const
