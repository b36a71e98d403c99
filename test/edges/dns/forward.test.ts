/** What is forwarded: kept, shared, counted down, asked again in advance, given when its time is over. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CLASS, FLAG, RCODE, TYPE } from '../../../src/base/dns/codes.ts'
import { extendedErrors } from '../../../src/base/dns/edns.ts'
import type { Message, ResourceRecord } from '../../../src/base/dns/message.ts'
import { textOfName } from '../../../src/base/dns/name.ts'
import {
  nameData,
  readAddress,
  readService,
  serviceData,
  soaData,
} from '../../../src/base/dns/record-data.ts'
import { UpstreamFull } from '../../../src/engines/upstream-dns/errors.ts'
import { address, named } from '../../support/dns-zone.ts'
import { DIG } from '../../support/dns-servers.ts'
import { missing } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { ask, dig, exchange, queryFor, read, startHouse } from './house.ts'

const WEB = 'web.example.test'
const record = (name: string, type: number, data: Uint8Array, ttl = 300): ResourceRecord => ({
  name: named(name),
  type,
  class: CLASS.IN,
  ttl,
  data,
})
const soa = (ttl: number, minimum: number): ResourceRecord =>
  record(
    'com',
    TYPE.SOA,
    soaData({
      primary: named('a'),
      mailbox: named('b'),
      serial: 1,
      refresh: 1,
      retry: 1,
      expire: 1,
      minimum,
    }),
    ttl,
  )
const addresses = ({ answers }: Message) =>
  answers
    .filter((one) => one.type === TYPE.A || one.type === TYPE.AAAA)
    .map((one) => readAddress(one.data))
const EDNS = { payloadBytes: 1232 }

describe('a forwarded answer', () => {
  it('is asked for once, however many ask at the same time', async (t) => {
    let answer = () => {}
    const gate = new Promise<void>((done) => {
      answer = done
    })
    const house = await startHouse(t, {}, { script: async () => gate.then(() => undefined) })
    const asked = Array.from({ length: 1000 }, async (_, id) =>
      exchange(house.port, queryFor(WEB, TYPE.A, { id })),
    )
    await until('all questions to arrive', () => house.dns.stats()['queries'] === 1000)
    answer()
    const answers = (await Promise.all(asked)).map(read)
    assert.equal(house.upstream.asked.length, 1)
    assert.ok(answers.every((one) => addresses(one)[0] === '192.0.2.80'))
    assert.equal(new Set(answers.map(({ id }) => id)).size, 1000)
  })

  it('is kept, and its time counts down', async (t) => {
    const house = await startHouse(t)
    const first = await ask(house, WEB, TYPE.A)
    house.pass(100_000)
    const second = await ask(house, WEB.toUpperCase(), TYPE.A)
    assert.equal(house.upstream.asked.length, 1)
    assert.deepEqual([first.answers[0]?.ttl, second.answers[0]?.ttl], [300, 200])
    assert.equal(textOfName(second.questions[0]?.name ?? named('x')), 'WEB.EXAMPLE.TEST')
    assert.equal(textOfName(second.answers[0]?.name ?? named('x')), 'WEB.EXAMPLE.TEST')
    assert.equal(first.flags & FLAG.AA, 0)
    assert.ok(first.flags & FLAG.RA)
  })

  it('is asked for again when its time is over, and shortly before in advance', async (t) => {
    const house = await startHouse(t)
    await ask(house, WEB, TYPE.A)
    house.pass(271_000)
    assert.equal((await ask(house, WEB, TYPE.A)).answers[0]?.ttl, 29)
    await until('the answer in advance', () => house.upstream.asked.length === 2)
    assert.equal((await ask(house, WEB, TYPE.A)).answers[0]?.ttl, 300)
    house.pass(301_000)
    await ask(house, WEB, TYPE.A)
    assert.equal(house.upstream.asked.length, 3)
  })

  it('is apart for each type, and for those who want proofs or no checks', async (t) => {
    const house = await startHouse(t)
    for (let round = 0; round < 2; round++) {
      await ask(house, WEB, TYPE.A)
      await ask(house, WEB, TYPE.AAAA)
      await ask(house, WEB, TYPE.A, { ...EDNS, dnssecOk: true })
      await ask(house, WEB, TYPE.A, { flags: FLAG.RD | FLAG.CD })
    }
    assert.equal(house.upstream.asked.length, 4)
  })

  it('has OPT only for those who sent one, and CD and RD as they asked', async (t) => {
    const house = await startHouse(t)
    const plain = await ask(house, WEB, TYPE.A)
    const modern = await ask(house, WEB, TYPE.A, {
      ...EDNS,
      dnssecOk: true,
      flags: FLAG.RD | FLAG.CD,
    })
    assert.equal(plain.edns, undefined)
    assert.deepEqual(modern.edns, { payloadBytes: 1232, version: 0, dnssecOk: true, options: [] })
    assert.ok(modern.flags & FLAG.CD)
    assert.equal(plain.flags & FLAG.CD, 0)
  })

  it('says it was proven only where nobody on the way could have said so', async (t) => {
    for (const isTrusted of [false, true]) {
      const house = await startHouse(t)
      const { upstream } = house
      const forged = upstream.ask.bind(upstream)
      upstream.ask = async (question, signal) => {
        const answer = await forged(question, signal)
        return {
          ...answer,
          isTrusted,
          message: { ...answer.message, flags: answer.message.flags | FLAG.AD },
        }
      }
      const wanted = await ask(house, WEB, TYPE.A, { flags: FLAG.RD | FLAG.AD })
      assert.equal((wanted.flags & FLAG.AD) !== 0, isTrusted)
      assert.equal((await ask(house, WEB, TYPE.A)).flags & FLAG.AD, 0, 'nobody asked for it')
    }
  })

  it('that says no is kept as long as its SOA says, and at most an hour', async (t) => {
    for (const [ttl, minimum, kept] of [
      [300, 60, 60],
      [30, 600, 30],
      [86_400, 86_400, 3600],
    ] as const) {
      const house = await startHouse(
        t,
        {},
        { script: () => ({ rcode: RCODE.NXDOMAIN, authority: [soa(ttl, minimum)] }) },
      )
      await ask(house, 'x.com', TYPE.A)
      house.pass(kept * 800)
      await ask(house, 'x.com', TYPE.A)
      const before = house.upstream.asked.length
      house.pass(kept * 300)
      await ask(house, 'x.com', TYPE.A)
      assert.ok(house.upstream.asked.length > before, `${kept} s`)
    }
  })

  it('that says no without an SOA is not kept', async (t) => {
    const house = await startHouse(t, {}, { script: () => ({ rcode: RCODE.NXDOMAIN }) })
    await ask(house, 'x.com', TYPE.A)
    await ask(house, 'x.com', TYPE.A)
    assert.equal(house.upstream.asked.length, 2)
  })

  it('that failed is kept for five seconds, so that a dead server is left alone', async (t) => {
    const house = await startHouse(
      t,
      {},
      {
        script: () => {
          throw new Error('unreachable')
        },
      },
    )
    for (let round = 0; round < 10; round++) {
      const answer = await ask(house, 'x.com', TYPE.A, EDNS)
      assert.equal(answer.rcode, RCODE.SERVFAIL)
      assert.deepEqual(
        extendedErrors(answer.edns).map(({ code }) => code),
        [23],
      )
    }
    assert.equal(house.upstream.asked.length, 1)
    house.pass(5001)
    await ask(house, 'x.com', TYPE.A)
    assert.equal(house.upstream.asked.length, 2)
  })

  it('that failed because too many wait is asked for again at once', async (t) => {
    let isFull = true
    const house = await startHouse(
      t,
      {},
      {
        script: async () => {
          if (isFull) throw new UpstreamFull(256)
          return undefined
        },
      },
    )
    assert.equal((await ask(house, WEB, TYPE.A)).rcode, RCODE.SERVFAIL)
    isFull = false
    assert.equal((await ask(house, WEB, TYPE.A)).rcode, RCODE.NOERROR)
  })

  it('is given when its time is over and nobody can be asked, and says so', async (t) => {
    let isDead = false
    const house = await startHouse(
      t,
      {},
      {
        script: () => {
          if (isDead) throw new Error('unreachable')
          return undefined
        },
      },
    )
    await ask(house, WEB, TYPE.A)
    isDead = true
    house.pass(400_000)
    const stale = await ask(house, WEB, TYPE.A, EDNS)
    assert.deepEqual(addresses(stale), ['192.0.2.80'])
    assert.equal(stale.answers[0]?.ttl, 30)
    assert.deepEqual(
      extendedErrors(stale.edns).map(({ code }) => code),
      [3],
    )
    const asked = house.upstream.asked.length
    await ask(house, WEB, TYPE.A)
    assert.equal(house.upstream.asked.length, asked, 'asked again at once')
    house.pass(31_000)
    isDead = false
    assert.equal((await ask(house, WEB, TYPE.A)).answers[0]?.ttl, 300)
    isDead = true
    house.pass(300_000 + 86_400_001)
    assert.equal((await ask(house, WEB, TYPE.A)).rcode, RCODE.SERVFAIL, 'a day is enough')
  })

  it('is given when its time is over and the others are slow', async (t) => {
    let isSlow = false
    const house = await startHouse(
      t,
      { discard_after: 20_000 },
      {
        script: async (_question, signal) => {
          if (isSlow)
            await new Promise((_done, reject) =>
              signal?.addEventListener('abort', () => reject(new Error('stopped'))),
            )
          return undefined
        },
      },
    )
    await ask(house, WEB, TYPE.A)
    isSlow = true
    house.pass(400_000)
    assert.equal((await ask(house, WEB, TYPE.A)).answers[0]?.ttl, 30)
  })

  it('is never given late where that is turned off', async (t) => {
    let isDead = false
    const house = await startHouse(
      t,
      { stale_for: 0 },
      {
        script: () => {
          if (isDead) throw new Error('unreachable')
          return undefined
        },
      },
    )
    await ask(house, WEB, TYPE.A)
    isDead = true
    house.pass(400_000)
    assert.equal((await ask(house, WEB, TYPE.A)).rcode, RCODE.SERVFAIL)
  })

  it('that comes too late is not sent over UDP, but it is kept', async (t) => {
    let answer = () => {}
    const gate = new Promise<void>((done) => {
      answer = done
    })
    const house = await startHouse(t, {}, { script: async () => gate.then(() => undefined) })
    const late = exchange(house.port, queryFor(WEB, TYPE.A), { timeoutMs: 300 })
    await until('the question', () => house.upstream.asked.length === 1)
    house.pass(2000)
    answer()
    assert.equal(await late, undefined)
    assert.deepEqual(addresses(await ask(house, WEB, TYPE.A)), ['192.0.2.80'])
    assert.equal(house.upstream.asked.length, 1)
  })

  it('has a time of a day at most', async (t) => {
    const house = await startHouse(
      t,
      {},
      { script: () => ({ answers: [record('x.com', TYPE.A, address('192.0.2.1'), 0x7fffffff)] }) },
    )
    assert.equal((await ask(house, 'x.com', TYPE.A)).answers[0]?.ttl, 86_400)
  })

  it('leaves the cache within its bytes, and what is asked often in it', async (t) => {
    const house = await startHouse(
      t,
      { cache_size: 512 * 1024 },
      {
        script: ({ name }) => ({
          answers: [{ ...record('x', TYPE.A, address('192.0.2.1')), name }],
        }),
      },
    )
    await ask(house, 'hot.com', TYPE.A)
    for (let round = 0; round < 5000; round += 50) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, index) => ask(house, `n${round + index}.com`, TYPE.A)),
      )
      await ask(house, 'hot.com', TYPE.A)
    }
    const stats = house.dns.stats()
    assert.ok((stats['bytes'] ?? 0) <= 512 * 1024)
    assert.ok((stats['evicted'] ?? 0) > 1000)
    assert.equal(house.upstream.asked.filter((one) => one === 'hot.com 1').length, 1)
  })

  it('is cut for those who take little, whole for those who take more, and never over 1232', {
    skip: missing(DIG),
  }, async (t) => {
    const house = await startHouse(
      t,
      {},
      {
        script: ({ name }) => ({
          answers: Array.from({ length: name.startsWith('\x03big') ? 200 : 40 }, (_, index) => ({
            ...record('x', TYPE.A, address(`192.0.2.${index}`)),
            name,
          })),
        }),
      },
    )
    const small = await exchange(house.port, queryFor('some.com', TYPE.A))
    assert.ok(small && small.length <= 512)
    assert.ok(read(small).flags & FLAG.TC)
    assert.deepEqual(read(small).answers, [])
    assert.equal((await ask(house, 'some.com', TYPE.A, EDNS)).answers.length, 40)
    const big = await exchange(house.port, queryFor('big.com', TYPE.A, { payloadBytes: 65_535 }))
    assert.ok(big && big.length <= 1232)
    assert.ok(read(big).flags & FLAG.TC)
    assert.equal(read(big).edns?.payloadBytes, 1232)
    assert.match(await dig(house.port, 'big.com', 'A'), /TCP/)
    assert.equal((await dig(house.port, '+short', 'big.com', 'A')).trim().split('\n').length, 200)
  })
})

describe('an answer from the internet', () => {
  for (const text of [
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.1',
    '192.168.1.1',
    '127.0.0.1',
    '169.254.1.1',
    '100.64.0.1',
    '0.0.0.0',
    '255.255.255.255',
  ]) {
    it(`loses ${text}`, async (t) => {
      const house = await startHouse(
        t,
        {},
        {
          script: ({ name }) => ({ answers: [{ ...record('x', TYPE.A, address(text)), name }] }),
        },
      )
      const answer = await ask(house, 'evil.com', TYPE.A, EDNS)
      assert.deepEqual([answer.rcode, answer.answers], [RCODE.NOERROR, []])
      assert.deepEqual(
        extendedErrors(answer.edns).map(({ code }) => code),
        [15],
      )
      const again = await ask(house, 'evil.com', TYPE.A)
      assert.deepEqual(again.answers, [])
    })
  }

  for (const text of [
    '::1',
    '::',
    'fe80::1',
    'fd00::1',
    'fc00::1',
    'fec0::1',
    '::ffff:192.168.1.1',
    '::127.0.0.1',
    '64:ff9b::10.0.0.1',
    '2002:c0a8:0101::1',
  ]) {
    it(`loses ${text}`, async (t) => {
      const house = await startHouse(
        t,
        {},
        {
          script: ({ name }) => ({ answers: [{ ...record('x', TYPE.AAAA, address(text)), name }] }),
        },
      )
      assert.deepEqual((await ask(house, 'evil.com', TYPE.AAAA)).answers, [])
    })
  }

  for (const [text, type] of [
    ['172.32.0.1', TYPE.A],
    ['100.128.0.1', TYPE.A],
    ['9.255.255.255', TYPE.A],
    ['2001:db8::1', TYPE.AAAA],
    ['64:ff9b::8.8.8.8', TYPE.AAAA],
    ['::ffff:8.8.8.8', TYPE.AAAA],
  ] as const) {
    it(`keeps ${text}`, async (t) => {
      const house = await startHouse(
        t,
        {},
        {
          script: ({ name }) => ({ answers: [{ ...record('x', type, address(text)), name }] }),
        },
      )
      assert.equal((await ask(house, 'good.com', type)).answers.length, 1)
    })
  }

  it('loses private hints of HTTPS, and keeps the rest of it', async (t) => {
    const data = serviceData({
      priority: 1,
      target: named('.'),
      params: [
        { key: 1, value: Uint8Array.of(2, 104, 50) },
        { key: 4, value: Uint8Array.of(192, 168, 1, 1, 8, 8, 8, 8) },
        { key: 6, value: address('2001:db8::1') },
      ],
    })
    const house = await startHouse(
      t,
      {},
      { script: ({ name }) => ({ answers: [{ ...record('x', TYPE.HTTPS, data), name }] }) },
    )
    const answer = await ask(house, 'evil.com', TYPE.HTTPS)
    const service = readService(answer.answers[0]?.data ?? new Uint8Array(0))
    assert.deepEqual(
      service?.params.map(({ key }) => key),
      [1, 6],
    )
  })

  it('loses a private address at the end of its aliases', async (t) => {
    const house = await startHouse(
      t,
      {},
      {
        script: ({ name }) => ({
          answers: [
            { ...record('x', TYPE.CNAME, nameData(named('in.evil.com'))), name },
            record('in.evil.com', TYPE.A, address('192.168.1.1')),
          ],
        }),
      },
    )
    assert.deepEqual(
      (await ask(house, 'evil.com', TYPE.A)).answers.map(({ type }) => type),
      [TYPE.CNAME],
    )
  })

  it('may have private addresses in domains that are allowed to, and everywhere where that is turned off', async (t) => {
    const script = ({ name }: { name: ResourceRecord['name'] }) => ({
      answers: [{ ...record('x', TYPE.A, address('192.168.1.1')), name }],
    })
    const house = await startHouse(t, { allow_private: ['plex.direct'] }, { script })
    assert.equal((await ask(house, 'a.PLEX.direct', TYPE.A)).answers.length, 1)
    assert.equal((await ask(house, 'a.notplex.direct', TYPE.A)).answers.length, 0)
    assert.equal((await ask(house, 'nas.example.test', TYPE.A)).answers.length, 1, 'routed')
    const open = await startHouse(t, { block_private: false }, { script })
    assert.equal((await ask(open, 'evil.com', TYPE.A)).answers.length, 1)
  })
})
