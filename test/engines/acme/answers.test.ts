import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type Problem,
  readAuthorization,
  readDirectory,
  readOrder,
  readProblem,
  retryAfter,
} from '../../../src/engines/acme/answers.ts'

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))
const CODE = { code: 'BTL_ERR_ACME_BAD_ANSWER' }
const problemOf = (body: Uint8Array, status = 400): Problem =>
  readProblem({ status, headers: {}, body: Buffer.from(body) }, 0)

// The examples of RFC 8555, §7.1.1, §7.1.3, §7.1.4.
const DIRECTORY = {
  newNonce: 'https://example.com/acme/new-nonce',
  newAccount: 'https://example.com/acme/new-account',
  newOrder: 'https://example.com/acme/new-order',
  newAuthz: 'https://example.com/acme/new-authz',
  revokeCert: 'https://example.com/acme/revoke-cert',
  keyChange: 'https://example.com/acme/key-change',
  meta: {
    termsOfService: 'https://example.com/acme/terms/2017-5-30',
    website: 'https://www.example.com/',
    caaIdentities: ['example.com'],
    externalAccountRequired: false,
  },
}
const ORDER = {
  status: 'valid',
  expires: '2016-01-20T14:09:07.99Z',
  identifiers: [{ type: 'dns', value: 'www.example.org' }],
  notBefore: '2016-01-01T00:00:00Z',
  notAfter: '2016-01-08T00:00:00Z',
  authorizations: ['https://example.com/acme/authz/PAniVnsZcis'],
  finalize: 'https://example.com/acme/order/TOlocE8rfgo/finalize',
  certificate: 'https://example.com/acme/cert/mAt3xBGaobw',
}
const AUTHORIZATION = {
  status: 'valid',
  expires: '2015-03-01T14:09:07.99Z',
  identifier: { type: 'dns', value: 'www.example.org' },
  challenges: [
    {
      url: 'https://example.com/acme/chall/prV_B7yEyA4',
      type: 'http-01',
      status: 'valid',
      validated: '2014-12-01T12:05:58.16Z',
      token: 'IlirfxKKXAsHtmzK29Pj8A',
    },
  ],
  wildcard: false,
}

describe("an authority's answers", () => {
  it('are read as the examples of RFC 8555 have them', () => {
    assert.deepEqual(readDirectory(bytes(DIRECTORY)), {
      newNonce: DIRECTORY.newNonce,
      newAccount: DIRECTORY.newAccount,
      newOrder: DIRECTORY.newOrder,
      terms: DIRECTORY.meta.termsOfService,
      needsBinding: false,
    })
    const { status, authorizations, finalize, certificate } = ORDER
    assert.deepEqual(readOrder(bytes(ORDER)), { status, authorizations, finalize, certificate })
    assert.deepEqual(readAuthorization(bytes(AUTHORIZATION)), {
      status: 'valid',
      host: 'www.example.org',
      challenges: [
        {
          type: 'http-01',
          url: 'https://example.com/acme/chall/prV_B7yEyA4',
          token: 'IlirfxKKXAsHtmzK29Pj8A',
        },
      ],
    })
  })

  it('may offer ways of proof that did not exist when we were written', () => {
    const challenges = [{ type: 'dns-account-01', url: 'https://a/', token: 7 }, 'later', null]
    const read = readAuthorization(bytes({ ...AUTHORIZATION, challenges }))
    assert.deepEqual(read.challenges, [])
  })

  it('say in a problem what is wrong, in the whole and in its first parts', () => {
    // RFC 8555 §6.7.1.
    const found = problemOf(
      bytes({
        type: 'urn:ietf:params:acme:error:malformed',
        detail: 'Some of the identifiers requested were rejected',
        subproblems: [
          {
            type: 'urn:ietf:params:acme:error:malformed',
            detail: 'Invalid underscore in "_e.org"',
          },
          {
            type: 'urn:ietf:params:acme:error:rejectedIdentifier',
            detail: 'Not for "example.net"',
          },
        ],
      }),
    )
    assert.equal(found.type, 'malformed')
    assert.match(found.message, /rejected; Invalid underscore .*; Not for "example\.net"/)
  })

  const broken: [what: string, body: string][] = [
    ['nothing', ''],
    ['a page', '<!doctype html>'],
    ['half an object', '{"newNonce":"https://a/"'],
    ['null', 'null'],
    ['a number', '1e999'],
    ['text', '"directory"'],
    ['a list', '[{}]'],
    ['an empty object', '{}'],
    ['a hundred thousand lists', '['.repeat(60_000) + ']'.repeat(60_000)],
    ['a prototype', '{"__proto__":{"newNonce":"a","newAccount":"b","newOrder":"c"}}'],
    ['empty addresses', '{"newNonce":"","newAccount":"","newOrder":"","status":""}'],
    ['an address of 3000 characters', `{"newNonce":"https://a/${'x'.repeat(3000)}"}`],
    ['lists for texts', '{"newNonce":[],"finalize":[],"authorizations":"x","identifier":[]}'],
    ['a list for a state', '{"status":["valid"],"authorizations":[],"finalize":"f"}'],
    ['no state', '{"authorizations":[],"finalize":"f","identifier":{"value":"h"},"challenges":[]}'],
  ]
  for (const [what, body] of broken) {
    it(`are refused where they are ${what}`, () => {
      for (const read of [readDirectory, readOrder, readAuthorization]) {
        assert.throws(() => read(Buffer.from(body)), CODE)
      }
      assert.match(problemOf(Buffer.from(body), 418).message, /^unknown: (?:status 418)?$/)
    })
  }

  it('are read, or refused with our own words, whatever they hold', () => {
    const anyJson = fc.oneof(
      fc.json().map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 300 }).map((junk) => Buffer.from(junk)),
    )
    const mutated = fc
      .tuple(
        fc.constantFrom<Record<string, unknown>>(DIRECTORY, ORDER, AUTHORIZATION),
        fc.nat(20),
        fc.jsonValue(),
      )
      .map(([good, index, value]) => {
        const keys = Object.keys(good)
        return bytes({ ...good, [keys[index % keys.length] ?? '']: value })
      })
    fc.assert(
      fc.property(fc.oneof(anyJson, mutated), (body) => {
        for (const read of [readDirectory, readOrder, readAuthorization]) {
          try {
            read(body)
          } catch (error) {
            assert.equal((error as { code?: string }).code, CODE.code)
          }
        }
        const { message } = problemOf(body)
        assert.match(message, /^[\x20-\x7e]{1,1500}$/)
      }),
      { numRuns: 3000 },
    )
  })
})

describe('Retry-After', () => {
  const now = Date.UTC(2027, 0, 1)
  for (const [value, ms] of [
    [undefined, undefined],
    ['120', 120_000],
    ['0', 0],
    ['Fri, 01 Jan 2027 00:01:00 GMT', 60_000],
    ['Thu, 31 Dec 2026 00:00:00 GMT', 0],
    ['soon', undefined],
    ['-5000000000', undefined],
    ['99999999999999999999', undefined],
    ['', undefined],
  ] as const) {
    it(`of "${value ?? 'nothing'}" is ${ms ?? 'none'}`, () => {
      const got = retryAfter(value, now)
      assert.equal(got, ms)
    })
  }
})
