import { spawnSync } from 'node:child_process'
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const bin = join(root, 'packages/cli/dist/bin.js')
const folder = mkdtempSync(join(tmpdir(), 'trapframe-page-'))
/** Where pictures of the page go, if somebody wants to look at them. */
const pictures = process.env.TRAPFRAME_SCREENSHOTS

const REPORTS = {
  gap: 'scenarios/nmi-in-syscall-gap.yaml',
  reentry: 'scenarios/classic/nmi-reentry.yaml',
  boot: 'scenarios/xen/boot-nmi.yaml',
} as const
type Report = keyof typeof REPORTS | 'evil'

/** A browser of this machine: CHROMIUM, or what its packages install. */
function findChromium(): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  const folders = (process.env.PATH ?? '').split(delimiter)
  const places = [process.env.CHROMIUM, ...folders.flatMap((one) => names.map((name) => join(one, name)))]
  return places.find((place) => {
    try {
      accessSync(place ?? '', constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

const executablePath = findChromium()
const REASON = 'no Chromium on this machine: install Debian’s package chromium, or set CHROMIUM'

const pageOf = (report: Report): string => join(folder, `${report}.html`)

function write(report: Report, scenario: string): string {
  const done = spawnSync(process.execPath, [bin, 'run', scenario, '--html', pageOf(report)], {
    cwd: root,
    encoding: 'utf8',
  })
  expect(done.stderr).toMatch(/\.html: 1 scenario, \d+ kB\n$/)
  return done.stdout
}

let browser: Browser | undefined
/** What no page may do: complain, throw, or ask anybody for anything. */
let complaints: string[] = []

beforeAll(async () => {
  if (executablePath === undefined) return
  for (const [report, scenario] of Object.entries(REPORTS)) write(report as Report, scenario)
  // Root has no sandbox to offer; the page is our own.
  browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
})
beforeEach(({ skip }) => {
  skip(executablePath === undefined, REASON)
  complaints = []
})
afterAll(async () => {
  await browser?.close()
  rmSync(folder, { recursive: true, force: true })
})

const WIDE = { width: 1280, height: 800 }
const NARROW = { width: 390, height: 844 }

async function open(report: Report, options: BrowserContextOptions = {}, place = ''): Promise<Page> {
  const context = await browser!.newContext({
    viewport: WIDE,
    colorScheme: 'light',
    reducedMotion: 'reduce',
    ...options,
  })
  const page = await context.newPage()
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`))
  page.on('request', (request) => {
    const url = request.url().replace(/#.*/, '')
    if (url !== pathToFileURL(pageOf(report)).href && !url.startsWith('data:')) complaints.push(`request: ${url}`)
  })
  await page.goto(pathToFileURL(pageOf(report)).href + place)
  return page
}

async function done(page: Page, name: string): Promise<void> {
  if (pictures !== undefined) {
    mkdirSync(pictures, { recursive: true })
    await page.screenshot({ path: join(pictures, `${name}.png`) })
    await page.screenshot({ path: join(pictures, `${name}-whole.png`), fullPage: true })
  }
  await page.context().close()
  expect(complaints).toEqual([])
}

const position = (page: Page): Promise<string | null> => page.locator('.position').textContent()
const press = async (page: Page, ...keys: string[]): Promise<void> => {
  for (const key of keys) await page.keyboard.press(key)
}

/**
 * Texts whose contrast with what lies behind them is below WCAG AA (4.5, or 3 where they are large): in the page. Text of
 * pictures is judged against every surface that a picture has.
 */
const LOW_CONTRAST = `(() => {
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number)
  const channel = (value) => { const s = value / 255; return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4 }
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05) }
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor)
      if (color.length === 3 || color[3] === 1) return color
    }
    return [255, 255, 255]
  }
  const surfaces = ['--box', '--frame', '--field', '--sheet'].map((name) => {
    const probe = document.createElement('i')
    probe.style.color = 'var(' + name + ')'
    document.body.append(probe)
    const color = parse(getComputedStyle(probe).color)
    probe.remove()
    return color
  })
  const low = []
  for (const element of document.querySelectorAll('#page *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '')
    if (!own || element.closest('.unseen, :disabled, title, option') || element.getClientRects().length === 0) continue
    const style = getComputedStyle(element)
    const inPicture = element instanceof SVGElement
    const large = parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 600
    const color = parse(inPicture ? style.fill : style.color)
    const least = Math.min(...(inPicture ? surfaces : [behind(element)]).map((one) => ratio(color, one)))
    if (least < (large ? 3 : 4.5)) low.push(element.tagName + '.' + element.className + ' ' + element.textContent.slice(0, 30) + ' ' + least.toFixed(2))
  }
  return [...new Set(low)]
})()`

const OVERFLOW = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'

describe('the page of --html in Chromium', () => {
  test('a page of a usual scenario has less than 1 MB', () => {
    for (const report of Object.keys(REPORTS) as Report[]) expect(statSync(pageOf(report)).size).toBeLessThan(1_000_000)
  })

  test('the SYSCALL gap: step by keys, forward and back, start and end', async () => {
    const page = await open('gap')
    expect(await page.title()).toBe('NMI in the SYSCALL gap – trapframe')
    expect(await position(page)).toBe('start')
    await press(page, 'ArrowRight', 'ArrowRight')
    expect(await position(page)).toMatch(/^2 of /)
    await press(page, 'j', 'ArrowDown', 'k')
    expect(await position(page)).toMatch(/^3 of /)
    await press(page, 'ArrowUp', 'ArrowLeft')
    expect(await position(page)).toMatch(/^1 of /)
    await press(page, 'End')
    const end = (await position(page))!
    expect(end).toMatch(/^(\d+) of \1$/)
    await press(page, 'ArrowRight')
    expect(await position(page)).toBe(end)
    await press(page, 'Home')
    expect(await position(page)).toBe('start')
    await page.getByRole('button', { name: 'Step forward' }).click()
    expect(await position(page)).toMatch(/^1 of /)
    await page.locator('#row-5').click()
    expect(await page.locator('[aria-selected=true]').getAttribute('id')).toBe('row-5')
    expect(await page.getByRole('listbox').getAttribute('aria-activedescendant')).toBe('row-5')
    await done(page, 'gap-steps')
  })

  test('X7: the NMI side by side: stacks as pictures, deliveries in words, registers', async () => {
    const page = await open('gap')
    await press(page, 'n', 'n')
    const idt = page.getByRole('region', { name: 'IDT', exact: true })
    const fred = page.getByRole('region', { name: 'FRED', exact: true })
    expect(await idt.getByRole('img').getAttribute('aria-label')).toMatch(/RSP [0-9a-f]+ in NMI; NMI holds NMI frame/)
    expect(await fred.getByRole('img').getAttribute('aria-label')).toContain('primary holds SYSCALL frame, NMI frame')
    expect(await idt.locator('.explained').textContent()).toContain('the gate names IST2')
    expect(await fred.locator('.explained').textContent()).toContain('IA32_FRED_STKLVLS[5:4] is 0 for vector 2')
    expect(await fred.locator('.badges').textContent()).toContain('SL 0')
    expect(await idt.locator('.registers tr.changed th').allTextContents()).toContain('RSP')
    expect(await page.locator('[role=status]').textContent()).toContain('IDT, step 3: ↯ NMI. FRED, step 3: ↯ NMI')
    await done(page, 'gap-nmi')
  })

  test('the next violation, marked by a sign and in words; the view that has it', async () => {
    const page = await open('gap')
    await page.getByLabel('What to look at').selectOption({ label: 'idt, ist: false, next to idt, ist: true' })
    const note = page.getByRole('note').filter({ hasText: 'good-stack' })
    for (let n = 0; n < 9 && (await note.count()) === 0; n++) {
      await page.getByRole('button', { name: 'Next violation' }).click()
    }
    expect(await note.first().textContent()).toContain('▲ good-stack violated (as the scenario expects)')
    expect(await page.locator('.row-violation[aria-selected=true] .unseen').first().textContent()).toBe('violation')
    expect(await page.locator('.pic-elsewhere').count()).toBe(1)
    await done(page, 'gap-violation')
  })

  test('search and filter', async () => {
    const page = await open('gap')
    const all = await page.getByRole('option').count()
    await press(page, '/')
    await page.keyboard.type('iretq')
    expect(await page.locator('.matches').textContent()).toMatch(/^1 of /)
    await press(page, 'Escape', 'm')
    const milestones = await page.locator('[role=option]').count()
    expect(milestones).toBeGreaterThan(4)
    expect(milestones).toBeLessThan(all)
    await press(page, 'm', '?')
    expect(await page.getByRole('dialog').isVisible()).toBe(true)
    await press(page, 'Escape')
    expect(await page.getByRole('dialog').isVisible()).toBe(false)
    await done(page, 'gap-search')
  })

  test('CVE-2015-3290: a frame that was overwritten says so', async () => {
    const page = await open('reentry')
    await press(page, 'v')
    expect(await page.locator('.picture').first().textContent()).toContain('✗ overwritten')
    await done(page, 'reentry')
  })

  test('a boot of hundreds of steps', async () => {
    const page = await open('boot', {}, '#2.250')
    expect(await position(page)).toMatch(/^250 of \d{3}$/)
    await press(page, 'End', 'PageUp', 'p')
    await done(page, 'boot')
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`${colorScheme}: follows the system, every text has the contrast of WCAG AA, on a desktop and on a phone`, async () => {
      for (const viewport of [WIDE, NARROW]) {
        const page = await open('gap', { colorScheme, viewport }, '#1.3')
        const paper = await page.evaluate('getComputedStyle(document.body).backgroundColor')
        expect(paper).toBe(colorScheme === 'dark' ? 'rgb(20, 23, 27)' : 'rgb(251, 250, 248)')
        for (const summary of await page.locator('summary').all())
          await summary.evaluate('(one) => { one.parentElement.open = true }')
        expect(await page.evaluate(LOW_CONTRAST)).toEqual([])
        expect(await page.evaluate(OVERFLOW)).toBeLessThanOrEqual(0)
        await done(page, `gap-${colorScheme}-${viewport.width}`)
      }
    })
  }

  test('the theme can be chosen against the system’s', async () => {
    const page = await open('reentry', { colorScheme: 'light' })
    const theme = page.getByRole('button', { name: /^Theme/ })
    await theme.click()
    expect(await theme.textContent()).toBe('Theme: light')
    await press(page, 't')
    expect(await theme.textContent()).toBe('Theme: dark')
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(20, 23, 27)')
    expect(await page.evaluate(LOW_CONTRAST)).toEqual([])
    await done(page, 'reentry-dark')
  })

  test('by keyboard alone: everything that can be focused shows it', async () => {
    const page = await open('gap', {}, '#0.3')
    const seen: string[] = []
    for (let n = 0; n < 24; n++) {
      await press(page, 'Tab')
      const shown = await page.evaluate(
        "(() => { const one = document.activeElement; return [one.tagName, getComputedStyle(one).outlineStyle, one.getAttribute('aria-label') ?? one.textContent] })()",
      )
      const [tag, outline, name] = shown as [string, string, string]
      if (tag === 'BODY') break
      expect([name, outline]).not.toEqual([name, 'none'])
      seen.push(name)
    }
    expect(seen).toEqual(
      expect.arrayContaining(['Skip to the steps', 'Step back', 'Step forward', 'Step', 'Search steps', 'Steps']),
    )
    await done(page, 'gap-focus')
  })

  test('on paper: no controls, the whole list of steps', async () => {
    const page = await open('reentry', {}, '#0.9')
    await page.emulateMedia({ media: 'print' })
    expect(await page.locator('.bar').isVisible()).toBe(false)
    const cut =
      'document.querySelector(".timeline-list").scrollHeight - document.querySelector(".timeline-list").clientHeight'
    expect(await page.evaluate(cut)).toBeLessThanOrEqual(0)
    await done(page, 'reentry-print')
  })

  test('a scenario from a stranger: its text stays text', async () => {
    const evil = '</script><script>alert(1)</script><img src=x onerror=alert(2)><b id=planted>'
    const scenario = join(folder, 'evil.yaml')
    const text = [
      `name: ${JSON.stringify(evil)}`,
      `about: ${JSON.stringify(evil)}`,
      `matrix: { x: [${JSON.stringify(evil)}] }`,
      'machine: { host: flat-idt }',
      'guest: |',
      '  int3',
      'expect:',
      `  - { log: ${JSON.stringify(evil)} }`,
    ]
    writeFileSync(scenario, text.join('\n'))
    write('evil', scenario)
    const page = await open('evil')
    await press(page, 'End')
    expect(await page.locator('h1').textContent()).toBe(evil)
    expect(await page.locator('#planted, img, #page script').count()).toBe(0)
    expect(await page.evaluate(OVERFLOW)).toBeLessThanOrEqual(0)
    await done(page, 'evil')
  })
})
