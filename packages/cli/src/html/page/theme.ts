const THEMES = ['auto', 'light', 'dark'] as const
type Theme = (typeof THEMES)[number]
const KEY = 'trapframe-theme'

/** The theme that was chosen last, in this browser; `auto` follows the system. */
export function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY)
    return THEMES.find((theme) => theme === stored) ?? 'auto'
  } catch {
    return 'auto'
  }
}

/** Shows a theme, and remembers it where that is possible. */
export function showTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // A page from disk may have no storage: the choice then lasts as long as the page.
  }
}

/** The one after: auto, light, dark, auto. */
export function nextTheme(): Theme {
  const now = THEMES.indexOf((document.documentElement.dataset.theme ?? 'auto') as Theme)
  return THEMES[(now + 1) % THEMES.length]!
}
