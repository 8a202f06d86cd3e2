import { describe, expect, test } from 'vitest'
import {
  FETCH,
  IMPLICIT,
  PAGE_EXECUTABLE,
  PAGE_PRESENT,
  PAGE_SHADOW_STACK,
  PAGE_USER,
  PAGE_WRITABLE,
  pageFaultErrorCode,
  pageFlags,
  pageLetters,
  permissionTable,
  permits,
  READ,
  SHADOW_STACK,
  USER,
  WRITE,
} from './access.js'

const plain = { wp: true, smep: false, smap: false, nxe: true }
const hardened = { wp: true, smep: true, smap: true, nxe: true }

describe('page access rights (SDM 3A 4.6)', () => {
  test.each([
    ['supervisor reads a supervisor page', 'w', READ, plain, false, true],
    ['supervisor writes a read-only page with CR0.WP', '', WRITE, plain, false, false],
    ['supervisor writes a read-only page without CR0.WP', '', WRITE, { ...plain, wp: false }, false, true],
    ['user reads a supervisor page', 'w', READ | USER, plain, false, false],
    ['user writes a writable user page', 'wu', WRITE | USER, plain, false, true],
    ['user writes a read-only user page', 'u', WRITE | USER, { ...plain, wp: false }, false, false],
    ['SMAP: supervisor reads a user page', 'wu', READ, hardened, false, false],
    ['SMAP: RFLAGS.AC lifts it for explicit accesses', 'wu', READ, hardened, true, true],
    ['SMAP: RFLAGS.AC does not lift it for implicit accesses', 'wu', READ | IMPLICIT, hardened, true, false],
    ['SMEP: supervisor fetches from a user page', 'ux', FETCH, hardened, false, false],
    ['supervisor fetches from a user page without SMEP', 'ux', FETCH, plain, false, true],
    ['NX: fetch from a page without x', 'w', FETCH, plain, false, false],
    ['NX off: fetch from a page without x', 'w', FETCH, { ...plain, nxe: false }, false, true],
    ['shadow-stack write to a shadow-stack page', 's', WRITE | SHADOW_STACK, plain, false, true],
    ['shadow-stack write to an ordinary page', 'w', WRITE | SHADOW_STACK, plain, false, false],
    ['supervisor shadow-stack access to a user page', 'su', READ | SHADOW_STACK, plain, false, false],
    ['user shadow-stack access to a user page', 'su', READ | SHADOW_STACK | USER, plain, false, true],
    ['data write to a shadow-stack page', 's', WRITE, plain, false, false],
    ['data read of a shadow-stack page', 's', READ, plain, false, true],
  ] as const)('%s', (_, letters, access, controls, ac, allowed) => {
    expect(permits(pageFlags(letters), access, ac, controls)).toBe(allowed)
  })

  test('a page that is not mapped allows nothing', () => {
    for (let access = 0; access < 32; access++) expect(permits(0, access, true, plain)).toBe(false)
  })

  test('the table agrees with the rule for every page, access, AC and setting of the control bits', () => {
    for (let bits = 0; bits < 16; bits++) {
      const controls = { wp: (bits & 1) !== 0, smep: (bits & 2) !== 0, smap: (bits & 4) !== 0, nxe: (bits & 8) !== 0 }
      const table = permissionTable(controls)
      for (let index = 0; index < 2048; index++) {
        const expected = permits(index & 31, (index >>> 5) & 31, (index & 1024) !== 0, controls)
        expect(table[index], `index ${index}`).toBe(expected ? 1 : 0)
      }
    }
  })
})

describe('page-fault error code (SDM 3A 4.7)', () => {
  test.each([
    ['read of an absent page', 0, READ, plain, 0b0],
    ['user write to an absent page', 0, WRITE | USER, plain, 0b110],
    ['user write to a read-only page', pageFlags('u'), WRITE | USER, plain, 0b111],
    ['fetch has bit 4 with NX or SMEP', pageFlags('w'), FETCH, plain, 0b10001],
    ['fetch has no bit 4 with neither', 0, FETCH, { ...plain, nxe: false }, 0],
    ['shadow-stack access has bit 6', pageFlags('w'), WRITE | SHADOW_STACK, plain, 0b1000011],
    ['an implicit access is a supervisor access', pageFlags(''), WRITE | IMPLICIT, plain, 0b11],
  ] as const)('%s', (_, page, access, controls, code) => {
    expect(pageFaultErrorCode(page, access, controls)).toBe(code)
  })
})

test('page letters and flags convert into each other', () => {
  expect(pageFlags('wuxs')).toBe(PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER | PAGE_EXECUTABLE | PAGE_SHADOW_STACK)
  expect(pageLetters(pageFlags('wx'))).toBe('wx')
  expect(() => pageFlags('q')).toThrow('none of w, u, x, s')
})
