// The API as Markdown, from the doc comments of every package's public face: a page for a small package, and for a large one a
// page for each folder of its sources. Fails where an export has no doc comment, or where a comment links to nothing.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { Application, Comment, CommentTag, Converter, ReflectionKind } from 'typedoc'
import { commentOfRun } from './run-comments.mjs'

const ROOT = join(import.meta.dirname, '..')
/** The most characters of a package's page; above this it becomes one for each folder of the sources. */
const ONE_PAGE = 60_000

const OPTIONS = {
  tsconfig: join(ROOT, 'tsconfig.json'),
  // `pnpm types` judges the sources, and says more.
  skipErrorChecking: true,
  readme: 'none',
  disableSources: true,
  disableGit: true,
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  logLevel: 'Warn',
  validation: { notExported: false, invalidLink: true, invalidPath: true, notDocumented: false },
}

const PAGES = {
  plugin: ['typedoc-plugin-markdown'],
  router: 'module',
  entryFileName: 'index',
  categorizeByGroup: false,
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  useCustomAnchors: true,
  customAnchorsFormat: 'curlyBrace',
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  propertyMembersFormat: 'table',
  typeDeclarationFormat: 'table',
  tableColumnSettings: {
    hideDefaults: true,
    hideInherited: true,
    hideModifiers: true,
    hideOverrides: true,
    hideSources: true,
  },
}

/**
 * Writes the pages into a folder, and judges the comments. Returns the packages for the sidebar: their pages' paths from that
 * folder, with titles.
 */
export async function apiPages(to) {
  const entries = entryPoints()
  const app = await Application.bootstrapWithPlugins({
    ...OPTIONS,
    ...PAGES,
    entryPoints: entries.map(({ path }) => path),
  })
  const missing = []
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    const { project } = context
    for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
      const entry = entryOf(project, module, entries)
      module.name = entry.page
      for (const child of module.children ?? []) {
        const { fileName = '', packagePath = '' } = project.getSymbolIdFromReflection(child) ?? {}
        if (!isDocumented(child)) child.comment = commentFromRun(context, module, child)
        if (!isDocumented(child))
          missing.push(`${relative(ROOT, fileName)}: ${child.name} of ${entry.name} has no doc comment`)
        putInto(folderOf(packagePath), child)
      }
    }
  })
  const project = await app.convert()
  if (project === undefined) throw new Error('typedoc could not read the packages')
  app.validate(project)
  for (const one of [...new Set(missing)].sort()) console.error(one)
  if (missing.length > 0 || app.logger.hasErrors() || app.logger.hasWarnings()) {
    throw new Error('the doc comments are not complete')
  }
  rmSync(to, { recursive: true, force: true })
  await app.outputs.writeOutput({ name: 'markdown', path: to }, project)
  rmSync(join(to, 'index.md'))
  for (const path of markdownIn(to)) writeFileSync(join(to, path), plainLabels(readFileSync(join(to, path), 'utf8')))
  const split = entries.flatMap((entry) => splitPage(to, entry))
  moveLinks(
    to,
    new Map(
      split.flatMap(({ page, moved }) => [
        [page.from, page.from.replace('.md', '/index.md')],
        ...moved.map((id) => [`${page.from}#${id}`, `${page.path}#${id}`]),
      ]),
    ),
  )
  for (const path of markdownIn(to)) writeFileSync(join(to, path), withIds(readFileSync(join(to, path), 'utf8')))
  return entries.map(({ name, page }) => ({ name, pages: pagesOf(to, page) }))
}

/** Every package that exports something, and what core exports beside. */
function entryPoints() {
  return readdirSync(join(ROOT, 'packages'))
    .sort()
    .flatMap((name) => [
      { name: `@trapframe/${name}`, page: name, path: join(ROOT, 'packages', name, 'src/index.ts') },
      {
        name: `@trapframe/${name}/testing`,
        page: `${name}-testing`,
        path: join(ROOT, 'packages', name, 'src/testing/index.ts'),
      },
    ])
    .filter(({ path }) => existsSync(path) && !/^export \{\s*\}/m.test(readFileSync(path, 'utf8')))
    .filter(({ name, path }) => exportsOf(dirname(path)).includes(name))
}

/** The names under which a package's manifest lets others import it. */
function exportsOf(folder) {
  const manifest = [join(folder, '..'), join(folder, '../..')].map((one) => join(one, 'package.json')).find(existsSync)
  const { name, exports } = JSON.parse(readFileSync(manifest, 'utf8'))
  return Object.keys(exports).map((path) => posix.join(name, path))
}

