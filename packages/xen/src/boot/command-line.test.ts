import { describe, expect, it } from 'vitest'
import { parseCommandLine, withOptions } from './command-line.js'

describe('X2: Xen’s boolean syntax', () => {
  it.each(['fred', 'fred=1', 'fred=on', 'fred=yes', 'fred=true', 'fred=enable', 'no-fred=0', 'no-fred=off', 'fred='])(
    '%s is true',
    (text) => expect(parseCommandLine(text)).toEqual({ fred: true }),
  )

  it.each(['no-fred', 'fred=0', 'fred=off', 'fred=no', 'fred=false', 'fred=disable', 'no-fred=1'])(
    '%s is false',
    (text) => expect(parseCommandLine(text)).toEqual({ fred: false }),
  )

  it.each(['fred=2', 'fred=banana', 'fredd', 'Fred', '', 'dom0_mem=4G console=vga'])('"%s" sets nothing', (text) =>
    expect(parseCommandLine(text)).toEqual({}),
  )

  it('the last one wins, and one that is no boolean does not count', () => {
    expect(parseCommandLine('fred=1 no-fred')).toEqual({ fred: false })
    expect(parseCommandLine('no-fred fred fred=2')).toEqual({ fred: true })
  })

  it('the shim is spelt as in Xen and as in the RFC', () => {
    expect(parseCommandLine('pv-shim')).toEqual({ pvShim: true })
    expect(parseCommandLine('pvshim=1')).toEqual({ pvShim: true })
    expect(parseCommandLine('no-pv-shim')).toEqual({ pvShim: false })
  })

  it('pv= is a list', () => {
    expect(parseCommandLine('pv=32')).toEqual({ pv32: true })
    expect(parseCommandLine('pv=no-32')).toEqual({ pv32: false })
    expect(parseCommandLine('pv=foo,32=off,bar')).toEqual({ pv32: false })
    expect(parseCommandLine('pv=no-32=1')).toEqual({})
    expect(parseCommandLine('no-pv')).toEqual({})
    expect(parseCommandLine('pv=1')).toEqual({})
  })

  it('cet= is a list, or one boolean for both halves', () => {
    expect(parseCommandLine('cet=0')).toEqual({ shadowStacks: false, ibt: false })
    expect(parseCommandLine('no-cet')).toEqual({ shadowStacks: false, ibt: false })
    expect(parseCommandLine('cet=no-shstk')).toEqual({ shadowStacks: false })
    expect(parseCommandLine('cet=off,ibt')).toEqual({ shadowStacks: false, ibt: true })
    expect(parseCommandLine('cet')).toEqual({})
  })

  it('an option with a parser of its own takes either no- or a value', () => {
    expect(parseCommandLine('no-cet=1')).toEqual({})
    expect(parseCommandLine('no-smap=0')).toEqual({})
    expect(parseCommandLine('no-fred=0')).toEqual({ fred: true })
  })

  it('only blanks part options; what follows " -- " is for dom0', () => {
    expect(parseCommandLine('  fred=1   pv=no-32 ')).toEqual({ fred: true, pv32: false })
    expect(parseCommandLine('pv=no-32\tfred=1')).toEqual({})
    expect(parseCommandLine('fred=0 -- fred=1')).toEqual({ fred: false })
    expect(parseCommandLine('fred=0 --fred=1')).toEqual({ fred: false })
  })

  it('options are added where they win, and in front of dom0’s', () => {
    expect(withOptions('')).toBe('')
    expect(withOptions('', 'fred=1', 'smap=0')).toBe('fred=1 smap=0')
    expect(withOptions('fred=0 -- console=hvc0', 'fred=1')).toBe('fred=0 fred=1 -- console=hvc0')
  })

  it('smap and smep', () => {
    expect(parseCommandLine('smap=0 no-smep')).toEqual({ smap: false, smep: false })
    expect(parseCommandLine('smap smep=hvm')).toEqual({ smap: true, smep: false })
  })
})
