/**
 * Attacks on a resolver, one test or more for each. Most stand beside what they are about:
 *
 *   forged answers, guessed ids and ports    test/engines/upstream-dns/forged.test.ts
 *   many questions for one name at once      forward.test.ts: "is asked for once"
 *   fragments                                forged.test.ts: "asks for datagrams of 1232 bytes at most"
 *   records nobody asked for, long chains    forged.test.ts: "an answer that says more than was asked"
 *   one question that costs many             forged.test.ts: "costs a silent server at most three packets"
 *   answers that were saved up (DNSBomb)     forward.test.ts: "that comes too late is not sent over UDP"
 *   private addresses (rebinding)            forward.test.ts: "an answer from the internet"
 *   strangers, spoofed sources               guard.test.ts, test/netns/dns.test.ts
 *   connections that do nothing              transport.test.ts, test/netns/dns.test.ts
 *   names below ours without end             names.test.ts: "fills no memory and moves nobody"
 *   packets that cost time                   test/base/dns/fuzz.test.ts, fuzz.test.ts, bench/dns-codec.ts
 *   responses, ports 0, 7, 13, 17, 19        test/vectors/broken-dns.ts, guard.test.ts
 *   ourselves as the server to ask           plans.test.ts: "does not start with itself as a server"
 *   a host that calls itself wpad            names.test.ts: it is ours or nobody's
 *
 * Here are those that need the whole resolver.
 */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { CLASS, FLAG, RCODE, TYPE } from '../../../src/base/dns/codes.ts'
import { nameOfText } from '../../../src/base/dns/name.ts'
import { addressData } from '../../../src/base/dns/record-data.ts'
import type { DnsAnswer, DnsQuestion } from '../../../src/base/ports/dns-upstream.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createChain } from '../../../src/edges/dns/chain.ts'
import { createResolver } from '../../../src/edges/dns/resolver.ts'
import { createDice, mutated } from '../../base/dns/mutate.ts'
import { startUpstream } from '../../engines/upstream-dns/config.ts'
import { finallyDo } from '../../support/temp.ts'
import { brokenQueries } from '../../vectors/broken-dns.ts'
import { ask, connectTcp, dnsConfig, exchange, queryFor, read, startHouse } from './house.ts'

