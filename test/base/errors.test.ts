import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, declareError, isBtlError, messageOf, printable } from '../../src/base/errors.ts'

const Spilt = declareError('BTL_ERR_BASE_SPILT', 'spilt %s on %s', 503)

describe('a declared error', () => {
  it('has code, status and a filled message', () => {
    const error = new Spilt('milk', 'tea')
    assert.deepEqual(
      [error.code, error.statusCode, error.message],
      ['BTL_ERR_BASE_SPILT', 503, 'spilt milk on tea'],
    )
    assert.ok(error instanceof Error && error instanceof Spilt)
  })

  it('keeps what caused it', () => {
    const cause = new Error('tripped')
    assert.equal(new Spilt('milk', 'tea', { cause }).cause, cause)
  })

  it('is told from others by its code', () => {
    assert.ok(isBtlError(new Spilt('a', 'b')))
    assert.ok(!isBtlError(new Error('x')))
    assert.ok(!isBtlError(Object.assign(new Error('x'), { code: 'ENOSPC' })))
    assert.ok(!isBtlError({ code: 'BTL_ERR_X' }))
    assert.ok(!isBtlError(undefined))
  })
})

describe('whatever was thrown', () => {
  it('gives its code where it has one', () => {
    assert.equal(codeOf(new Spilt('a', 'b')), 'BTL_ERR_BASE_SPILT')
    assert.equal(codeOf(Object.assign(new Error('x'), { code: 'ENOSPC' })), 'ENOSPC')
    for (const thrown of [new Error('x'), { code: 5 }, null, undefined, 'text']) {
      assert.equal(codeOf(thrown), undefined)
    }
  })

  it('gives its message', () => {
    assert.equal(messageOf(new Error('x')), 'x')
    assert.equal(messageOf('text'), 'text')
    assert.equal(messageOf(undefined), 'undefined')
  })
})

describe('printable', () => {
  it('leaves nothing that breaks a log line or a header', () => {
    assert.equal(printable('a\r\nb\0\u00fc\u{1f980} c'), 'a??b???? c')
    assert.equal(printable('x'.repeat(100)), `${'x'.repeat(80)}...`)
    assert.equal(printable('abcdef', 3), 'abc...')
  })
})
