/** Several servers, some of which fail: who is asked, and who is left alone. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CLASS, RCODE, TYPE } from '../../../src/base/dns/codes.ts'
import { extendedErrorOption, ourEdns } from '../../../src/base/dns/edns.ts'
import type { DnsQuestion } from '../../../src/base/ports/dns-upstream.ts'
import { codeOf } from '../../../src/base/errors.ts'
import { named } from '../../support/dns-zone.ts'
import { freePort } from '../../support/free-port.ts'
import { until } from '../../support/until.ts'
import { startUpstream } from './config.ts'
import { bytesOf, type Handler, honest, startRogue } from './rogue-server.ts'

const WEB: DnsQuestion = { name: named('web.example.test'), type: TYPE.A, class: CLASS.IN }
const good: Handler = (seen, reply) => reply(bytesOf(honest(seen)))
const silent: Handler = () => undefined
const slow =
  (ms: number): Handler =>
  (seen, reply) =>
    void setTimeout(() => reply(bytesOf(honest(seen))), ms)
const at = ({ port }: { port: number }) => `127.0.0.1:${port}`

describe('strict', () => {
  it('asks the second only where the first fails', async (t) => {
    let isFailing = false
    const first = await startRogue(t, (seen, reply) =>
      reply(bytesOf(honest(seen, isFailing ? { rcode: RCODE.REFUSED, answers: [] } : {}))),
    )
    const second = await startRogue(t, good)
    const upstream = await startUpstream(t, { servers: [at(first), at(second)] })
    assert.equal((await upstream.ask(WEB)).server, at(first))
    assert.equal(second.seen.length, 0)
    isFailing = true
    assert.equal((await upstream.ask(WEB)).server, at(second))
  })

  it('believes a server that says validation failed', async (t) => {
    const first = await startRogue(t, (seen, reply) => {
      const edns = ourEdns([extendedErrorOption({ code: 6, text: '' })])
      reply(bytesOf(honest(seen, { rcode: RCODE.SERVFAIL, answers: [], edns })))
    })
    const second = await startRogue(t, good)
    const upstream = await startUpstream(t, { servers: [at(first), at(second)] })
    assert.equal((await upstream.ask(WEB)).message.rcode, RCODE.SERVFAIL)
    assert.equal(second.seen.length, 0)
  })

  it('goes on at once where nobody listens', async (t) => {
    const second = await startRogue(t, good)
    const upstream = await startUpstream(t, {
      servers: [`127.0.0.1:${await freePort()}`, at(second)],
      try_timeout: 5000,
      timeout: 2000,
    })
    assert.equal((await upstream.ask(WEB)).server, at(second))
  })

  it('goes on at once where there is no way to a server', async (t) => {
    const second = await startRogue(t, good)
    const upstream = await startUpstream(t, {
      // The kernel refuses to connect to it, as it does to any network while the uplink is down.
      servers: ['255.255.255.255', at(second)],
      try_timeout: 5000,
      timeout: 2000,
    })
    assert.equal((await upstream.ask(WEB)).server, at(second))
    assert.equal(upstream.servers()[0]?.failed, 1)
  })

  it('leaves a dead server alone, finds out by itself when it is back, and asks it again', async (t) => {
    let now = 0
    const first = await startRogue(t, silent)
    const second = await startRogue(t, good)
    const upstream = await startUpstream(
      t,
      { servers: [at(first), at(second)], try_timeout: 50 },
      { now: () => now },
    )
    for (let round = 0; round < 3; round++) await upstream.ask(WEB)
    assert.equal(upstream.servers()[0]?.isUp, false)
    assert.equal((await upstream.health()).status, 'degraded')
    const before = first.seen.length
    await upstream.ask(WEB)
    assert.equal(first.seen.length, before, 'asked while it rests')
    // A server of the same address, which works.
    const { port } = first
    await first.stop()
    const back = await startRogue(t, good, port)
    now += 6000
    await upstream.ask(WEB)
    await until('the probe to come back', () => upstream.servers()[0]?.isUp)
    assert.equal(back.seen[0]?.message.questions[0]?.name, '\0', 'probed with a name of the house')
    assert.equal((await upstream.ask(WEB)).server, at(first))
    assert.equal((await upstream.health()).status, 'ok')
  })

  it('probes once at a time, and rests longer after each failure', async (t) => {
    let now = 0
    const first = await startRogue(t, silent)
    const second = await startRogue(t, good)
    const upstream = await startUpstream(
      t,
      { servers: [at(first), at(second)], try_timeout: 50, retry_after: 1000 },
      { now: () => now },
    )
    for (let round = 0; round < 3; round++) await upstream.ask(WEB)
    const probes = () => first.seen.filter((one) => one.message.questions[0]?.name === '\0').length
    now += 1001
    await Promise.all(Array.from({ length: 20 }, async () => upstream.ask(WEB)))
    await until('the probe to fail', () => (upstream.servers()[0]?.failed ?? 0) >= 4)
    assert.equal(probes(), 1)
    now += 1001
    await upstream.ask(WEB)
    assert.equal(probes(), 1, 'rested no longer than before')
    now += 1001
    await upstream.ask(WEB)
    await until('the second probe', () => probes() === 2)
  })

  it('asks the dead where none is alive', async (t) => {
    let isAlive = false
    const server = await startRogue(t, (seen, reply) => {
      if (isAlive) reply(bytesOf(honest(seen)))
    })
    const upstream = await startUpstream(t, { servers: [at(server)], try_timeout: 40 })
    assert.equal(
      codeOf(await upstream.ask(WEB).catch((error: unknown) => error)),
      'BTL_ERR_UPSTREAM_DNS_UNREACHABLE',
    )
    assert.equal((await upstream.health()).status, 'down')
    isAlive = true
    assert.equal((await upstream.ask(WEB)).message.rcode, 0)
  })
})

describe('parallel', () => {
  it('takes the first answer of two', async (t) => {
    const first = await startRogue(t, slow(400))
    const second = await startRogue(t, good)
    const upstream = await startUpstream(t, {
      servers: [at(first), at(second)],
      strategy: 'parallel',
    })
    assert.equal((await upstream.ask(WEB)).server, at(second))
    assert.equal(first.seen.length, 1)
    assert.equal(upstream.servers()[0]?.failed, 0, 'the slower one is blamed')
  })

  it('waits for the other where one fails', async (t) => {
    const first = await startRogue(t, slow(100))
    const second = await startRogue(t, (seen, reply) =>
      reply(bytesOf(honest(seen, { rcode: RCODE.SERVFAIL, answers: [] }))),
    )
    const upstream = await startUpstream(t, {
      servers: [at(first), at(second)],
      strategy: 'parallel',
    })
    assert.equal((await upstream.ask(WEB)).server, at(first))
  })

  it('asks a server that is alone once', async (t) => {
    const server = await startRogue(t, good)
    const upstream = await startUpstream(t, { servers: [at(server)], strategy: 'parallel' })
    await upstream.ask(WEB)
    assert.equal(server.seen.length, 1)
  })
})

describe('fastest', () => {
  it('settles on the quicker one, and tries the other now and then', async (t) => {
    const first = await startRogue(t, slow(30))
    const second = await startRogue(t, good)
    const upstream = await startUpstream(t, {
      servers: [at(first), at(second)],
      strategy: 'fastest',
    })
    for (let round = 0; round < 45; round++) await upstream.ask(WEB)
    assert.ok(second.seen.length > 35, `${second.seen.length} of 45`)
    assert.ok(first.seen.length >= 2, 'never tried again')
  })
})

describe('the engine', () => {
  it('sends the names of a domain to its own servers, and nowhere else when they fail', async (t) => {
    const main = await startRogue(t, good)
    const lan = await startRogue(t, good)
    const deep = await startRogue(t, silent)
    const upstream = await startUpstream(t, {
      servers: [at(main)],
      routes: [`example.test=${at(lan)}`, `deep.example.test=${at(deep)}`],
      try_timeout: 50,
    })
    assert.equal((await upstream.ask({ ...WEB, name: named('WEB.example.test') })).server, at(lan))
    await assert.rejects(upstream.ask({ ...WEB, name: named('a.deep.example.test') }))
    assert.equal((await upstream.ask({ ...WEB, name: named('example.org') })).server, at(main))
    assert.equal(
      main.seen.filter((one) => one.message.questions[0]?.name.toLowerCase().includes('deep'))
        .length,
      0,
    )
  })

  it('asks the fallback where all others are out of reach, and first while they rest', async (t) => {
    const main = await startRogue(t, silent)
    const fallback = await startRogue(t, good)
    const upstream = await startUpstream(t, {
      servers: [at(main)],
      fallback: [at(fallback)],
      try_timeout: 50,
    })
    assert.equal((await upstream.ask(WEB)).server, at(fallback))
    const before = main.seen.length
    assert.equal((await upstream.ask(WEB)).server, at(fallback))
    assert.equal(main.seen.length, before)
  })

  it('asks the servers of the machine, as they change', async (t) => {
    const one = await startRogue(t, good)
    let now = 0
    let text = '# nothing yet\n'
    // Only an address stands in resolv.conf: the port of the test's server takes the place of 53.
    const upstream = await startUpstream(
      t,
      { servers: ['system', at(one)], try_timeout: 50 },
      {
        now: () => now,
        readResolvConf: async () => text,
        isOwn: (address) => address === '127.0.0.53',
      },
    )
    const names = () => upstream.servers().map(({ server }) => server)
    assert.deepEqual(names(), [at(one)])
    text = 'search lan\nnameserver 192.0.2.53\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\n'
    now += 60_000
    upstream.ask(WEB).catch(() => undefined)
    await until('the new server', () => names().length === 2)
    assert.deepEqual(names(), ['192.0.2.53', at(one)])
  })

  for (const [what, changes, code] of [
    ['a name without encryption', { servers: ['dns.example'] }, 'BAD_SERVER'],
    ['a server with a port of its own kind of zero', { servers: ['1.1.1.1:0'] }, 'BAD_SERVER'],
    ['a port above the last', { servers: ['1.1.1.1:70000'] }, 'BAD_SERVER'],
    ['an unknown scheme', { servers: ['quic://1.1.1.1'] }, 'BAD_SERVER'],
    ['nothing', { servers: [''] }, 'BAD_SERVER'],
    ['a path without https', { servers: ['tls://1.1.1.1/x'] }, 'BAD_SERVER'],
    ['two addresses in one', { servers: ['tls://1.1.1.1#9.9.9.9'] }, 'BAD_SERVER'],
    ['a route without a server', { routes: ['lan='] }, 'BAD_SERVER'],
    ['a route without a domain', { routes: ['=1.1.1.1'] }, 'BAD_SERVER'],
    ['a bootstrap server given by name', { bootstrap: ['tls://dns.example'] }, 'BAD_SERVER'],
    ['itself', { servers: ['127.0.0.1:5300'] }, 'LOOP'],
    ['itself in a route', { routes: ['lan=127.0.0.1:5300'] }, 'LOOP'],
  ] as const) {
    it(`does not start with ${what} as a server`, async (t) => {
      await assert.rejects(
        startUpstream(
          t,
          {
            ...('servers' in changes ? { servers: [...changes.servers] } : {}),
            ...('routes' in changes ? { routes: [...changes.routes] } : {}),
            ...('bootstrap' in changes ? { bootstrap: [...changes.bootstrap] } : {}),
          },
          { isOwn: (address, port) => address === '127.0.0.1' && port === 5300 },
        ),
        { code: `BTL_ERR_UPSTREAM_DNS_${code}` },
      )
    })
  }

  it('asks servers of IPv6, over UDP and TCP', async (t) => {
    const server = await startRogue(t, good, 0, '::1')
    for (const text of [`[::1]:${server.port}`, `tcp://[::1]:${server.port}`]) {
      const upstream = await startUpstream(t, { servers: [text] })
      const answer = await upstream.ask(WEB)
      assert.deepEqual([answer.message.answers.length, answer.isTrusted], [1, true])
    }
  })

  it('may be given up at any moment, over every transport', async (t) => {
    const server = await startRogue(t, slow(3))
    for (const text of [
      at(server),
      `tcp://${at(server)}`,
      `tls://${at(server)}`,
      `https://${at(server)}`,
    ]) {
      const upstream = await startUpstream(t, { servers: [text], try_timeout: 60, timeout: 200 })
      const outcomes = Array.from({ length: 100 }, async (_, index) => {
        const leaving = new AbortController()
        const asked = upstream.ask(WEB, leaving.signal).then(
          () => 'answered',
          () => 'gave up',
        )
        setTimeout(() => leaving.abort(new Error('left')), index / 10)
        return asked
      })
      assert.equal((await Promise.all(outcomes)).length, 100)
      assert.equal(upstream.stats()['inFlight'], 0)
      await upstream.stop()
    }
  })

  it('starts without any server, and says so when asked', async (t) => {
    const upstream = await startUpstream(t, {})
    assert.equal((await upstream.health()).status, 'down')
    await assert.rejects(upstream.ask(WEB), { code: 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE' })
  })

  it('takes no more questions at once than it may', async (t) => {
    const server = await startRogue(t, silent)
    const upstream = await startUpstream(t, {
      servers: [at(server)],
      max_in_flight: 5,
      timeout: 300,
    })
    const waiting = Array.from({ length: 5 }, async () => upstream.ask(WEB).catch(codeOf))
    await assert.rejects(upstream.ask(WEB), { code: 'BTL_ERR_UPSTREAM_DNS_FULL' })
    assert.deepEqual(
      await Promise.all(waiting),
      Array.from({ length: 5 }, () => 'BTL_ERR_UPSTREAM_DNS_TIMEOUT'),
    )
    assert.equal(upstream.stats()['inFlight'], 0)
  })

  it('gives up what waits when its caller leaves and when it stops', async (t) => {
    const server = await startRogue(t, silent)
    const upstream = await startUpstream(t, { servers: [at(server)] })
    const leaving = new AbortController()
    const left = upstream.ask(WEB, leaving.signal)
    const stopped = upstream.ask(WEB)
    await until('the questions to arrive', () => server.seen.length === 2)
    leaving.abort(new Error('left'))
    await assert.rejects(left, /left/)
    const rejected = assert.rejects(stopped, { code: 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE' })
    await upstream.stop()
    await rejected
  })

  it('asks without EDNS where a server stumbles over it, and remembers', async (t) => {
    const server = await startRogue(t, (seen, reply) => {
      const { edns, ...message } = honest(seen)
      reply(
        bytesOf(
          seen.message.edns && edns
            ? { ...message, rcode: RCODE.FORMERR, questions: [], answers: [], authority: [] }
            : message,
        ),
      )
    })
    const upstream = await startUpstream(t, { servers: [at(server)] })
    assert.equal((await upstream.ask(WEB)).message.rcode, 0)
    assert.equal((await upstream.ask(WEB)).message.rcode, 0)
    assert.deepEqual(
      server.seen.map((one) => one.message.edns !== undefined),
      [true, false, false],
    )
  })
})
