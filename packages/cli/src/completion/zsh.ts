import type { CompletedCommand, CompletedOption, Taken } from './commands.js'

/** The completion for zsh: as a file `_trapframe` of `fpath`, or sourced. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary.replaceAll(':', '\\:')}`)}`)
  const cases = commands.map(({ name, options, operands }) => {
    const specs = [...options.map(optionSpec), ...(operands === 'nothing' ? [] : [quoted(`*:${action(operands)}`)])]
    return `    ${name})\n      _arguments ${specs.join(' \\\n        ')} ;;`
  })
  return `#compdef trapframe
# zsh completion for trapframe
#   source <(trapframe completion zsh)
_trapframe() {
  local -a commands
  commands=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
    help)
      _describe command commands ;;
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _trapframe ]; then
  _trapframe "$@"
else
  compdef _trapframe trapframe
fi
`
}

function optionSpec({ name, short, summary, takes }: CompletedOption): string {
  const text = `[${summary.replace(/[[\]:\\]/g, '\\$&')}]${takes === 'nothing' ? '' : `:${action(takes)}`}`
  return [`--${name}`, ...(short === undefined ? [] : [`-${short}`])].map((one) => quoted(`*${one}${text}`)).join(' ')
}

function action(taken: Taken): string {
  if (taken === 'file') return 'file:_files'
  return typeof taken === 'string' ? 'text:' : `word:(${taken.join(' ')})`
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
