import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromHex, toHex } from '../../../src/base/bytes.ts'
import { RCODE, TYPE } from '../../../src/base/dns/codes.ts'
import { decodeQuery, encodeRefusal, type Query } from '../../../src/base/dns/decode-query.ts'
import { ourEdns } from '../../../src/base/dns/edns.ts'
import { encodeMessage } from '../../../src/base/dns/encode-message.ts'
import { foldName } from '../../../src/base/dns/name.ts'
import { brokenQueries } from '../../vectors/broken-dns.ts'
import { anyName, captured, named } from './messages.ts'

function sound(bytes: Uint8Array): Query {
  const verdict = decodeQuery(bytes)
  assert.equal(verdict.kind, 'query', JSON.stringify(verdict))
  return verdict
}

describe('a query', () => {
  it('is read with its name in both cases', () => {
    const query = sound(captured['a query of dig with a cookie'])
    assert.equal(query.id, 0x33ba)
    assert.equal(query.name, named('www.Example.com'))
    assert.equal(query.folded, named('www.example.com'))
    assert.equal(query.type, TYPE.A)
    assert.equal(query.class, 1)
    assert.equal(query.questionEnd, 33)
    assert.deepEqual(query.edns, { payloadBytes: 1232, dnssecOk: false, keepalive: false })
  })

  it('may ask for DNSSEC records and bring options nobody knows', () => {
    const query = sound(captured['a query of dig with DO and a client subnet'])
    assert.equal(query.type, TYPE.HTTPS)
    assert.deepEqual(query.edns, { payloadBytes: 1232, dnssecOk: true, keepalive: false })
  })

  it('may come without EDNS', () => {
    const query = sound(captured['a query of kdig without EDNS'])
    assert.equal(query.edns, undefined)
    assert.equal(query.type, TYPE.AAAA)
  })

  it('may be of another class and padded', () => {
    const query = sound(captured['a query of kdig in class CH with padding'])
    assert.equal(query.class, 3)
    assert.equal(query.edns?.payloadBytes, 4096)
  })

  it('says whether it asked how long a connection is kept', () => {
    const bytes = encodeMessage({
      id: 1,
      flags: 0,
      rcode: 0,
      questions: [{ name: named('a'), type: 1, class: 1 }],
      answers: [],
      authority: [],
      additional: [],
      edns: ourEdns([{ code: 11, data: new Uint8Array(0) }]),
    }).bytes
    assert.equal(sound(bytes).edns?.keepalive, true)
  })

  it('may be signed: what is no OPT is stepped over', () => {
    const bytes = fromHex(
      `beef010000010000000000010161000001000100 00fa00ff00000000 0003 010203`.replaceAll(' ', ''),
    )
    assert.equal(sound(bytes).edns, undefined)
  })

  it('may have 255 bytes of name and bytes after its end', () => {
    const label = `3f${'61'.repeat(63)}`
    const name = `${label.repeat(3)}3d${'61'.repeat(61)}00`
    const bytes = fromHex(`beef01000001000000000000${name}00010001ffff`)
    assert.equal(sound(bytes).name.length, 255)
  })

  it('is what it was when it was written', () => {
    fc.assert(
      fc.property(
        anyName,
        fc.integer({ min: 0, max: 0xffff }),
        fc.boolean(),
        (name, id, dnssecOk) => {
          const { bytes } = encodeMessage({
            id,
            flags: 0x0100,
            rcode: 0,
            questions: [{ name, type: 28, class: 1 }],
            answers: [],
            authority: [],
            additional: [],
            edns: ourEdns([], dnssecOk),
          })
          const query = sound(bytes)
          assert.equal(query.name, name)
          assert.equal(query.folded, foldName(name))
          assert.equal(query.id, id)
          assert.equal(query.edns?.dnssecOk, dnssecOk)
        },
      ),
    )
  })

  for (const { what, bytes, rcode } of brokenQueries) {
    const fate = rcode === undefined ? 'gets no answer' : `is answered with rcode ${rcode}`
    it(`that ${what} ${fate}`, () => {
      const verdict = decodeQuery(bytes)
      if (rcode === undefined) {
        assert.equal(verdict.kind, 'drop')
        return
      }
      assert.ok(verdict.kind === 'refuse', verdict.kind)
      assert.equal(verdict.rcode, rcode)
      const answer = encodeRefusal(bytes, verdict, 1232)
      assert.equal(toHex(answer.subarray(0, 2)), 'beef')
      assert.ok((answer[2] ?? 0) & 0x80, 'no response')
      assert.equal(((answer[2] ?? 0) >> 3) & 15, ((bytes[2] ?? 0) >> 3) & 15, 'another opcode')
      assert.equal((answer[3] ?? 0) & 15, rcode & 15)
      // An answer larger than its query would be worth spoofing an address for.
      assert.ok(answer.length <= Math.max(bytes.length, 12), 'an amplifier')
    })
  }
})

describe('the refusal of a query', () => {
  it('is the header alone where there is no question', () => {
    const bytes = fromHex('beef09100000000000000000')
    const verdict = decodeQuery(bytes)
    assert.ok(verdict.kind === 'refuse')
    assert.equal(toHex(encodeRefusal(bytes, verdict, 1232)), 'beef89140000000000000000')
  })

  it('of an EDNS version has the question as it came and OPT with the upper bits', () => {
    const bytes = fromHex('beef01000001000000000001014100000100010000291000000100000000')
    const verdict = decodeQuery(bytes)
    assert.ok(verdict.kind === 'refuse')
    assert.equal(verdict.rcode, RCODE.BADVERS)
    assert.equal(
      toHex(encodeRefusal(bytes, verdict, 1232)),
      'beef810000010000000000010141000001000100002904d0010000000000',
    )
  })
})
