import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { readChain, readStored, writeStored } from '../../../src/engines/acme/chain.ts'
import { createCertificate } from '../../support/certificates.ts'
import { missing } from '../../support/processes.ts'
import type { Cleanup } from '../../support/temp.ts'
import { DAY, HOUR } from './open-acme.ts'

const CODE = { code: 'BTL_ERR_ACME_BAD_CHAIN' }
const HOSTS = ['gw.example', 'www.gw.example']

describe('a certificate that was issued', { skip: missing('/usr/bin/openssl') }, () => {
  const good = {
    leaf: '',
    ca: '',
    key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  }
  let other = ''

  const ends: (() => void | Promise<void>)[] = []
  const cleanup: Cleanup = { after: (end) => void ends.push(end) }
  after(async () => {
    for (const end of ends) await end()
  })

  before(async () => {
    const made = await createCertificate(cleanup, HOSTS, [])
    good.leaf = await readFile(made.certificate, 'utf8')
    good.ca = await readFile(made.ca, 'utf8')
    good.key = createPrivateKey(await readFile(made.key))
    const stranger = await createCertificate(cleanup, ['*.gw.example'], [])
    other = await readFile(stranger.ca, 'utf8')
  })

  const read = (pem: string, key: KeyObject = good.key, hosts = HOSTS, now = Date.now()) =>
    readChain(pem, key, hosts, now)

  it('is taken where it is for the key and all names, with or without those above it', () => {
    for (const pem of [good.leaf, good.leaf + good.ca, `\n${good.leaf}\r\n\n${good.ca}\n`]) {
      const leaf = read(pem)
      assert.deepEqual(leaf.hosts, HOSTS)
      assert.ok(Math.abs(leaf.notAfter - leaf.notBefore - DAY) < HOUR)
      assert.ok(leaf.cert.startsWith('-----BEGIN CERTIFICATE-----\n'))
    }
  })

  it('is kept with its key, and read again', () => {
    const leaf = read(good.leaf + good.ca)
    assert.deepEqual(readStored(writeStored(leaf), 'gw.example', Date.now()), leaf)
  })

  const broken: [what: string, pem: () => string, reason: RegExp][] = [
    ['nothing', () => '', /no certificate/],
    ['a page', () => '<html>', /no certificate/],
    ['cut off', () => good.leaf.slice(0, -40), /no certificate/],
    ['one with a letter changed', () => good.leaf.replace(/MII./, 'AAAA'), /cannot be read/],
    [
      'one with a key behind it',
      () => `${good.leaf}-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n`,
      /more in it than/,
    ],
    ['one with words before it', () => `here it is:\n${good.leaf}`, /more in it than/],
    ['nine of them', () => good.leaf.repeat(9), /more than 8/],
    ['that of the authority', () => good.ca, /another key/],
    ['one below a stranger', () => good.leaf + other, /not signed one by the other/],
    ['one in the wrong order', () => good.ca + good.leaf, /another key/],
  ]
  for (const [what, pem, reason] of broken) {
    it(`is refused where it is ${what}`, () => {
      assert.throws(
        () => read(pem()),
        (error: Error) => {
          assert.equal((error as { code?: string }).code, CODE.code)
          assert.match(error.message, reason)
          return true
        },
      )
    })
  }

  it('is refused where a name is missing, and a name is never found in a wildcard', () => {
    assert.throws(() => read(good.leaf, good.key, [...HOSTS, 'a.gw.example']), /not for a\.gw/)
  })

  it('is refused once it has ended', () => {
    assert.throws(() => read(good.leaf, good.key, HOSTS, Date.now() + 2 * DAY), /it ended on/)
  })

  it('is of no use without its key, or with that of another', () => {
    const leaf = read(good.leaf)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    for (const text of [leaf.cert, leaf.key, key + leaf.cert, leaf.key.slice(0, 60) + leaf.cert]) {
      assert.throws(() => readStored(text, 'gw.example', Date.now()), CODE)
    }
    assert.throws(() => readStored(writeStored(leaf), 'other.example', Date.now()), CODE)
  })

  it('is taken as it was issued or refused, whatever was done to it', () => {
    const text = writeStored(read(good.leaf + good.ca))
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.string({ maxLength: 4 }),
        fc.nat(3),
        (at, put, cut) => {
          const changed = text.slice(0, at) + put + text.slice(at + cut)
          try {
            assert.deepEqual(readStored(changed, 'gw.example', Date.now()).hosts, HOSTS)
          } catch (error) {
            assert.equal((error as { code?: string }).code, CODE.code, String(error))
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})
