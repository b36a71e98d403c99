import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { infoHash, publicKey, sha256, target } from '../../src/base/hashes.ts'

describe('a hash', () => {
  for (const [what, make, length] of [
    ['an infohash', infoHash, 40],
    ['a target', target, 40],
    ['a sha256', sha256, 64],
    ['a public key', publicKey, 64],
  ] as const) {
    it(`is ${length} hex digits for ${what}, kept in lower case`, () => {
      assert.equal(make('aB'.repeat(length / 2)), 'ab'.repeat(length / 2))
    })

    for (const text of [
      '',
      'a'.repeat(length - 1),
      'a'.repeat(length + 1),
      `${'a'.repeat(length - 1)}g`,
      `${'a'.repeat(length)}\n`,
    ]) {
      it(`is not ${JSON.stringify(text.slice(-20))} of length ${text.length} for ${what}`, () => {
        assert.throws(() => make(text), {
          code: 'BTL_ERR_BASE_BAD_HASH',
          statusCode: 400,
          message: new RegExp(`^${what} must be ${length} hex digits`),
        })
      })
    }
  }

  it('is refused in a short and printable message', () => {
    assert.throws(
      () => infoHash(`\r\n\u00fc${'x'.repeat(1000)}`),
      (error: Error) => /^[\x20-\x7e]{1,150}$/.test(error.message),
    )
  })
})
