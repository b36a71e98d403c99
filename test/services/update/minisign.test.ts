import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  parsePublicKey,
  parseSignature,
  verifyMinisign,
} from '../../../src/services/update/minisign.ts'

// Made by Debian's minisign 0.11: `minisign -G -W`, then `-S` and `-S -l` of a file with "hello".
const PUBLIC = `untrusted comment: minisign public key 817CF25E0BE75065
RWRlUOcLXvJ8gcDxzkECsJM4nezNDdLijbLJkewqEiojynyELEQH9M+F
`
const PREHASHED = `untrusted comment: signature from minisign secret key
RURlUOcLXvJ8gSoQkvxlBlyf6G1lXYjdryfoLp8rlRmVklae0a7oUCuFJSZ8dZfmW9Jt+z9CwoCpgP8byyzuzGHiFhpzB7hsvA0=
trusted comment: trusted words
kEfpK6jWJNwySnqjnriGy2AJUPYsGEywnYKykMLJP0qTZ7povjXeqVNm4PRXWcQnCp1NBaVg90rKS85s/28/CQ==
`
const LEGACY = `untrusted comment: signature from minisign secret key
RWRlUOcLXvJ8gQd04LpTipg7iAQ1KgzafIvNHcm3jFk1rIVGdKmY9RlHO4MuaWhagUftmPdEvl+Y9Vqumf5RMSXfneyvAm5vzAw=
trusted comment: timestamp:1795271612	file:f
x1nQlkyyJoziBM9R9WNPTQbGYCY7tVlBPetaQu4q2x2CxOpy1KwGKW/KaK6KagKamsDBauxEgevJTnfh7ZZJCA==
`
const hello = Buffer.from('hello')

function theKey() {
  const key = parsePublicKey(PUBLIC)
  assert.ok(key)
  return key
}

/** A pair of our own, with the same eight bytes of id or others. */
function pair(id: Buffer) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(12)
  const text = Buffer.concat([Buffer.from('Ed'), id, raw]).toString('base64')
  const write = (message: Uint8Array, comment: string, algorithm: 'Ed' | 'ED') => {
    const signed = algorithm === 'ED' ? createHash('blake2b512').update(message).digest() : message
    const signature = sign(null, signed, privateKey)
    const global = sign(null, Buffer.concat([signature, Buffer.from(comment)]), privateKey)
    const head = Buffer.concat([Buffer.from(algorithm), id, signature])
    return `untrusted comment: x\n${head.toString('base64')}\ntrusted comment: ${comment}\n${global.toString('base64')}\n`
  }
  return { text, write }
}

describe('R19 signatures of minisign', () => {
  it('reads the public key file of minisign, and its line alone', () => {
    assert.equal(theKey().id, '817CF25E0BE75065')
    assert.equal(parsePublicKey(PUBLIC.split('\n')[1] ?? '')?.id, '817CF25E0BE75065')
  })

  it('believes what minisign signed, prehashed and legacy', () => {
    assert.deepEqual(verifyMinisign(hello, PREHASHED, theKey()), { comment: 'trusted words' })
    const comment = 'timestamp:1795271612\tfile:f'
    assert.deepEqual(verifyMinisign(hello, LEGACY, theKey()), { comment })
    assert.deepEqual(verifyMinisign(hello, LEGACY.replaceAll('\n', '\r\n'), theKey()), { comment })
  })

  it('believes no other message, comment, signature, algorithm or key', () => {
    const refused = (text: string, message = hello, key = theKey()) =>
      assert.ok('fault' in verifyMinisign(message, text, key), text)
    refused(PREHASHED, Buffer.from('hello '))
    refused(PREHASHED.replace('trusted words', 'trusted word'))
    // The legacy signature of another text is none of its hash, and the other way round.
    refused(PREHASHED.replace('RURl', 'RWRl'))
    refused(LEGACY.replace('RWRl', 'RURl'))
    refused(PREHASHED.replace('kEfp', 'kEfq'))
    const [a, b] = [PREHASHED.split('\n'), LEGACY.split('\n')]
    refused([a[0], a[1], b[2], b[3], ''].join('\n'))
    const id = Buffer.from('6550e70b5ef27c81', 'hex')
    const stranger = pair(id)
    refused(stranger.write(hello, 'c', 'ED'))
    const other = parsePublicKey(stranger.text)
    assert.ok(other)
    refused(PREHASHED, hello, other)
  })

  it('names the key of a stranger', () => {
    const stranger = pair(Buffer.from('0102030405060708', 'hex'))
    const verdict = verifyMinisign(hello, stranger.write(hello, 'c', 'Ed'), theKey())
    assert.deepEqual(verdict, {
      fault: 'it is signed by the key 0807060504030201, not by 817CF25E0BE75065',
    })
  })

  it('reads no broken file', () => {
    const lines = PREHASHED.split('\n')
    const swapped = (at: number, line: string) => lines.with(at, line).join('\n')
    for (const text of [
      '',
      '\n\n\n\n',
      PUBLIC,
      lines.slice(0, 3).join('\n'),
      `${PREHASHED}more\n`,
      `\ufeff${PREHASHED}`,
      swapped(0, 'comment: x'),
      swapped(2, 'untrusted comment: x'),
      swapped(1, lines[1]?.slice(4) ?? ''),
      swapped(1, `${lines[1]}AAAA`),
      swapped(1, lines[1]?.replace('RU', 'QU') ?? ''),
      swapped(1, lines[1]?.replace('=', '') ?? ''),
      swapped(1, ` ${lines[1]}`),
      swapped(3, ''),
      swapped(3, 'x'.repeat(88)),
      PREHASHED.padEnd(20_000, 'x'),
    ])
      assert.equal(parseSignature(text), undefined, JSON.stringify(text.slice(0, 80)))
    for (const text of [
      '',
      'x',
      LEGACY,
      PUBLIC.replace('RWR', 'RUR'),
      PUBLIC.slice(0, -3),
      `${PUBLIC}x\n`,
    ])
      assert.equal(parsePublicKey(text), undefined, JSON.stringify(text))
  })

  it('never throws, and believes whatever the holder of the key signs', () => {
    const { text, write } = pair(Buffer.alloc(8, 7))
    const key = parsePublicKey(text)
    assert.ok(key)
    const comment = fc.string({ maxLength: 40 }).filter((one) => !/[\r\n]/.test(one))
    const algorithm = fc.constantFrom('Ed' as const, 'ED' as const)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), comment, algorithm, (message, said, how) => {
        const whole = said.isWellFormed() ? said : ''
        assert.deepEqual(verifyMinisign(message, write(message, whole, how), key), {
          comment: whole,
        })
      }),
      { numRuns: 100 },
    )
    fc.assert(
      fc.property(fc.nat(PREHASHED.length - 1), fc.string({ maxLength: 3 }), (at, put) => {
        const changed = PREHASHED.slice(0, at) + put + PREHASHED.slice(at + put.length)
        const verdict = verifyMinisign(hello, changed, theKey())
        // Only the first comment, and how lines end, are covered by nothing.
        if ('comment' in verdict) assert.equal(verdict.comment, 'trusted words')
        parsePublicKey(changed)
      }),
      { numRuns: 500 },
    )
  })
})
