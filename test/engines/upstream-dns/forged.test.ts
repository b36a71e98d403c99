/** Answers that somebody else sent, or that an honest server would not give. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLASS, FLAG, RCODE, TYPE } from '../../../src/base/dns/codes.ts'
import type { Message, ResourceRecord } from '../../../src/base/dns/message.ts'
import { foldName, textOfName } from '../../../src/base/dns/name.ts'
import { nameData, readAddress } from '../../../src/base/dns/record-data.ts'
import type { DnsAnswer, DnsQuestion } from '../../../src/base/ports/dns-upstream.ts'
import { address, named } from '../../support/dns-zone.ts'
import { startUpstream } from './config.ts'
import { bytesOf, honest, type Seen, startRogue } from './rogue-server.ts'

const WEB: DnsQuestion = { name: named('web.example.test'), type: TYPE.A, class: CLASS.IN }

const record = (name: string, type: number, data: Uint8Array): ResourceRecord => ({
  name: named(name),
  type,
  class: CLASS.IN,
  ttl: 60,
  data,
})

const EVIL = address('203.0.113.66')
const evilFor = (seen: Seen): Partial<Message> => ({
  rcode: 0,
  answers: [{ ...record('x', TYPE.A, EVIL), name: seen.message.questions[0]?.name ?? named('x') }],
})
const addresses = ({ message }: DnsAnswer): string[] =>
  message.answers.filter((one) => one.type === TYPE.A).map((one) => readAddress(one.data))

describe('an answer that is not to the question', () => {
  const wrong: Record<string, (seen: Seen) => Message> = {
    'has another id': (seen) => honest(seen, { ...evilFor(seen), id: seen.message.id ^ 1 }),
    'has another name': (seen) =>
      honest(seen, {
        ...evilFor(seen),
        questions: [{ ...WEB, name: named('bank.example.test') }],
      }),
    'has another type': (seen) =>
      honest(seen, {
        ...evilFor(seen),
        questions: seen.message.questions.map((question) => ({ ...question, type: TYPE.AAAA })),
      }),
    'has another class': (seen) =>
      honest(seen, {
        ...evilFor(seen),
        questions: seen.message.questions.map((question) => ({ ...question, class: CLASS.CH })),
      }),
    'has no question': (seen) => honest(seen, { ...evilFor(seen), questions: [] }),
    'is a query': (seen) => honest(seen, { ...evilFor(seen), flags: 0 }),
  }
  for (const [what, forge] of Object.entries(wrong)) {
    it(`is passed over where it ${what}`, async (t) => {
      const server = await startRogue(t, (seen, reply) => {
        reply(bytesOf(forge(seen)))
        setTimeout(() => reply(bytesOf(honest(seen))), 20)
      })
      const upstream = await startUpstream(t, { servers: [`127.0.0.1:${server.port}`] })
      const answer = await upstream.ask(WEB)
      assert.deepEqual(addresses(answer), ['192.0.2.80'])
      assert.ok((upstream.stats()['strays'] ?? 0) >= 1)
    })
  }

  it('is passed over where it is no message at all', async (t) => {
    const server = await startRogue(t, (seen, reply) => {
      reply(Uint8Array.of(1, 2, 3))
      reply(new Uint8Array(5000))
      setTimeout(() => reply(bytesOf(honest(seen))), 20)
    })
    const upstream = await startUpstream(t, { servers: [`127.0.0.1:${server.port}`] })
    assert.deepEqual(addresses(await upstream.ask(WEB)), ['192.0.2.80'])
  })

  it('does not arrive where it comes from another port', async (t) => {
    const forger = createSocket('udp4')
    t.after(() => void forger.close())
    const server = await startRogue(t, (seen, reply) => {
      forger.send(bytesOf(honest(seen, evilFor(seen))), seen.port, '127.0.0.1')
      setTimeout(() => reply(bytesOf(honest(seen))), 30)
    })
    const upstream = await startUpstream(t, { servers: [`127.0.0.1:${server.port}`] })
    assert.deepEqual(addresses(await upstream.ask(WEB)), ['192.0.2.80'])
    assert.equal(upstream.stats()['strays'], 0)
  })

  it('in another case is checked over TCP', async (t) => {
    const server = await startRogue(t, (seen, reply) => {
      if (seen.transport === 'tcp') {
        reply(bytesOf(honest(seen)))
        return
      }
      const questions = seen.message.questions.map((one) => ({ ...one, name: foldName(one.name) }))
      reply(bytesOf(honest(seen, { ...evilFor(seen), questions })))
    })
    const upstream = await startUpstream(t, { servers: [`127.0.0.1:${server.port}`] })
    // A name of 40 letters has one chance in 10^12 to go out in lower case.
    const name = named(`${'a'.repeat(40)}.example.test`)
    const answer = await upstream.ask({ ...WEB, name })
    assert.equal(answer.transport, 'tcp')
    assert.equal(answer.message.rcode, RCODE.NXDOMAIN)
  })

  it('makes the question go over TCP where there are many', async (t) => {
    const server = await startRogue(t, (seen, reply) => {
      if (seen.transport === 'tcp') reply(bytesOf(honest(seen)))
      else
        for (let guess = 0; guess < 40; guess++)
          reply(bytesOf(honest(seen, { id: seen.message.id ^ (guess + 1) })))
    })
    const upstream = await startUpstream(t, { servers: [`127.0.0.1:${server.port}`] })
    assert.equal((await upstream.ask(WEB)).transport, 'tcp')
  })

  it('over TCP ends the try', async (t) => {
    const server = await startRogue(t, (seen, reply) => {
      reply(bytesOf(honest(seen, { questions: [{ ...WEB, name: named('bank.example.test') }] })))
    })
    const upstream = await startUpstream(t, { servers: [`tcp://127.0.0.1:${server.port}`] })
    await assert.rejects(upstream.ask(WEB), { code: 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE' })
  })
})

describe('what a forger would have to guess', () => {
  it('is a port, an id and the case of every letter, new each time', async (t) => {
    const server = await startRogue(t, (seen, reply) => reply(bytesOf(honest(seen))))
    const upstream = await startUpstream(t, { servers: [`127.0.0.1:${server.port}`] })
    const rounds = 2000
    for (let at = 0; at < rounds; at += 50) {
      await Promise.all(Array.from({ length: 50 }, async () => upstream.ask(WEB)))
    }
    const udp = server.seen.filter((one) => one.transport === 'udp')
    assert.equal(udp.length, rounds)
    // 2000 of 65,536 ids and of some 28,000 ports: about 30 and 70 meet by chance.
    assert.ok(new Set(udp.map((one) => one.message.id)).size > rounds * 0.95, 'few ids')
    assert.ok(new Set(udp.map((one) => one.port)).size > rounds * 0.9, 'few ports')
    const ports = udp.map((one) => one.port)
    const inOrder = ports.filter((port, index) => port - (ports[index - 1] ?? 0) === 1).length
    assert.ok(inOrder < rounds / 20, 'ports follow one another')
    const spelled = new Set(
      udp.map((one) => textOfName(one.message.questions[0]?.name ?? named('x'))),
    )
    assert.ok(spelled.size > rounds * 0.9, 'few spellings')
  })

  it('leaves the case alone where that is asked for', async (t) => {
    const server = await startRogue(t, (seen, reply) => reply(bytesOf(honest(seen))))
    const upstream = await startUpstream(t, {
      servers: [`127.0.0.1:${server.port}`],
      randomize_case: false,
    })
    await upstream.ask({ ...WEB, name: named('WEB.example.test') })
    assert.equal(server.seen[0]?.message.questions[0]?.name, named('WEB.example.test'))
  })
})

describe('an answer that says more than was asked', () => {
  const asked = 'www.example.test'
  const www: DnsQuestion = { ...WEB, name: named(asked) }
  const cases: Record<string, { changes: Partial<Message>; left: string[] }> = {
    'loses records of other names': {
      changes: {
        answers: [record(asked, TYPE.A, EVIL), record('bank.example.test', TYPE.A, EVIL)],
      },
      left: [`${asked} 1`],
    },
    'loses records of other types': {
      changes: {
        answers: [
          record(asked, TYPE.A, EVIL),
          record(asked, TYPE.NS, nameData(named('evil.test'))),
        ],
      },
      left: [`${asked} 1`],
    },
    'loses records of another class': {
      changes: {
        answers: [record(asked, TYPE.A, EVIL), { ...record(asked, TYPE.A, EVIL), class: CLASS.CH }],
      },
      left: [`${asked} 1`],
    },
    'keeps the chain of aliases and its end': {
      changes: {
        answers: [
          record(asked, TYPE.CNAME, nameData(named('a.test'))),
          record('a.test', TYPE.CNAME, nameData(named('B.test'))),
          record('b.test', TYPE.A, EVIL),
          record('c.test', TYPE.A, EVIL),
        ],
      },
      left: [`${asked} 5`, 'a.test 5', 'b.test 1'],
    },
    'loses addresses beside an alias': {
      changes: {
        answers: [
          record(asked, TYPE.CNAME, nameData(named('a.test'))),
          record(asked, TYPE.A, EVIL),
        ],
      },
      left: [`${asked} 5`],
    },
    'loses name servers and their addresses': {
      changes: {
        answers: [record(asked, TYPE.A, EVIL)],
        authority: [record('example.test', TYPE.NS, nameData(named('ns.evil.test')))],
        additional: [record('ns.evil.test', TYPE.A, EVIL), record('bank.test', TYPE.A, EVIL)],
      },
      left: [`${asked} 1`],
    },
    'loses the SOA of a zone it is not in': {
      changes: {
        answers: [],
        authority: [record('bank.test', TYPE.SOA, Uint8Array.from([0, 0, ...new Uint8Array(20)]))],
      },
      left: [],
    },
  }
  for (const [what, { changes, left }] of Object.entries(cases)) {
    it(what, async (t) => {
      const server = await startRogue(t, (seen, reply) =>
        reply(bytesOf(honest(seen, { rcode: 0, authority: [], ...changes }))),
      )
      const upstream = await startUpstream(t, { servers: [`127.0.0.1:${server.port}`] })
      const { message } = await upstream.ask(www)
      const all = [...message.answers, ...message.authority, ...message.additional]
      assert.deepEqual(
        all.map((one) => `${textOfName(foldName(one.name))} ${one.type}`),
        left,
      )
    })
  }

  it('is none where its aliases go round', async (t) => {
    const server = await startRogue(t, (seen, reply) =>
      reply(
        bytesOf(
          honest(seen, {
            rcode: 0,
            answers: [
              record(asked, TYPE.CNAME, nameData(named('a.test'))),
              record('a.test', TYPE.CNAME, nameData(named(asked))),
            ],
          }),
        ),
      ),
    )
    const upstream = await startUpstream(t, { servers: [`127.0.0.1:${server.port}`] })
    await assert.rejects(upstream.ask(www), { code: 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE' })
  })

  it('may have a chain of eleven aliases and not of twelve', async (t) => {
    const chain = (links: number) => [
      ...Array.from({ length: links }, (_, index) =>
        record(
          index === 0 ? asked : `n${index}.test`,
          TYPE.CNAME,
          nameData(named(`n${index + 1}.test`)),
        ),
      ),
      record(`n${links}.test`, TYPE.A, EVIL),
    ]
    let links = 11
    const server = await startRogue(t, (seen, reply) =>
      reply(bytesOf(honest(seen, { rcode: 0, answers: chain(links) }))),
    )
    const upstream = await startUpstream(t, { servers: [`127.0.0.1:${server.port}`] })
    assert.equal((await upstream.ask(www)).message.answers.length, 12)
    links = 12
    await assert.rejects(upstream.ask(www), { code: 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE' })
  })
})

describe('a question of the house', () => {
  it('costs a silent server at most three packets', async (t) => {
    const server = await startRogue(t, () => undefined)
    const upstream = await startUpstream(t, {
      servers: [`127.0.0.1:${server.port}`],
      try_timeout: 60,
    })
    await assert.rejects(upstream.ask(WEB), { code: 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE' })
    await sleep(100)
    assert.equal(server.seen.length, 3)
  })

  it('costs three failing servers one packet each', async (t) => {
    const fail = (seen: Seen, reply: (bytes: Uint8Array) => void) =>
      reply(bytesOf(honest(seen, { rcode: RCODE.SERVFAIL, answers: [] })))
    const servers = await Promise.all([
      startRogue(t, fail),
      startRogue(t, fail),
      startRogue(t, fail),
      startRogue(t, fail),
    ])
    const upstream = await startUpstream(t, {
      servers: servers.map(({ port }) => `127.0.0.1:${port}`),
    })
    const answer = await upstream.ask(WEB)
    assert.equal(answer.message.rcode, RCODE.SERVFAIL)
    assert.deepEqual(
      servers.map(({ seen }) => seen.length),
      [1, 1, 1, 0],
    )
  })

  it('asks for datagrams of 1232 bytes at most, and goes to TCP for more', async (t) => {
    const server = await startRogue(t, (seen, reply) => {
      assert.equal(seen.message.edns?.payloadBytes, 1232)
      reply(
        bytesOf(
          seen.transport === 'udp'
            ? honest(seen, { flags: FLAG.QR | FLAG.TC, answers: [] })
            : honest(seen),
        ),
      )
    })
    const upstream = await startUpstream(t, { servers: [`127.0.0.1:${server.port}`] })
    const answer = await upstream.ask(WEB)
    assert.equal(answer.transport, 'tcp')
    assert.deepEqual(
      server.seen.map((one) => one.transport),
      ['udp', 'tcp'],
    )
  })
})
