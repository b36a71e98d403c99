import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { toHex } from '../../../src/base/bytes.ts'
import {
  CLASS,
  EDNS_OPTION,
  EXTENDED_ERROR,
  FLAG,
  MDNS_CLASS_FLAG,
  PLAIN_UDP_BYTES,
  TYPE,
} from '../../../src/base/dns/codes.ts'
import { decodeMessage } from '../../../src/base/dns/decode-message.ts'
import {
  extendedErrorOption,
  extendedErrors,
  keepaliveOption,
  ourEdns,
  paddingOption,
} from '../../../src/base/dns/edns.ts'
import { encodeMessage } from '../../../src/base/dns/encode-message.ts'
import type { Message, ResourceRecord } from '../../../src/base/dns/message.ts'
import { nameData } from '../../../src/base/dns/record-data.ts'
import { anyMessage, captured, named } from './messages.ts'

const plain = (bytes: Uint8Array): Message => {
  const decoded = decodeMessage(bytes)
  assert.ok(decoded.ok, JSON.stringify(decoded))
  return decoded.message
}

/** Views and copies of the same bytes are equal here. */
const comparable = (message: Message): unknown =>
  JSON.parse(
    JSON.stringify(message, (_key, value: unknown) =>
      value instanceof Uint8Array ||
      (typeof value === 'object' &&
        value !== null &&
        'data' in value &&
        'type' in value &&
        value.type === 'Buffer')
        ? toHex(Uint8Array.from(value instanceof Uint8Array ? value : (value.data as number[])))
        : value,
    ),
  )

const base: Message = {
  id: 7,
  flags: FLAG.QR,
  rcode: 0,
  questions: [{ name: named('www.example.com'), type: TYPE.A, class: CLASS.IN }],
  answers: [],
  authority: [],
  additional: [],
}

const address = (name: string): ResourceRecord => ({
  name: named(name),
  type: TYPE.A,
  class: CLASS.IN,
  ttl: 60,
  data: Uint8Array.of(192, 0, 2, 1),
})

