import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromHex, toHex, utf8 } from '../../../src/base/bytes.ts'
import { publicKey } from '../../../src/base/hashes.ts'
import {
  decodeBase36,
  decodePublicKey,
  encodeBase36,
  encodePublicKey,
} from '../../../src/base/names/index.ts'
import { keyVectors } from '../../vectors/names.ts'

const refused = { code: 'BTL_ERR_BASE_BAD_BASE36', statusCode: 400 }

describe('base36', () => {
  for (const { title, hex, base36 } of keyVectors) {
    it(`writes and reads ${title}`, () => {
      assert.equal(encodePublicKey(publicKey(hex)), base36)
      assert.equal(decodePublicKey(base36), hex)
      assert.equal(decodePublicKey(base36.toUpperCase()), hex)
    })
  }

  it('writes text as multiformats does', () => {
    const text = utf8('Decentralize everything!!!')
    assert.equal(encodeBase36(text), 'm552ng4dabi4neu1oo8l4i5mndwmpc3mkukwtxy9')
    assert.deepEqual(decodeBase36('m552ng4dabi4neu1oo8l4i5mndwmpc3mkukwtxy9'), text)
  })

  it('gives every byte string one spelling and takes it back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(6), (bytes, zeros) => {
        const all = Uint8Array.from([...Array<number>(zeros).fill(0), ...bytes])
        const text = encodeBase36(all)
        assert.match(text, /^[0-9a-z]*$/)
        if (text !== '') assert.deepEqual(decodeBase36(text), all)
      }),
      { numRuns: 2000 },
    )
  })

  it('reads any digits to bytes that are written as the same digits', () => {
    const digits = fc.string({
      unit: fc.integer({ min: 0, max: 35 }).map((digit) => digit.toString(36)),
      minLength: 1,
      maxLength: 60,
    })
    fc.assert(fc.property(digits, (text) => encodeBase36(decodeBase36(text)) === text))
  })

  it('takes keys of any bytes, in at most 50 characters', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const text = encodePublicKey(publicKey(toHex(bytes)))
        assert.ok(text.length <= 50)
        assert.equal(decodePublicKey(text), toHex(bytes))
      }),
    )
  })

  const [{ base36 } = { base36: '' }] = keyVectors
  for (const [title, text, message] of [
    ['nothing', '', /has 32 bytes, this has 0/],
    ['31 bytes', encodeBase36(fromHex('77'.repeat(31))), /has 32 bytes, this has 31/],
    ['33 bytes', encodeBase36(fromHex('77'.repeat(33))), /has 32 bytes, this has 33/],
    ['a zero byte too many', `0${base36}`, /this has 33/],
    ['a hyphen', `${base36.slice(0, 20)}-${base36.slice(21)}`, /only digits and the letters/],
    ['letters that fold into ASCII', `${base36.slice(1)}\u212a`, /is not base36/],
    ['a fullwidth digit', `${base36.slice(1)}\uff11`, /only digits and the letters/],
    ['megabytes', 'z'.repeat(5_000_000), /too long/],
  ] as const) {
    it(`refuses ${title} as a public key`, () => {
      assert.throws(() => decodePublicKey(text), { ...refused, message })
    })
  }

  it('refuses the empty string as bytes', () => {
    assert.throws(() => decodeBase36(''), { ...refused, message: /empty/ })
  })
})
