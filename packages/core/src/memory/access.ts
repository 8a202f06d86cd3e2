/**
 * How memory is accessed and what pages allow: the rules of SDM 3A 4.6 (access rights) and 4.7 (page-fault error code)
 * as one table lookup.
 */

/** What an access is; the bits of {@link WRITE} … are or-ed. 0 is an explicit supervisor data read. */
export const READ = 0
export const WRITE = 1
/** The access has user privilege: CPL 3, and not one that the CPU makes on its own behalf. */
export const USER = 2
export const FETCH = 4
/** A shadow-stack access. */
export const SHADOW_STACK = 8
/** Made by the CPU on its own behalf (descriptor tables, TSS, event delivery): RFLAGS.AC does not lift SMAP. */
export const IMPLICIT = 16

/** Page attributes. A page that is not mapped has 0. */
export const PAGE_WRITABLE = 1
export const PAGE_USER = 2
export const PAGE_EXECUTABLE = 4
/** A shadow-stack page: its leaf entry is read-only and dirty. */
export const PAGE_SHADOW_STACK = 8
export const PAGE_PRESENT = 16

/** Bits of the page-fault error code. */
const PF_PRESENT = 1
const PF_WRITE = 2
const PF_USER = 4
const PF_FETCH = 16
const PF_SHADOW_STACK = 64

/** The control bits that the rules depend on. */
export interface PagingControls {
  readonly wp: boolean
  readonly smep: boolean
  readonly smap: boolean
  readonly nxe: boolean
}

/** Whether a page with attributes `page` allows `access`, with RFLAGS.AC as given. */
export function permits(page: number, access: number, ac: boolean, controls: PagingControls): boolean {
  if ((page & PAGE_PRESENT) === 0) return false
  const userPage = (page & PAGE_USER) !== 0
  const user = (access & USER) !== 0
  if ((access & SHADOW_STACK) !== 0) {
    return (page & PAGE_SHADOW_STACK) !== 0 && userPage === user
  }
  if ((access & FETCH) !== 0) {
    if (user ? !userPage : userPage && controls.smep) return false
    return !controls.nxe || (page & PAGE_EXECUTABLE) !== 0
  }
  if (user && !userPage) return false
  if (!user && userPage && controls.smap && ((access & IMPLICIT) !== 0 || !ac)) return false
  if ((access & WRITE) === 0) return true
  if ((page & PAGE_WRITABLE) !== 0) return true
  return !user && !controls.wp && (page & PAGE_SHADOW_STACK) === 0
}

const tables = new Map<number, Uint8Array>()

/**
 * The rules for one setting of the control bits as a table of 2 × 32 × 32 entries, indexed by
 * `ac << 10 | access << 5 | page`. Tables are shared; there are sixteen.
 */
export function permissionTable(controls: PagingControls): Uint8Array {
  const key = (controls.wp ? 1 : 0) | (controls.smep ? 2 : 0) | (controls.smap ? 4 : 0) | (controls.nxe ? 8 : 0)
  let table = tables.get(key)
  if (table === undefined) {
    table = new Uint8Array(2048)
    for (let i = 0; i < 2048; i++) {
      table[i] = permits(i & 31, (i >>> 5) & 31, (i & 1024) !== 0, controls) ? 1 : 0
    }
    tables.set(key, table)
  }
  return table
}

/** Error code of the #PF that `access` to a page with attributes `page` raises. */
export function pageFaultErrorCode(page: number, access: number, controls: PagingControls): number {
  return (
    ((page & PAGE_PRESENT) !== 0 ? PF_PRESENT : 0) |
    ((access & WRITE) !== 0 ? PF_WRITE : 0) |
    ((access & USER) !== 0 ? PF_USER : 0) |
    ((access & FETCH) !== 0 && (controls.nxe || controls.smep) ? PF_FETCH : 0) |
    ((access & SHADOW_STACK) !== 0 ? PF_SHADOW_STACK : 0)
  )
}

/** Page attributes in the letters of the conformance vectors: `w`, `u`, `x`, `s`. */
export function pageFlags(letters: string): number {
  let flags = PAGE_PRESENT
  for (const letter of letters) {
    if (letter === 'w') flags |= PAGE_WRITABLE
    else if (letter === 'u') flags |= PAGE_USER
    else if (letter === 'x') flags |= PAGE_EXECUTABLE
    else if (letter === 's') flags |= PAGE_SHADOW_STACK
    else throw new RangeError(`page flag "${letter}" is none of w, u, x, s`)
  }
  return flags
}

/** The letters for page attributes, in the order w u x s. */
export function pageLetters(flags: number): string {
  return (
    ((flags & PAGE_WRITABLE) !== 0 ? 'w' : '') +
    ((flags & PAGE_USER) !== 0 ? 'u' : '') +
    ((flags & PAGE_EXECUTABLE) !== 0 ? 'x' : '') +
    ((flags & PAGE_SHADOW_STACK) !== 0 ? 's' : '')
  )
}
