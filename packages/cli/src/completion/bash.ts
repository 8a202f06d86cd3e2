import type { CompletedCommand, Taken } from './commands.js'

/** The completion for bash. Words are completed by name; files where a file is wanted. */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name).join(' ')
  const values = commands.flatMap(({ name, options }) =>
    options
      .filter(({ takes }) => takes !== 'nothing')
      .map(({ name: option, short, takes }) => {
        const patterns = [`--${option}`, ...(short === undefined ? [] : [`-${short}`])].map((one) => `"${name} ${one}"`)
        return `    ${patterns.join(' | ')}) ${offer(takes)}; return ;;`
      }),
  )
  const flags = commands.map(({ name, options }) => {
    const words = options.flatMap((one) => [`--${one.name}`, ...(one.short === undefined ? [] : [`-${one.short}`])])
    return `      ${name}) ${offer(words)} ;;`
  })
  const operands = commands.map(({ name, operands: taken }) => `    ${name}) ${offer(taken)} ;;`)
  return `# bash completion for trapframe
#   source <(trapframe completion bash)
_trapframe() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]}
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$command" = help ]; }; then
    _trapframe_words "${names} help --help --version"
    return
  fi
  case "$command $prev" in
${values.join('\n')}
  esac
  if [[ $cur == -* ]]; then
    case "$command" in
${flags.join('\n')}
    esac
    return
  fi
  case "$command" in
${operands.join('\n')}
  esac
}
_trapframe_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}
_trapframe_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -F _trapframe trapframe
`
}

function offer(taken: Taken): string {
  if (taken === 'file') return '_trapframe_files'
  return typeof taken === 'string' ? ':' : `_trapframe_words "${taken.join(' ')}"`
}
