import { describe, expect, test } from 'vitest'
import { gdtCpu } from '../testing/gdt-machine.js'
import { checkFlatRequest, requireShadowStacks } from './flat-request.js'

const KIND = { name: 'flat-toy', summary: '', deliveries: ['toy'], options: { ist: '', shadowStacks: '' } }

describe('what is asked of a flat host', () => {
  test('its delivery and its switches', () => {
    expect(checkFlatRequest(KIND, {})).toEqual({})
    expect(checkFlatRequest(KIND, { delivery: 'toy', options: { ist: false } })).toEqual({ ist: false })
  })

  test.each<[string, object, string]>([
    ['another delivery', { delivery: 'fred' }, 'host "flat-toy" cannot deliver through "fred"'],
    ['a command line', { cmdline: 'x' }, 'host "flat-toy" has no command line'],
    ['an unknown option', { options: { smap: true } }, 'host "flat-toy" has no option "smap"'],
    ['a name that every object has', { options: { toString: true } }, 'host "flat-toy" has no option "toString"'],
    ['a number', { options: { ist: 1 } }, 'option "ist" of host "flat-toy" is true or false'],
  ])('%s is refused by name', (_, request, message) => {
    expect(() => checkFlatRequest(KIND, request)).toThrow(message)
  })

  test('shadow stacks need a CPU that has them', () => {
    expect(() => requireShadowStacks(gdtCpu({ model: 'skylake' }).machine)).toThrow('has no shadow stacks')
    expect(() => requireShadowStacks(gdtCpu().machine)).not.toThrow()
  })
})
