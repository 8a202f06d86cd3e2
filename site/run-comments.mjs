// A doc comment above a run of exports, lines without an empty one between them, holds for all of them: constants of one
// register, and the type that is made of a list.
import { Comment } from 'typedoc'
import ts from 'typescript'

/** The comment of the run that a declaration stands in, or undefined where the run has none. */
export function commentOfRun(declaration, commentOf) {
  const file = declaration.getSourceFile()
  const statements = file.statements
  let at = statements.findIndex((one) => one.pos <= declaration.pos && declaration.end <= one.end)
  while (at > 0 && follows(file, statements[at - 1], statements[at])) {
    at -= 1
    const name = nameOf(statements[at])
    const comment = (name && commentOf(name)) ?? written(file, statements[at])
    if (comment) return comment
  }
  return undefined
}

/** Nothing but the end of a line lies between the two. */
function follows(file, before, after) {
  const line = (position) => file.getLineAndCharacterOfPosition(position).line
  return (
    file.text.slice(before.end, after.getStart(file)).trim() === '' &&
    line(after.getStart(file)) - line(before.end) === 1
  )
}

function nameOf(statement) {
  const named = ts.isVariableStatement(statement) ? statement.declarationList.declarations[0] : statement
  return named.name?.getText()
}

/** The comment of a statement that is not exported. */
function written(file, statement) {
  const ranges = ts.getLeadingCommentRanges(file.text, statement.pos) ?? []
  const last = ranges.map(({ pos, end }) => file.text.slice(pos, end)).at(-1)
  if (!last?.startsWith('/**')) return undefined
  const text = last.replace(/^\/\*\*|\*\/$/g, '').replace(/^ *\* ?/gm, '')
  return new Comment([{ kind: 'text', text: text.trim() }])
}
