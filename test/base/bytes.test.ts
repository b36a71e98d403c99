import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  concatBytes,
  EMPTY,
  equalBytes,
  fromHex,
  fromLatin1,
  joinBytes,
  latin1,
  toHex,
  utf8,
  utf8Text,
} from '../../src/base/bytes.ts'

const bytes = fc.uint8Array({ maxLength: 64 })

describe('bytes', () => {
  it('come back from hex and from latin1', () => {
    fc.assert(
      fc.property(bytes, (some) => {
        assert.deepEqual(fromHex(toHex(some)), some)
        assert.deepEqual(fromLatin1(latin1(some)), some)
        assert.equal(latin1(some).length, some.length)
      }),
    )
  })

  it('are read through a view without their surroundings', () => {
    const view = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
    assert.equal(toHex(view), '0203')
    assert.equal(latin1(view), '\x02\x03')
  })

  it('are joined to an array of their own', () => {
    fc.assert(
      fc.property(fc.array(bytes), (parts) => {
        const joined = concatBytes(...parts)
        assert.deepEqual(
          [...joined],
          parts.flatMap((part) => [...part]),
        )
        assert.deepEqual(joinBytes(parts), joined)
        assert.equal(Object.getPrototypeOf(joined), Uint8Array.prototype)
      }),
    )
    assert.equal(joinBytes(Array<Uint8Array>(300_000).fill(Uint8Array.of(1))).length, 300_000)
  })

  it('are equal by content, whatever their class', () => {
    assert.ok(equalBytes(EMPTY, Buffer.alloc(0)))
    assert.ok(equalBytes(Uint8Array.of(1, 2), Buffer.from([1, 2])))
    assert.ok(!equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)))
    assert.ok(!equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3)))
  })
})

describe('UTF-8', () => {
  it('comes back as the text it was', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => utf8Text(utf8(text)) === text))
    assert.equal(utf8Text(utf8('\ufeffbom')), '\ufeffbom')
  })

  for (const [what, hex] of [
    ['a lone continuation byte', '80'],
    ['an overlong slash', 'c0af'],
    ['a surrogate', 'eda080'],
    ['a cut-off character', 'e282'],
    ['a code point beyond Unicode', 'f4908080'],
    ['a byte that never stands in it', '61ff'],
  ] as const) {
    it(`is not ${what}, now or the second time`, () => {
      assert.equal(utf8Text(fromHex(hex)), undefined)
      assert.equal(utf8Text(fromHex(hex)), undefined)
      assert.equal(utf8Text(utf8('a')), 'a')
    })
  }
})
