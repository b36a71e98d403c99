import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, it } from 'node:test'
import {
  immutableTarget,
  infoHashOfValue,
  isSignedByOwner,
  mutableTarget,
  nameKey,
  signedBytes,
} from '../../src/base/bep44.ts'
import { encode } from '../../src/base/bencode.ts'
import { EMPTY, fromHex, latin1, toHex, utf8 } from '../../src/base/bytes.ts'
import { publicKey } from '../../src/base/hashes.ts'
import type { SignedItem } from '../../src/base/ports/dht-node.ts'
import { immutableTargetVectors, mutableTargetVectors } from '../vectors/names.ts'

// The test vectors of BEP 44.
const BEP44_KEY = publicKey('77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548')
const vector = (salt: string, signature: string): SignedItem => ({
  publicKey: BEP44_KEY,
  salt: utf8(salt),
  seq: 1,
  value: utf8('12:Hello World!'),
  signature: fromHex(signature),
})
const unsalted = vector(
  '',
  '305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01',
)
const salted = vector(
  'foobar',
  '6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17ddf9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08',
)

describe('a BEP 44 item', () => {
  for (const { title, key, salt, target } of mutableTargetVectors) {
    it(`has the target of the specification: ${title}`, () => {
      assert.equal(mutableTarget(publicKey(key), fromHex(salt)), target)
    })
  }

  for (const { value, target } of immutableTargetVectors) {
    it(`has the target of the specification: ${value}`, () => {
      assert.equal(immutableTarget(utf8(value)), target)
    })
  }

  it('is signed over salt, seq and value, an empty salt left out', () => {
    assert.equal(
      latin1(signedBytes(EMPTY, 1, utf8('12:Hello World!'))),
      '3:seqi1e1:v12:Hello World!',
    )
    assert.equal(
      latin1(signedBytes(utf8('foobar'), 1, utf8('12:Hello World!'))),
      '4:salt6:foobar3:seqi1e1:v12:Hello World!',
    )
  })

  it('is its owner’s with the signatures of the specification', () => {
    assert.ok(isSignedByOwner(unsalted))
    assert.ok(isSignedByOwner(salted))
  })

  for (const [what, change] of [
    ['another salt', { salt: utf8('foobaz') }],
    ['no salt', { salt: EMPTY }],
    ['another seq', { seq: 2 }],
    ['a seq that is no integer', { seq: 1.5 }],
    ['another value', { value: utf8('12:Hello world!') }],
    [
      'another key',
      { publicKey: publicKey('8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e') },
    ],
    ['a key that is no point', { publicKey: publicKey('ff'.repeat(32)) }],
    ['a signature cut short', { signature: salted.signature.subarray(1) }],
    ['a signature of zeroes', { signature: new Uint8Array(64) }],
  ] as const) {
    it(`is not its owner’s with ${what}`, () => {
      assert.equal(isSignedByOwner({ ...salted, ...change }), false)
    })
  }

  it('is refused over 64 bytes of salt and 1000 of value, though it is signed', () => {
    const pair = generateKeyPairSync('ed25519')
    const key = publicKey(
      toHex(pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(12)),
    )
    const item = (salt: Uint8Array, value: Uint8Array): SignedItem => {
      const signature = sign(null, signedBytes(salt, 1, value), pair.privateKey)
      return { publicKey: key, salt, seq: 1, value, signature }
    }
    const value = (length: number) => encode(new Uint8Array(length - 4))
    assert.ok(isSignedByOwner(item(new Uint8Array(64), value(1000))))
    assert.equal(isSignedByOwner(item(new Uint8Array(65), value(1000))), false)
    assert.equal(isSignedByOwner(item(new Uint8Array(64), value(1001))), false)
  })
})

describe('the infohash of a value', () => {
  const ih = new Uint8Array(20).fill(0xcd)

  it('is its ih of 20 bytes', () => {
    assert.equal(infoHashOfValue(encode({ ih })), 'cd'.repeat(20))
    assert.equal(infoHashOfValue(encode({ a: 1, ih, v: [] })), 'cd'.repeat(20))
  })

  for (const [what, value] of [
    ['a string', encode('x')],
    ['a list', encode([ih])],
    ['an empty dictionary', encode({})],
    ['19 bytes', encode({ ih: ih.subarray(1) })],
    ['40 hex digits', encode({ ih: 'cd'.repeat(20) })],
    ['an integer', encode({ ih: 5 })],
    ['nothing', EMPTY],
    ['broken bencode', utf8('d2:ih')],
    ['a deep list', utf8(`d1:a${'l'.repeat(500)}`)],
  ] as const) {
    it(`is none for ${what}`, () => {
      assert.equal(infoHashOfValue(value), undefined)
    })
  }
})

describe('the key of a name', () => {
  it('differs wherever key or salt differ', () => {
    const [a, b] = [publicKey('aa'.repeat(32)), publicKey('bb'.repeat(32))]
    const keys = [
      nameKey(a, EMPTY),
      nameKey(b, EMPTY),
      nameKey(a, utf8('x')),
      nameKey(a, fromHex('ff')),
    ]
    assert.equal(new Set(keys).size, 4)
  })
})
