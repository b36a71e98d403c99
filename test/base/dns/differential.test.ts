/** Two codecs by others, as second and third opinion on what a message says. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import DNS from 'dns2'
import dnsPacket, { type Answer, type Packet as OtherPacket } from 'dns-packet'
import fc from 'fast-check'
import { CLASS, FLAG, TYPE } from '../../../src/base/dns/codes.ts'
import { decodeMessage } from '../../../src/base/dns/decode-message.ts'
import { decodeQuery } from '../../../src/base/dns/decode-query.ts'
import { ourEdns } from '../../../src/base/dns/edns.ts'
import { encodeMessage } from '../../../src/base/dns/encode-message.ts'
import type { Message, ResourceRecord } from '../../../src/base/dns/message.ts'
import { type DnsName, textOfName } from '../../../src/base/dns/name.ts'
import {
  addressData,
  mxData,
  nameData,
  readAddress,
  readNameData,
  readTxt,
  soaData,
  soaMinimum,
  srvData,
  txtData,
} from '../../../src/base/dns/record-data.ts'
import { captured, named } from './messages.ts'

/** Both libraries know names as text: labels without dots and without bytes beyond ASCII. */
const anyText = fc
  .array(fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/), { minLength: 1, maxLength: 5 })
  .map((labels) => labels.join('.'))
const anyTtl = fc.integer({ min: 0, max: 0x7fffffff })
const anyWord = fc.integer({ min: 0, max: 0xffff })

/** A record in our words and in theirs. */
interface Pair {
  ours: ResourceRecord
  theirs: Answer
}

const pair = (
  name: string,
  ttl: number,
  of: { type: number; data: Uint8Array; theirs: { type: string; data: unknown } },
): Pair => ({
  ours: { name: named(name), type: of.type, class: CLASS.IN, ttl, data: of.data },
  theirs: { name, ttl, class: 'IN', ...of.theirs } as Answer,
})

const bytes = (text: string): Uint8Array => addressData(text) ?? new Uint8Array(0)

const anyPair: fc.Arbitrary<Pair> = fc
  .tuple(
    anyText,
    anyTtl,
    fc.oneof(
      fc.ipV4().map((ip) => ({ type: TYPE.A, data: bytes(ip), theirs: { type: 'A', data: ip } })),
      fc.ipV6().map((ip) => {
        const data = bytes(ip)
        return { type: TYPE.AAAA, data, theirs: { type: 'AAAA', data: readAddress(data) } }
      }),
      anyText.map((text) => ({
        type: TYPE.CNAME,
        data: nameData(named(text)),
        theirs: { type: 'CNAME', data: text },
      })),
      anyText.map((text) => ({
        type: TYPE.PTR,
        data: nameData(named(text)),
        theirs: { type: 'PTR', data: text },
      })),
      fc.tuple(anyWord, anyText).map(([preference, exchange]) => ({
        type: TYPE.MX,
        data: mxData(preference, named(exchange)),
        theirs: { type: 'MX', data: { preference, exchange } },
      })),
      fc
        .record({ priority: anyWord, weight: anyWord, port: anyWord, target: anyText })
        .map((srv) => ({
          type: TYPE.SRV,
          data: srvData({ ...srv, target: named(srv.target) }),
          theirs: { type: 'SRV', data: srv },
        })),
      fc
        .array(fc.uint8Array({ minLength: 1, maxLength: 255 }), { minLength: 1, maxLength: 3 })
        .map((strings) => ({
          type: TYPE.TXT,
          data: txtData(strings),
          theirs: { type: 'TXT', data: strings.map((one) => Buffer.from(one)) },
        })),
      fc
        .record({ mname: anyText, rname: anyText, serial: anyTtl, minimum: anyTtl })
        .map(({ mname, rname, serial, minimum }) => ({
          type: TYPE.SOA,
          data: soaData({
            primary: named(mname),
            mailbox: named(rname),
            serial,
            refresh: 1,
            retry: 2,
            expire: 3,
            minimum,
          }),
          theirs: {
            type: 'SOA',
            data: { mname, rname, serial, refresh: 1, retry: 2, expire: 3, minimum },
          },
        })),
    ),
  )
  .map(([name, ttl, of]) => pair(name, ttl, of))

const anyExchange = fc.record({
  id: anyWord,
  name: anyText,
  pairs: fc.array(anyPair, { maxLength: 8 }),
})

type Exchange = typeof anyExchange extends fc.Arbitrary<infer Value> ? Value : never

const oursOf = ({ id, name, pairs }: Exchange): Message => ({
  id,
  flags: FLAG.QR | FLAG.RD | FLAG.RA,
  rcode: 0,
  questions: [{ name: named(name), type: TYPE.A, class: CLASS.IN }],
  answers: pairs.map(({ ours }) => ours),
  authority: [],
  additional: [],
})

const theirsOf = ({ id, name, pairs }: Exchange): OtherPacket => ({
  type: 'response',
  id,
  flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE,
  questions: [{ type: 'A', name, class: 'IN' }],
  answers: pairs.map(({ theirs }) => theirs),
})

