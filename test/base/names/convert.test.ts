import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '../../../src/base/bytes.ts'
import { decodeBase32, encodeBase32 } from '../../../src/base/names/base32.ts'
import {
  convert,
  decodeText,
  ENCODINGS,
  encodeText,
  isEncoding,
} from '../../../src/base/names/index.ts'

describe('convert', () => {
  it('writes the key of BEP 44 in every encoding', () => {
    const written = {
      hex: '77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548',
      base36: '2zo3vdi4yyd28foc5e4g145nwjatxryeha64dh81mff3i81yko',
      base32hex: 'evvo942qi69m6pu02dg80c84v4i35v6p0ii3a4c7dnqsrsv7sl40',
      base64url: 'd_-EkFqRk2NnwBNggDEE-SQy_NkEpDURh231zfPn5Ug',
    }
    for (const from of ENCODINGS) {
      for (const to of ENCODINGS) assert.equal(convert(written[from], from, to), written[to])
    }
  })

  it('takes back what it wrote, for any bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 70 }),
        fc.constantFrom(...ENCODINGS),
        (bytes, encoding) => {
          const text = encodeText(bytes, encoding)
          assert.deepEqual(decodeText(text, encoding), bytes)
        },
      ),
    )
  })

  for (const [text, from, fault] of [
    ['', 'hex', /is empty/],
    ['abc', 'hex', /characters or a length/],
    ['zz', 'hex', /characters or a length/],
    ['0x12', 'hex', /characters or a length/],
    ['w0', 'base32hex', /characters or a length/],
    ['0', 'base32hex', /characters or a length/],
    ['01', 'base32hex', /characters or a length/],
    ['a+b/', 'base64url', /characters or a length/],
    ['a', 'base64url', /characters or a length/],
    ['ab', 'base64url', /characters or a length/],
    ['a b', 'base64url', /characters or a length/],
    ['a-b', 'base36', /only digits and the letters/],
    ['f'.repeat(5000), 'hex', /too long/],
    ['f'.repeat(5000), 'base36', /too long/],
  ] as const) {
    it(`refuses ${JSON.stringify(text.slice(0, 20))} as ${from}`, () => {
      assert.throws(() => decodeText(text, from), { statusCode: 400, message: fault })
    })
  }

  it('knows its encodings by name', () => {
    assert.ok(isEncoding('base36'))
    assert.ok(!isEncoding('base58'))
  })
})

describe('base32', () => {
  // RFC 4648 §10.
  for (const [text, base32, base32hex] of [
    ['', '', ''],
    ['f', 'my', 'co'],
    ['fo', 'mzxq', 'cpng'],
    ['foo', 'mzxw6', 'cpnmu'],
    ['foob', 'mzxw6yq', 'cpnmuog'],
    ['fooba', 'mzxw6ytb', 'cpnmuoj1'],
    ['foobar', 'mzxw6ytboi', 'cpnmuoj1e8'],
  ] as const) {
    it(`writes and reads "${text}"`, () => {
      assert.equal(encodeBase32(utf8(text), 'base32'), base32)
      assert.equal(encodeBase32(utf8(text), 'base32hex'), base32hex)
      assert.deepEqual(decodeBase32(base32.toUpperCase(), 'base32'), utf8(text))
      assert.deepEqual(decodeBase32(base32hex, 'base32hex'), utf8(text))
    })
  }

  it('takes padding', () => {
    assert.deepEqual(decodeBase32('MY======', 'base32'), utf8('f'))
  })

  for (const text of ['m', 'mz=x', 'm1', 'mz', 'mzxw6yr', 'm\u212a', '========']) {
    it(`refuses "${text}"`, () => {
      assert.equal(decodeBase32(text, 'base32'), undefined)
    })
  }
})
