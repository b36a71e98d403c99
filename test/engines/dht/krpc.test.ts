import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encode } from '../../../src/base/bencode.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import {
  type Contact,
  decodeMessage,
  encodeError,
  encodeQuery,
  encodeResponse,
  type Question,
} from '../../../src/engines/dht/krpc.ts'
import { bitFlips, brokenDatagrams, goodQueries } from './datagrams.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const id = bytes(20)
const port = fc.integer({ min: 1, max: 65535 })
const peer4 = fc.record({ host: fc.ipV4(), port })
const contact4: fc.Arbitrary<Contact> = fc.record({ id, host: fc.ipV4(), port })
const item = fc.record({
  value: fc.uint8Array({ maxLength: 400 }).map((value) => encode(value)),
  key: bytes(32),
  signature: bytes(64),
  seq: fc.nat(),
})
const question: fc.Arbitrary<Question> = fc.oneof(
  fc.constant({ method: 'ping' as const }),
  fc.record({ method: fc.constant('find_node' as const), target: id }),
  fc.record({ method: fc.constant('get_peers' as const), target: id }),
  fc.record({ method: fc.constant('get' as const), target: id, seq: fc.nat() }),
  fc.record({
    method: fc.constant('announce_peer' as const),
    target: id,
    token: bytes(8),
    port,
    impliedPort: fc.boolean(),
  }),
  fc.record({
    method: fc.constant('put' as const),
    token: bytes(8),
    item,
    salt: fc.uint8Array({ maxLength: 64 }),
    cas: fc.nat(),
  }),
)
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, inner: unknown) =>
      inner instanceof Uint8Array ? [...inner] : inner,
    ),
  )

describe('the KRPC codec', () => {
  it('reads back every query that it writes', () => {
    const query = fc.record({
      transaction: bytes(2),
      id,
      readOnly: fc.boolean(),
      want: fc.constantFrom<(4 | 6)[][]>([], [4], [6], [4, 6]),
      question,
    })
    fc.assert(
      fc.property(query, (written) => {
        const read = decodeMessage(encodeQuery(written))
        assert.deepEqual(plain(read), plain({ kind: 'query', ...written }))
      }),
    )
  })

  it('reads back every response that it writes', () => {
    const answer = fc.record({
      id,
      nodes: fc.array(contact4, { maxLength: 8 }),
      nodes6: fc.constant<Contact[]>([]),
      peers: fc.array(peer4, { maxLength: 50 }),
      token: bytes(8),
      item,
    })
    fc.assert(
      fc.property(bytes(2), answer, peer4, (transaction, written, seenAs) => {
        const full = { ...written, seq: written.item.seq }
        const read = decodeMessage(encodeResponse(transaction, full, seenAs))
        const extra = { kind: 'response', transaction, seenAs, badItem: false }
        assert.deepEqual(plain(read), plain({ ...full, ...extra }))
      }),
    )
  })

  it('reads IPv6 nodes and peers (BEP 32)', () => {
    const node = { id: new Uint8Array(20).fill(7), host: '2001:db8::5', port: 6881 }
    const written = { id: node.id, nodes: [], nodes6: [node], peers: [{ host: '::1', port: 1 }] }
    const read = decodeMessage(encodeResponse(utf8('aa'), written))
    assert.equal(read?.kind, 'response')
    assert.deepEqual(plain(read.nodes6), plain([node]))
    assert.deepEqual(read.peers, [{ host: '::1', port: 1 }])
  })

  it('reads the error of BEP 5', () => {
    const read = decodeMessage(utf8('d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee'))
    assert.equal(read?.kind, 'error')
    assert.equal(read.code, 201)
    assert.equal(read.message, 'A Generic Error Ocurred')
    assert.equal(decodeMessage(encodeError(utf8('t'), 302, 'old'))?.kind, 'error')
  })

  it('reads the examples of BEP 5', () => {
    const ping = 'd1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe'
    assert.equal(decodeMessage(utf8(ping))?.kind, 'query')
    const announce =
      'd1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe'
    const read = decodeMessage(utf8(announce))
    assert.equal(read?.kind, 'query')
    assert.equal(read.question.method, 'announce_peer')
    assert.ok(read.question.impliedPort)
    const found =
      'd1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re'
    const response = decodeMessage(utf8(found))
    assert.equal(response?.kind, 'response')
    assert.deepEqual(response.peers, [
      { host: '97.120.106.101', port: 11893 },
      { host: '105.100.104.116', port: 28269 },
    ])
  })

  for (const [what, datagram] of Object.entries(brokenDatagrams)) {
    it(`takes no query out of ${what}`, () => {
      assert.notEqual(decodeMessage(datagram)?.kind, 'query')
    })
  }

  it('never throws, whatever bits are flipped or bytes are sent', () => {
    for (const flipped of bitFlips(Object.values(goodQueries), 10_000)) decodeMessage(flipped)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (junk) => {
        decodeMessage(junk)
      }),
    )
  })
})