function entryOf(project, module, entries) {
  const file = project.getSymbolIdFromReflection(module)?.fileName
  const entry = entries.find(({ path }) => path === file)
  if (entry === undefined) throw new Error(`typedoc calls a package ${module.name}, from ${file}`)
  return entry
}

function isDocumented(reflection) {
  return reflection.hasComment() || (reflection.signatures ?? []).some((signature) => signature.hasComment())
}

/** What stands above the run of exports that this one is in. */
function commentFromRun(context, module, reflection) {
  const declaration = context.getSymbolFromReflection(reflection)?.declarations?.[0]
  if (declaration === undefined) return undefined
  return commentOfRun(declaration, (name) => {
    const sibling = module.children.find((child) => child.name === name)
    // The text alone: the folder that the sibling was sorted into is in its comment too.
    const texts = [sibling?.comment, ...(sibling?.signatures ?? []).map(({ comment }) => comment)].map(
      (one) => one?.summary ?? [],
    )
    const text = texts.find(({ length }) => length > 0)
    return text && new Comment(Comment.cloneDisplayParts(text))
  })
}

function folderOf(path) {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? 'package'
}

/** What one folder of the sources defines stands together. */
function putInto(folder, reflection) {
  reflection.comment ??= new Comment()
  reflection.comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: folder }]))
}

/**
 * Labels such as "Returns" are no headings: nobody looks for them in a table of contents. The headings of folders keep out of
 * the way of what is defined there: their anchors begin with `in-`.
 */
function plainLabels(text) {
  return text
    .replace(/^#{3,6} ([A-Z][A-Za-z ]+)$/gm, '**$1**')
    .replace(/^(#{1,2}) ([\w-]+)$/gm, (_, level, name) => `${level} ${name} {#in-${name}}`)
    .replace(/^\*\*\*\n\n/gm, '')
    .replaceAll(' - |\n', ' |\n')
}

/** A page that is too long becomes one for each of its chapters. */
function splitPage(to, { name, page }) {
  const from = `${page}.md`
  const path = join(to, from)
  if (!existsSync(path)) return []
  const text = readFileSync(path, 'utf8')
  const [, ...chapters] = text.split(/^## /m)
  if (text.length < ONE_PAGE || chapters.length < 2) return []
  rmSync(path)
  mkdirSync(join(to, page))
  const names = chapters.map((chapter) => chapter.slice(0, chapter.indexOf('\n')).replace(/ \{#.*/, ''))
  const index = names.map((one) => `- [${one}](${one}.md)\n`).join('')
  writeFileSync(
    join(to, page, 'index.md'),
    `# ${name}\n\nWhat the package exports, by the folders of its sources.\n\n${index}`,
  )
  return chapters.map((chapter, at) => {
    const path = `${page}/${names[at]}.md`
    writeFileSync(join(to, path), `# ${page}: ${chapter}`.replace(/^### /gm, '## '))
    return { page: { from, path }, moved: [...chapter.matchAll(/\{#([^}]+)\}$/gm)].map(([, id]) => id) }
  })
}

/** Links to what a split has moved. */
function moveLinks(to, moved) {
  for (const path of markdownIn(to)) {
    const text = readFileSync(join(to, path), 'utf8')
    const origin = [...moved.values()].some((target) => target.startsWith(`${path}#`))
      ? `${path.split('/')[0]}.md`
      : path
    const relinked = text.replace(/\]\(([\w./-]*\.md)?(#[^)\s]+)?\)/g, (_, file = '', id = '') => {
      const was = `${file === '' ? origin : posix.join(posix.dirname(origin), file)}${id}`
      // What has no anchor of its own, such as a constructor, leads to its package.
      const now = moved.get(was) ?? moved.get(was.split('#')[0]) ?? was
      return `](${now.startsWith(`${path}#`) ? id : posix.relative(posix.dirname(path), now)})`
    })
    writeFileSync(join(to, path), relinked)
  }
}

/** The pages of a package, its first one first. */
function pagesOf(to, page) {
  return markdownIn(to)
    .filter((path) => path === `${page}.md` || path.startsWith(`${page}/`))
    .sort(
      (one, other) =>
        Number(other.endsWith(`${page}/index.md`)) - Number(one.endsWith(`${page}/index.md`)) || (one < other ? -1 : 1),
    )
    .map((path) => ({
      path,
      title: path
        .replace(/\.md$|\/index\.md$/g, '')
        .split('/')
        .at(-1),
    }))
}

/** Ids of headings between delimiters that no prose has; braces alone are text on this site, as they are on a Git host. */
function withIds(text) {
  return text.replace(/ \{#([^}]+)\}$/gm, ' {:#$1:}')
}

function markdownIn(folder) {
  return readdirSync(folder, { recursive: true }).filter((path) => path.endsWith('.md'))
}