describe('a written message', () => {
  it('comes back as it was, whatever is in it', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const { bytes, truncated } = encodeMessage(message)
        assert.equal(truncated, false)
        assert.deepEqual(comparable(plain(bytes)), comparable(message))
      }),
      { numRuns: 300 },
    )
  })

  for (const [what, bytes] of Object.entries(captured)) {
    it(`means what ${what} means`, () => {
      const message = plain(bytes)
      const again = encodeMessage(message).bytes
      assert.deepEqual(comparable(plain(again)), comparable(message))
    })
  }

  it('has the very bytes of knot where knot compressed all it could', () => {
    for (const what of [
      'an SOA by knot',
      'a CNAME and its address by knot',
      'an NXDOMAIN with its SOA by knot',
    ] as const) {
      assert.equal(toHex(encodeMessage(plain(captured[what])).bytes), toHex(captured[what]))
    }
  })

  it('compresses names of the types of RFC 1035 and of no newer one', () => {
    const target = nameData(named('www.example.com'))
    const alias = { ...address('www.example.com'), type: TYPE.CNAME, data: target }
    assert.ok(toHex(encodeMessage({ ...base, answers: [alias] }).bytes).endsWith('0002c00c'))
    const whole = { ...alias, type: TYPE.DNAME }
    assert.ok(toHex(encodeMessage({ ...base, answers: [whole] }).bytes).endsWith(toHex(target)))
  })

  it('keeps the case of every name', () => {
    const { bytes } = encodeMessage({ ...base, answers: [address('WWW.example.com')] })
    assert.equal(plain(bytes).answers[0]?.name, named('WWW.example.com'))
  })

  it('says where its TTLs are', () => {
    const { bytes, ttlOffsets } = encodeMessage({
      ...base,
      answers: [address('a.example.com'), address('b.example.com')],
      edns: ourEdns(),
    })
    assert.equal(ttlOffsets.length, 2)
    for (const at of ttlOffsets) assert.equal(Buffer.from(bytes).readUInt32BE(at), 60)
  })

  it('is cut to its question where its answers do not fit', () => {
    const answers = Array.from({ length: 40 }, (_, index) => address(`host-${index}.example.com`))
    const message = { ...base, answers, edns: ourEdns() }
    const { bytes, truncated } = encodeMessage(message, PLAIN_UDP_BYTES)
    assert.equal(truncated, true)
    const cut = plain(bytes)
    assert.ok(cut.flags & FLAG.TC)
    assert.deepEqual([cut.answers, cut.questions.length, cut.edns?.payloadBytes], [[], 1, 1232])
    assert.equal(encodeMessage(message, 4096).truncated, false)
  })

  it('loses its additional records first', () => {
    const additional = Array.from({ length: 40 }, (_, index) =>
      address(`host-${index}.example.com`),
    )
    const { bytes, truncated } = encodeMessage(
      { ...base, answers: [address('a.b')], additional },
      512,
    )
    assert.equal(truncated, false)
    assert.deepEqual([plain(bytes).answers.length, plain(bytes).additional.length], [1, 0])
  })

  it('reaches names behind 16,383 bytes without a pointer', () => {
    const answers = Array.from({ length: 200 }, (_, index) => ({
      ...address(`h${index}.example.com`),
      type: 0xff00,
      data: new Uint8Array(100),
    }))
    const message = {
      ...base,
      answers: [...answers, address('late.example.org'), address('late.example.org')],
    }
    assert.deepEqual(comparable(plain(encodeMessage(message).bytes)), comparable(message))
  })

  it('has its upper rcode in OPT, and is a failure without one', () => {
    assert.equal(plain(encodeMessage({ ...base, rcode: 16, edns: ourEdns() }).bytes).rcode, 16)
    assert.equal(plain(encodeMessage({ ...base, rcode: 16 }).bytes).rcode, 2)
  })

  it('may set the flag that tells caches of mDNS to flush', () => {
    const record = { ...address('me.local'), class: CLASS.IN | MDNS_CLASS_FLAG }
    const message = { ...base, questions: [], answers: [record] }
    assert.equal(plain(encodeMessage(message).bytes).answers[0]?.class, 0x8001)
  })
})

describe('EDNS', () => {
  it('says why an answer is what it is (RFC 8914)', () => {
    const option = extendedErrorOption({ code: EXTENDED_ERROR.BLOCKED, text: 'private address' })
    assert.equal(toHex(option.data.subarray(0, 2)), '000f')
    const message = plain(encodeMessage({ ...base, edns: ourEdns([option]) }).bytes)
    assert.deepEqual(extendedErrors(message.edns), [{ code: 15, text: 'private address' }])
  })

  it('leaves out text that is no UTF-8, and options that are too short', () => {
    const options = [
      { code: EDNS_OPTION.EXTENDED_ERROR, data: Uint8Array.of(0, 22, 0xff) },
      { code: EDNS_OPTION.EXTENDED_ERROR, data: Uint8Array.of(0) },
      { code: EDNS_OPTION.COOKIE, data: new Uint8Array(8) },
    ]
    assert.deepEqual(extendedErrors(ourEdns(options)), [{ code: 22, text: '' }])
    assert.deepEqual(extendedErrors(undefined), [])
  })

  it('pads a query to a multiple of 128 (RFC 8467)', () => {
    for (let length = 0; length < 400; length++) {
      assert.equal((length + 4 + paddingOption(length).data.length) % 128, 0)
    }
  })

  it('says how long a connection is kept, in tenths of a second (RFC 7828)', () => {
    assert.deepEqual([...keepaliveOption(10_000).data], [0, 100])
    assert.deepEqual([...keepaliveOption(Number.MAX_SAFE_INTEGER).data], [255, 255])
  })
})
