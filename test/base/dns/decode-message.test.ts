import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fromHex, toHex } from '../../../src/base/bytes.ts'
import { FLAG, TYPE } from '../../../src/base/dns/codes.ts'
import { decodeMessage, decodeResponse } from '../../../src/base/dns/decode-message.ts'
import type { Message } from '../../../src/base/dns/message.ts'
import { labelsOfName, textOfName } from '../../../src/base/dns/name.ts'
import { brokenResponses, longestChain } from '../../vectors/broken-dns.ts'
import { captured, named } from './messages.ts'

function sound(bytes: Uint8Array): Message {
  const decoded = decodeResponse(bytes)
  assert.ok(decoded.ok, JSON.stringify(decoded))
  return decoded.message
}

describe('a response', () => {
  it('is read with its names in full', () => {
    const message = sound(captured['a CNAME and its address by knot'])
    const [alias, address] = message.answers
    assert.equal(message.flags, FLAG.QR | FLAG.AA | FLAG.RD)
    assert.equal(alias?.name, named('www.example.com'))
    assert.equal(
      toHex(alias?.data ?? new Uint8Array(0)),
      toHex(Buffer.from(named('web.example.com'), 'latin1')),
    )
    assert.equal(address?.name, named('web.example.com'))
    assert.equal(address?.ttl, 300)
    assert.deepEqual(message.edns, { payloadBytes: 1232, version: 0, dnssecOk: true, options: [] })
  })

  for (const [what, bytes] of Object.entries(captured)) {
    if (!what.includes('knot')) continue
    it(`is sound when it is ${what}`, () => {
      sound(bytes)
    })
  }

  // RFC 1035 §4.1.4: F.ISI.ARPA, FOO.F.ISI.ARPA, ARPA and the root in one datagram.
  it('is read as the example of RFC 1035 has it', () => {
    const bytes = fromHex(
      '00008000000100030000000001460349534904415250410000020001' +
        '03464f4fc00c' +
        '000100010000000000040a000034' +
        'c012' +
        '000100010000000000040a000034' +
        '00' +
        '000100010000000000040a000034',
    )
    const { questions, answers } = sound(bytes)
    assert.deepEqual(
      [questions[0], ...answers].map((part) => textOfName(part?.name ?? named('x'))),
      ['F.ISI.ARPA', 'FOO.F.ISI.ARPA', 'ARPA', '.'],
    )
  })

  // RFC 9460 appendix D, in the wire form printed there.
  for (const [what, data] of [
    ['an alias', '000003666f6f076578616d706c6503636f6d00'],
    ['the owner as target', '000100'],
    ['a port', '001003666f6f076578616d706c6503636f6d00000300020035'],
    ['a generic key', '000103666f6f076578616d706c6503636f6d00029b000568656c6c6f'],
    [
      'two IPv6 hints',
      '000103666f6f076578616d706c6503636f6d000006002020010db800000000000000000000000120010db8000000000000000000530001',
    ],
    [
      'a list of mandatory keys',
      '001003666f6f076578616d706c65036f7267000000000400010004000100090268320568332d3139000400 04c0000201',
    ],
  ] as const) {
    it(`takes the SVCB of RFC 9460 with ${what}`, () => {
      const wire = data.replaceAll(' ', '')
      const length = (wire.length / 2).toString(16).padStart(4, '0')
      const message = sound(
        fromHex(
          `beef818000010001000000000001610000400001`.replace('000161', '0161') +
            `c00c004000010000003c${length}${wire}`,
        ),
      )
      assert.equal(toHex(message.answers[0]?.data ?? new Uint8Array(0)), wire)
    })
  }

  it('keeps unknown types byte for byte', () => {
    const [record] = sound(captured['a type of private use by knot']).answers
    assert.equal(record?.type, 65280)
    assert.equal(toHex(record?.data ?? new Uint8Array(0)), '0a000001')
  })

  it('keeps a dot within a label', () => {
    const message = sound(
      fromHex('beef8180000100000000000003612e6206 62746c696e6b0000010001'.replaceAll(' ', '')),
    )
    assert.deepEqual(labelsOfName(message.questions[0]?.name ?? named('x')), ['a.b', 'btlink'])
  })

  it('may have a name of 16 jumps', () => {
    assert.equal(sound(longestChain).answers.length, 2)
  })

  it('has no TTL where the highest bit of one is set (RFC 2181)', () => {
    const message = sound(
      fromHex(
        'beef818000010001000000000161000001 0001c00c0001000180000001 0004c0000201'.replaceAll(
          ' ',
          '',
        ),
      ),
    )
    assert.equal(message.answers[0]?.ttl, 0)
  })

  it('has twelve bits of rcode', () => {
    const message = sound(
      fromHex(
        'beef8187000100000000000101610000010001 0000291000 ff000000 0000'.replaceAll(' ', ''),
      ),
    )
    assert.equal(message.rcode, 0xff7)
  })

  it('that is truncated is its question, wherever it was cut', () => {
    const message = sound(
      fromHex('beef838000010005000000000161000001 0001c00c0001'.replaceAll(' ', '')),
    )
    assert.ok(message.flags & FLAG.TC)
    assert.equal(message.questions.length, 1)
    assert.deepEqual(message.answers, [])
  })

  it('may have no question when it is a refusal', () => {
    const message = sound(fromHex('beef81010000000000000000'))
    assert.equal(message.rcode, 1)
    assert.deepEqual(message.questions, [])
  })

  for (const { what, bytes, fault } of brokenResponses) {
    it(`that ${what} is refused: ${fault}`, () => {
      assert.deepEqual(decodeResponse(bytes), { ok: false, fault })
    })
  }
})

describe('a message of mDNS', () => {
  // RFC 6762 §10.2, §5.4: the highest bit of the class is a flag; several answers, no question.
  it('keeps the flags in its classes', () => {
    const answer = fromHex(
      '000084000000000200000000' +
        '026d65056c6f63616c00' +
        '0001' +
        '8001' +
        '00000078' +
        '0004' +
        'c0a80002' +
        'c00c' +
        '001c' +
        '8001' +
        '00000078' +
        '0010' +
        'fe80000000000000000000000000000a',
    )
    const decoded = decodeMessage(answer)
    assert.ok(decoded.ok)
    assert.deepEqual(
      decoded.message.answers.map((record) => [textOfName(record.name), record.type, record.class]),
      [
        ['me.local', TYPE.A, 0x8001],
        ['me.local', TYPE.AAAA, 0x8001],
      ],
    )
    const question = fromHex('000000000002000000000000026d65056c6f63616c0000018001c00c001c8001')
    const asked = decodeMessage(question)
    assert.ok(asked.ok)
    assert.deepEqual(
      asked.message.questions.map((one) => one.class),
      [0x8001, 0x8001],
    )
  })
})
