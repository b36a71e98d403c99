import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  bytesOfName,
  type DnsName,
  foldName,
  isWithin,
  labelsOfName,
  nameOfBytes,
  nameOfLabels,
  nameOfText,
  parentOfName,
  ROOT,
  textOfName,
} from '../../../src/base/dns/name.ts'
import { anyName, named } from './messages.ts'

describe('a name', () => {
  it('is its wire bytes, one character each', () => {
    assert.equal(named('www.Example.com'), '\x03www\x07Example\x03com\0')
    assert.equal(nameOfText('example.com.'), named('example.com'))
    assert.equal(nameOfText('.'), ROOT)
  })

  it('keeps a dot within a label apart from one between labels', () => {
    const one = nameOfLabels(['a.b', 'btlink'])
    assert.notEqual(one, named('a.b.btlink'))
    assert.equal(textOfName(one ?? ROOT), String.raw`a\.b.btlink`)
    assert.equal(nameOfText(String.raw`a\.b.btlink`), one)
    assert.equal(nameOfText(String.raw`a\046b.btlink`), one)
  })

  it('keeps bytes that are no UTF-8', () => {
    const name = nameOfBytes(Uint8Array.of(1, 0xe9, 0))
    assert.equal(name, '\x01\xe9\0')
    assert.equal(textOfName(name ?? ROOT), String.raw`\233`)
  })

  it('folds A to Z and nothing else', () => {
    // É in Latin-1, the Kelvin sign in bytes, and the neighbours of A and Z.
    assert.equal(foldName('\x05\xc9A@[Z\0' as DnsName), '\x05\xc9a@[z\0')
    assert.equal(foldName(named('EXAMPLE.com')), named('example.COM'.toLowerCase()))
  })

  it('never folds the length of a label', () => {
    const long = named(`${'a'.repeat(63)}.${'B'.repeat(63)}`)
    assert.equal(foldName(long), named(`${'a'.repeat(63)}.${'b'.repeat(63)}`))
  })

  it('is within itself, its parents and the root', () => {
    const name = named('a.b.btlink')
    for (const zone of ['a.b.btlink', 'b.btlink', 'btlink', '.']) {
      assert.ok(isWithin(name, named(zone)), zone)
    }
    for (const zone of ['c.b.btlink', 'xa.b.btlink', 'x.a.b.btlink', 'link', 'b']) {
      assert.ok(!isWithin(name, named(zone)), zone)
    }
  })

  it('is not within a zone whose bytes merely end its last label', () => {
    const trap = nameOfLabels(['abc\x06btlink']) ?? ROOT
    assert.ok(trap.endsWith(named('btlink')))
    assert.ok(!isWithin(trap, named('btlink')))
    assert.ok(!isWithin(named('evilbtlink'), named('btlink')))
  })

  it('has parents up to the root', () => {
    assert.equal(parentOfName(named('a.b')), named('b'))
    assert.equal(parentOfName(named('b')), ROOT)
    assert.equal(parentOfName(ROOT), undefined)
  })

  it('has at most 255 bytes and 63 in a label', () => {
    const label = 'a'.repeat(63)
    const longest = `${label}.${label}.${label}.${'a'.repeat(61)}`
    assert.equal(nameOfText(longest)?.length, 255)
    assert.equal(nameOfText(`${longest}a`), undefined)
    assert.equal(nameOfText(`${label}a`), undefined)
  })

  for (const [what, text] of [
    ['nothing', ''],
    ['an empty label', 'a..b'],
    ['a first dot', '.a'],
    ['two last dots', 'a..'],
    ['a space', 'a b'],
    ['a control character', 'a\tb'],
    ['what is no ASCII', 'é.com'],
    ['an escape of nothing', 'a\\'],
    ['an escape above 255', String.raw`\256`],
    ['half an escape', String.raw`\12`],
  ] as const) {
    it(`is not read from ${what}`, () => {
      assert.equal(nameOfText(text), undefined)
    })
  }

  it('comes back from its text and its bytes', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        assert.equal(nameOfText(textOfName(name)), name)
        assert.equal(nameOfBytes(bytesOfName(name)), name)
        assert.equal(nameOfLabels(labelsOfName(name)), name)
      }),
    )
  })

  for (const [what, bytes] of [
    ['no bytes', []],
    ['a missing root', [1, 97]],
    ['bytes after the root', [0, 0]],
    ['a pointer', [1, 97, 0xc0, 0x0c]],
    ['a label past the end', [9, 97, 0]],
  ] as const) {
    it(`is not read from ${what}`, () => {
      assert.equal(nameOfBytes(Uint8Array.from(bytes)), undefined)
    })
  }
})
