/** What every DnsUpstream does, whether the fake in memory or the real one on sockets; both know the zone. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { codeOf } from '../../src/base/errors.ts'
import { toHex } from '../../src/base/bytes.ts'
import { CLASS, FLAG, RCODE, TYPE } from '../../src/base/dns/codes.ts'
import { type DnsName, textOfName } from '../../src/base/dns/name.ts'
import { readAddress, readTxt } from '../../src/base/dns/record-data.ts'
import type { DnsAnswer, DnsUpstream } from '../../src/base/ports/dns-upstream.ts'
import { LONG_TEXTS, named } from '../support/dns-zone.ts'

/** A fresh one, not started. */
export type CreateUpstream = () => Promise<{ upstream: DnsUpstream; stop(): Promise<void> }>

export function complyAsDnsUpstream(name: string, create: CreateUpstream): void {
  describe(`${name} complies as a DNS upstream`, () => {
    let upstream: DnsUpstream
    let stop: () => Promise<void>
    const ask = async (text: string | DnsName, type: number, signal?: AbortSignal) =>
      upstream.ask(
        { name: text.endsWith('\0') ? (text as DnsName) : named(text), type, class: CLASS.IN },
        signal,
      )
    const addresses = ({ message }: DnsAnswer) =>
      message.answers
        .filter((record) => record.type === TYPE.A || record.type === TYPE.AAAA)
        .map((record) => readAddress(record.data))

    before(async () => {
      const made = await create()
      ;({ upstream } = made)
      stop = async () => made.stop()
      await assert.rejects(async () => ask('web.example.test', TYPE.A), 'asked before its start')
      await upstream.start(new AbortController().signal)
    })
    after(async () => stop())

    it('answers with addresses', async () => {
      const answer = await ask('web.example.test', TYPE.A)
      assert.deepEqual(addresses(answer), ['192.0.2.80'])
      assert.ok(answer.message.flags & FLAG.QR)
      assert.deepEqual(addresses(await ask('web.example.test', TYPE.AAAA)), ['2001:db8::80'])
    })

    it('follows aliases and shows them', async () => {
      const answer = await ask('www.example.test', TYPE.A)
      assert.deepEqual(
        answer.message.answers.map((record) => [textOfName(record.name), record.type]),
        [
          ['www.example.test', TYPE.CNAME],
          ['web.example.test', TYPE.A],
        ],
      )
    })

    it('answers in the case it was asked in', async () => {
      const { message } = await ask('WeB.eXaMpLe.TeSt', TYPE.A)
      assert.equal(message.questions[0]?.name, named('WeB.eXaMpLe.TeSt'))
      assert.equal(message.answers[0]?.name, named('WeB.eXaMpLe.TeSt'))
    })

    it('says with an SOA that a name is not there', async () => {
      const { message } = await ask('nothing.example.test', TYPE.A)
      assert.equal(message.rcode, RCODE.NXDOMAIN)
      assert.equal(message.authority[0]?.type, TYPE.SOA)
    })

    it('says with an SOA that a name has no such record', async () => {
      const { message } = await ask('web.example.test', TYPE.MX)
      assert.equal(message.rcode, RCODE.NOERROR)
      assert.deepEqual(message.answers, [])
      assert.equal(message.authority[0]?.type, TYPE.SOA)
    })

    it('brings records that no datagram holds', async () => {
      const { message } = await ask('long.example.test', TYPE.TXT)
      const texts = message.answers.map((record) => Buffer.concat(readTxt(record.data)).toString())
      assert.deepEqual(texts.sort(), LONG_TEXTS)
    })

    it('brings types nobody knows byte for byte', async () => {
      const { message } = await ask('unknown.example.test', 65280)
      assert.equal(toHex(message.answers[0]?.data ?? new Uint8Array(0)), '0a000001')
    })

    it('leaves out what was not asked for', async () => {
      const { message } = await ask('web.example.test', TYPE.HTTPS)
      assert.deepEqual(
        message.answers.map((record) => record.type),
        [TYPE.HTTPS],
      )
      assert.deepEqual(message.additional, [])
    })

    it('gives up when its signal aborts, with the reason', async () => {
      const reason = new Error('the client left')
      await assert.rejects(ask('web.example.test', TYPE.A, AbortSignal.abort(reason)), reason)
    })

    it('answers many at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, async () => ask('web.example.test', TYPE.A)),
      )
      assert.ok(answers.every((answer) => addresses(answer)[0] === '192.0.2.80'))
    })

    it('tells how its servers do', () => {
      const [server] = upstream.servers()
      assert.ok(server?.isUp)
      assert.ok(server.answered > 0)
      assert.ok((upstream.stats()['answered'] ?? 0) > 0)
    })

    it('refuses after its end, which may come twice', async () => {
      await upstream.stop()
      await upstream.stop()
      const failure = await ask('web.example.test', TYPE.A).catch((error: unknown) => error)
      assert.equal(codeOf(failure), 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE')
    })
  })
}
