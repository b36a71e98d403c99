import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { toHex } from '../../../src/base/bytes.ts'
import {
  bitString,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
  smallInteger,
  time,
  TRUE,
  utf8String,
} from '../../../src/base/der.ts'
import { readElements } from '../../../src/engines/pki/der-reader.ts'
import { missing, output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')

// X.690 §8 and §10, and the identifiers RFC 5280 prints.
const vectors: [what: string, encoded: Uint8Array, hex: string][] = [
  ['true', TRUE, '01 01 ff'],
  ['zero', smallInteger(0), '02 01 00'],
  ['127', smallInteger(127), '02 01 7f'],
  ['128, which needs a zero for its sign', smallInteger(128), '02 02 00 80'],
  ['an integer with zeroes in front', integer(bytes('0000 0100')), '02 02 01 00'],
  ['an integer of no bytes', integer(bytes('')), '02 01 00'],
  ['nameConstraints', objectIdentifier('2.5.29.30'), '06 03 55 1d 1e'],
  ['ecdsa-with-SHA256', objectIdentifier('1.2.840.10045.4.3.2'), '06 08 2a 86 48 ce 3d 04 03 02'],
  ['2.999.3, of X.690 §8.19', objectIdentifier('2.999.3'), '06 03 88 37 03'],
  ['a bit string with unused bits', bitString(bytes('06'), 1), '03 02 01 06'],
  ['an octet string', octetString(bytes('0102')), '04 02 01 02'],
  ['text beyond ASCII', utf8String('é'), '0c 02 c3 a9'],
  ['an empty sequence', sequence(), '30 00'],
  ['a set of one', setOf(TRUE), '31 03 01 01 ff'],
  ['[3] around a value', explicit(3, TRUE), 'a3 03 01 01 ff'],
  ['[2] in place of a tag', implicit(2, bytes('61')), '82 01 61'],
]

describe('DER', () => {
  for (const [what, encoded, hex] of vectors) {
    it(`writes ${what} as the standard does`, () => {
      assert.equal(toHex(encoded), hex.replaceAll(' ', ''))
    })
  }

  it('writes lengths in as few bytes as there are', () => {
    const headOf = (length: number) => toHex(octetString(Buffer.alloc(length)).subarray(1, 5))
    assert.equal(headOf(127), '7f000000')
    assert.equal(headOf(128), '81800000')
    assert.equal(headOf(255), '81ff0000')
    assert.equal(headOf(256), '82010000')
    assert.equal(headOf(65_536), '83010000')
  })

  it('writes years with two digits up to 2049 and with four from 2050 on', () => {
    const textOf = (ms: number) => Buffer.from(time(ms)).toString('latin1').slice(2)
    assert.equal(textOf(Date.UTC(2049, 11, 31, 23, 59, 59, 999)), '491231235959Z')
    assert.equal(time(Date.UTC(2049, 11, 31))[0], 0x17)
    assert.equal(textOf(Date.UTC(2050, 0)), '20500101000000Z')
    assert.equal(time(Date.UTC(2050, 0))[0], 0x18)
  })

  it('reads back what it wrote, whatever that was', () => {
    const contents = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 8 })
    fc.assert(
      fc.property(contents, (parts) => {
        const [outer] = readElements(sequence(...parts.map(octetString)))
        const inner = readElements(outer?.content ?? Buffer.of(0))
        assert.deepEqual(
          inner.map(({ content }) => toHex(content)),
          parts.map(toHex),
        )
        assert.deepEqual(
          inner.map(({ raw }) => toHex(raw)),
          parts.map((part) => toHex(octetString(part))),
        )
      }),
    )
  })

  it('reads nothing or throws its own error for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (junk) => {
        try {
          const elements = readElements(junk)
          const length = elements.reduce((sum, { raw }) => sum + raw.length, 0)
          assert.equal(length, junk.length)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'BTL_ERR_PKI_BAD_DER')
        }
      }),
      { numRuns: 2000 },
    )
  })

  const broken: [what: string, hex: string][] = [
    ['half a header', '30'],
    ['a sequence that ends early', '30 05 02 01'],
    ['a length of three digits', '30 83 00 00 01 00'],
    ['an indefinite length', '30 80 00 00'],
    ['a length whose digits are missing', '30 82 01'],
    ['a tag of several bytes', '1f 81 01 00'],
  ]
  for (const [what, hex] of broken) {
    it(`refuses ${what}`, () => {
      assert.throws(() => readElements(bytes(hex)), { code: 'BTL_ERR_PKI_BAD_DER' })
    })
  }

  it('is what openssl asn1parse reads', { skip: missing('/usr/bin/openssl') }, async (t) => {
    const file = join(await tempFolder(t), 'some.der')
    const serial = Buffer.concat([Buffer.of(0x40), randomBytes(15)])
    const parts = [integer(serial), objectIdentifier('2.5.29.30'), time(Date.UTC(2051, 5, 1))]
    await writeFile(file, sequence(...parts, utf8String('a'.repeat(300)), explicit(1, TRUE)))
    const text = await output('/usr/bin/openssl', ['asn1parse', '-inform', 'DER', '-in', file])
    assert.match(text, new RegExp(`INTEGER +:${serial.toString('hex').toUpperCase()}`))
    assert.match(text, /OBJECT +:X509v3 Name Constraints/)
    assert.match(text, /GENERALIZEDTIME +:20510601000000Z/)
    assert.match(text, /UTF8STRING +:a{300}/)
    assert.match(text, /cons: cont \[ 1 \]/)
  })
})