const MB = 1024 * 1024
const TCP = { transport: 'tcp', idleMs: 10_000 } as const
const EMPTY_MESSAGE = { id: 0, rcode: 0, questions: [], authority: [], additional: [] }

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of memory that are in use, after everything else was given back: buffers go the second time. */
function usedBytes(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const nowhere = () => ({ v4: undefined, v6: undefined })

describe('the resolver under attack', () => {
  it('forgets no name of the house for 200,000 that nobody asks twice, and grows no further', async () => {
    const hotName = nameOfText('hot.example.com')
    let hotAsked = 0
    const data = addressData('192.0.2.1') ?? new Uint8Array(4)
    const upstream = {
      async ask({ name, type }: DnsQuestion): Promise<DnsAnswer> {
        if (name === hotName) hotAsked++
        const answers = [{ name, type, class: CLASS.IN, ttl: 3600, data }]
        const message = { ...EMPTY_MESSAGE, flags: FLAG.QR | FLAG.RA, answers }
        return { message, isTrusted: false, server: '192.0.2.53', transport: 'udp' }
      },
    }
    const { handlers, forward } = createChain(
      { upstream, now: () => performance.now(), tld: 'btlink', routed: [] },
      dnsConfig({ cache_size: 4 * MB }),
    )
    const resolver = createResolver({
      log: silentLog,
      handlers,
      remembered: (query) => forward.remembered(query),
    })
    const hot = queryFor('hot.example.com', TYPE.A)
    let half = 0
    for (let round = 0; round < 200_000; round += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, index) =>
          resolver.answer(queryFor(`n${round + index}.example.com`, TYPE.A), nowhere, TCP),
        ),
      )
      await resolver.answer(hot, nowhere, TCP)
      if (round === 100_000) half = usedBytes()
    }
    assert.equal(hotAsked, 1)
    assert.ok((forward.stats()['bytes'] ?? 0) <= 4 * MB)
    assert.ok((forward.stats()['evicted'] ?? 0) > 100_000)
    const grown = (usedBytes() - half) / MB
    assert.ok(grown < 4, `${grown.toFixed(1)} MB more after the second half`)
  })

  it('asks once, and ends it, where the server it asks sends the question back to it', async (t) => {
    const relay = createSocket('udp4')
    relay.bind(0, '127.0.0.1')
    await once(relay, 'listening')
    finallyDo(t, () => void relay.close())
    const upstream = await startUpstream(t, {
      servers: [`127.0.0.1:${relay.address().port}`],
      try_timeout: 200,
      timeout: 600,
    })
    const house = await startHouse(t, {}, { upstream })
    let passed = 0
    relay.on('message', (packet, from) => {
      if (from.port === house.port) return
      passed++
      relay.send(packet, house.port, '127.0.0.1')
    })
    const answer = await ask(house, 'round.and.round.com', TYPE.A)
    assert.equal(answer.rcode, RCODE.SERVFAIL)
    assert.ok(passed <= 3, `${passed} times round`)
  })

  it('sends nobody more over UDP than it says, and no fault more than it got', async (t) => {
    const house = await startHouse(t)
    const dice = createDice(20_261_121)
    const packets = [
      ...brokenQueries.map(({ bytes }) => bytes),
      ...Array.from({ length: 300 }, () => mutated(dice)),
      ...['ANY', 'long'].map((kind) =>
        queryFor('long.example.test', kind === 'ANY' ? TYPE.ANY : TYPE.TXT, {
          payloadBytes: 65_535,
        }),
      ),
    ]
    const socket = createSocket('udp4')
    finallyDo(t, () => void socket.close())
    const sent = new Map<number, number>()
    let answers = 0
    socket.on('message', (answer) => {
      answers++
      const id = answer.readUInt16BE(0)
      assert.ok(answer.length <= 1232, `${answer.length} bytes`)
      const isFault = ((answer[3] ?? 0) & 15) === RCODE.FORMERR
      if (isFault)
        assert.ok(answer.length <= (sent.get(id) ?? 0), `${answer.length} bytes of fault`)
    })
    for (const [index, packet] of packets.entries()) {
      const copy = Buffer.from(packet)
      if (copy.length >= 2) copy.writeUInt16BE(index, 0)
      sent.set(index, copy.length)
      socket.send(copy, house.port, '127.0.0.1')
      // One at a time would wait for those that get no answer.
      if (index % 20 === 0) await ask(house, 'btlink', TYPE.A)
    }
    await ask(house, 'btlink', TYPE.A)
    assert.ok(answers > 20)
  })

  it('answers no answer, so that two resolvers cannot talk for ever', async (t) => {
    const house = await startHouse(t)
    const response = queryFor('btlink', TYPE.A, { flags: FLAG.QR | FLAG.RD })
    assert.equal(await exchange(house.port, response, { timeoutMs: 200 }), undefined)
    const client = await connectTcp(t, house.port)
    client.send(response)
    client.send(queryFor('btlink', TYPE.A, { id: 7 }))
    assert.equal((await client.next())?.id, 7)
  })

  it('tells nobody what it is, in any class or case', async (t) => {
    const house = await startHouse(t)
    for (const name of ['version.bind', 'VERSION.BIND', 'id.server', 'hostname.bind']) {
      const answer = read(await exchange(house.port, queryFor(name, TYPE.TXT, { class: 3 })))
      assert.equal(answer.rcode, RCODE.REFUSED, name)
      assert.deepEqual(answer.answers, [])
    }
  })

  it('asks for names as bytes: one label with a dot is not two', async (t) => {
    const house = await startHouse(t)
    await ask(house, 'a\\.b.com', TYPE.A)
    await ask(house, 'a.b.com', TYPE.A)
    assert.deepEqual(house.upstream.asked, ['a\\.b.com 1', 'a.b.com 1'])
  })
})