/** Views and copies of the same bytes are equal here. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, part: unknown) => {
      if (part instanceof Uint8Array) return Buffer.from(part).toString('hex')
      const isBuffer =
        typeof part === 'object' && part !== null && 'type' in part && part.type === 'Buffer'
      return isBuffer && 'data' in part ? Buffer.from(part.data as number[]).toString('hex') : part
    }),
  )

const withoutFlush = (answers: readonly Answer[] | undefined) =>
  (answers ?? []).map((answer) => {
    const { name, type, data } = answer as { name: string; type: string; data: unknown }
    return { name, type, data, ttl: 'ttl' in answer ? answer.ttl : undefined }
  })

describe('dns-packet', () => {
  it('reads what we write as we meant it', () => {
    fc.assert(
      fc.property(anyExchange, (exchange) => {
        const read = dnsPacket.decode(Buffer.from(encodeMessage(oursOf(exchange)).bytes))
        assert.equal(read.id, exchange.id)
        assert.equal(read.questions?.[0]?.name, exchange.name)
        assert.deepEqual(
          plain(withoutFlush(read.answers)),
          plain(withoutFlush(theirsOf(exchange).answers)),
        )
      }),
    )
  })

  it('writes what we read as it meant it', () => {
    fc.assert(
      fc.property(anyExchange, (exchange) => {
        const decoded = decodeMessage(dnsPacket.encode(theirsOf(exchange)))
        assert.ok(decoded.ok, JSON.stringify(decoded))
        assert.deepEqual(plain(decoded.message), plain(oursOf(exchange)))
      }),
    )
  })

  for (const [what, packet] of Object.entries(captured)) {
    it(`sees in ${what} what we see`, () => {
      const read = dnsPacket.decode(Buffer.from(packet))
      const decoded = decodeMessage(packet)
      assert.ok(decoded.ok)
      const { message } = decoded
      assert.equal(read.id, message.id)
      assert.deepEqual(
        (read.questions ?? []).map(({ name }) => name),
        message.questions.map(({ name }) => textOfName(name)),
      )
      const names = (answers: readonly Answer[] | undefined) =>
        (answers ?? []).filter(({ type }) => type !== 'OPT').map(({ name }) => name)
      assert.deepEqual(
        [names(read.answers), names(read.authorities), names(read.additionals)],
        [message.answers, message.authority, message.additional].map((section) =>
          section.map(({ name }) => textOfName(name)),
        ),
      )
    })
  }
})

describe('dns2', () => {
  const parse = (packet: Uint8Array) => DNS.Packet.parse(Buffer.from(packet))

  it('reads what we write as we meant it', () => {
    fc.assert(
      fc.property(anyExchange, (exchange) => {
        const message = oursOf(exchange)
        const read = parse(encodeMessage({ ...message, edns: ourEdns() }).bytes)
        assert.equal(read.header.id, exchange.id)
        assert.equal(read.questions[0]?.name, exchange.name)
        assert.deepEqual(
          read.answers.map(({ name, type, ttl }) => ({ name, type, ttl })),
          message.answers.map(({ name, type, ttl }) => ({ name: textOfName(name), type, ttl })),
        )
        for (const [index, record] of message.answers.entries())
          sameData(read.answers[index], record)
      }),
    )
  })

  it('asks questions that we read as it meant them', () => {
    fc.assert(
      fc.property(anyText, anyWord, (name, id) => {
        const request = new DNS.Packet()
        request.header.id = id
        request.header.rd = 1
        request.questions.push(new DNS.Packet.Question(name, TYPE.AAAA, CLASS.IN))
        const query = decodeQuery(request.toBuffer())
        assert.ok(query.kind === 'query')
        assert.deepEqual([query.name, query.type, query.id], [named(name), TYPE.AAAA, id])
        assert.ok(query.flags & FLAG.RD)
      }),
    )
  })

  /** The fields it gives for the types it knows. */
  function sameData(read: unknown, { type, data }: ResourceRecord): void {
    const theirs = read as Record<string, unknown>
    const text = (name: DnsName | undefined) => (name === undefined ? undefined : textOfName(name))
    if (type === TYPE.A) assert.equal(theirs['address'], readAddress(data))
    if (type === TYPE.CNAME || type === TYPE.PTR)
      assert.equal(theirs['domain'], text(readNameData(data)))
    if (type === TYPE.MX) assert.equal(theirs['exchange'], text(readNameData(data.subarray(2))))
    if (type === TYPE.SRV) assert.equal(theirs['target'], text(readNameData(data.subarray(6))))
    if (type === TYPE.SOA) assert.equal(theirs['minimum'], soaMinimum(data))
    if (type === TYPE.TXT) {
      const joined = Buffer.concat(readTxt(data)).toString('latin1')
      assert.equal(
        typeof theirs['data'] === 'string' ? theirs['data'].length > 0 : true,
        joined.length > 0,
      )
    }
  }
})
