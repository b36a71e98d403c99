/** UDP and TCP as clients of all kinds use and abuse them. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FLAG, TYPE } from '../../../src/base/dns/codes.ts'
import { createConnections } from '../../../src/edges/dns/server-tcp.ts'
import { DIG, KDIG } from '../../support/dns-servers.ts'
import { missing, run } from '../../support/processes.ts'
import { finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { brokenQueries } from '../../vectors/broken-dns.ts'
import { ask, connectTcp, dig, exchange, queryFor, read, startHouse } from './house.ts'

const WEB = 'web.example.test'

describe('the resolver over UDP', () => {
  it('understands dig and kdig, in both families', { skip: missing(DIG, KDIG) }, async (t) => {
    const house = await startHouse(t, { listen: ['127.0.0.1', '::1'] })
    assert.equal((await dig(house.port, '+short', WEB, 'A')).trim(), '192.0.2.80')
    const kdig = await run(KDIG, ['@::1', '-p', String(house.port), '+short', WEB, 'AAAA'])
    assert.equal(kdig.stdout.trim(), '2001:db8::80')
    assert.match(await dig(house.port, 'btlink', 'A'), /flags: qr aa rd ra;/)
    assert.match(await dig(house.port, '+edns=1', '+noednsneg', 'btlink', 'A'), /status: BADVERS/)
    assert.match(
      await dig(house.port, '+ednsopt=65001:ffff', '+ednsflags=0x7f80', 'btlink', 'A'),
      /status: NOERROR/,
    )
    assert.match(await dig(house.port, '+opcode=4', 'btlink', 'SOA'), /status: NOTIMP/)
  })

  it('answers from the address it was asked at', async (t) => {
    const house = await startHouse(t, { listen: ['127.0.0.1', '127.0.0.2'] })
    const socket = createSocket('udp4')
    t.after(() => void socket.close())
    socket.send(queryFor('btlink', TYPE.A), house.port, '127.0.0.2')
    const [, from] = (await once(socket, 'message')) as [Buffer, { address: string; port: number }]
    assert.deepEqual([from.address, from.port], ['127.0.0.2', house.port])
  })

  for (const { what, bytes, rcode } of brokenQueries) {
    it(`survives a query that ${what}`, async (t) => {
      const house = await startHouse(t)
      if (rcode === undefined) {
        const socket = createSocket('udp4')
        t.after(() => void socket.close())
        let answers = 0
        socket.on('message', () => void answers++)
        socket.send(bytes, house.port, '127.0.0.1')
        // The answer to the next one says that the first was looked at.
        socket.send(queryFor('btlink', TYPE.A), house.port, '127.0.0.1')
        await until('the answer to the other', () => answers > 0)
        assert.equal(answers, 1)
      } else {
        const answer = await exchange(house.port, bytes)
        assert.ok(answer)
        assert.equal((answer[3] ?? 0) & 15, rcode & 15)
      }
      assert.equal((await ask(house, 'btlink', TYPE.A)).answers.length, 1)
    })
  }
})

describe('the resolver over TCP', () => {
  it('answers what no datagram holds', { skip: missing(DIG) }, async (t) => {
    const house = await startHouse(t)
    assert.equal(
      (await dig(house.port, '+short', 'long.example.test', 'TXT')).trim().split('\n').length,
      8,
    )
  })

  it('takes many questions at once, and answers what it knows first', async (t) => {
    let answer = () => {}
    const gate = new Promise<void>((done) => {
      answer = done
    })
    const house = await startHouse(t, {}, { script: async () => gate.then(() => undefined) })
    const client = await connectTcp(t, house.port)
    client.send(queryFor(WEB, TYPE.A, { id: 1 }))
    client.send(queryFor('btlink', TYPE.A, { id: 2 }))
    assert.equal((await client.next())?.id, 2)
    answer()
    assert.equal((await client.next())?.id, 1)
  })

  it('reads questions that come byte by byte', async (t) => {
    const house = await startHouse(t)
    const client = await connectTcp(t, house.port)
    client.socket.setNoDelay(true)
    const packet = queryFor('btlink', TYPE.A)
    for (const byte of [0, packet.length, ...packet]) {
      client.socket.write(Uint8Array.of(byte))
      await sleep(1)
    }
    assert.equal((await client.next())?.answers.length, 1)
  })

  it('says how long it keeps a connection where that is asked', async (t) => {
    const house = await startHouse(t)
    const client = await connectTcp(t, house.port)
    client.send(
      queryFor('btlink', TYPE.A, {
        payloadBytes: 1232,
        options: [{ code: 11, data: new Uint8Array(0) }],
      }),
    )
    const option = (await client.next())?.edns?.options[0]
    assert.deepEqual([option?.code, ...(option?.data ?? [])], [11, 0, 100])
    client.send(
      queryFor(WEB, TYPE.A, {
        payloadBytes: 1232,
        options: [{ code: 11, data: new Uint8Array(0) }],
      }),
    )
    assert.equal((await client.next())?.edns?.options[0]?.code, 11)
  })

  it('ends connections without whole questions, also where a byte comes now and then', async (t) => {
    const house = await startHouse(t, { idle_timeout: 300 })
    const idle = await connectTcp(t, house.port)
    const slow = await connectTcp(t, house.port)
    const drip = setInterval(() => slow.socket.write(Uint8Array.of(0)), 50)
    t.after(() => clearInterval(drip))
    const busy = await connectTcp(t, house.port)
    const asking = setInterval(() => busy.send(queryFor('btlink', TYPE.A)), 100)
    t.after(() => clearInterval(asking))
    await Promise.all([idle.closed, slow.closed])
    assert.equal(busy.socket.destroyed, false)
  })

  it('ends a connection whose client does not read', async (t) => {
    const house = await startHouse(t)
    const client = await connectTcp(t, house.port)
    client.socket.pause()
    const packet = queryFor('long.example.test', TYPE.TXT)
    const frame = Buffer.concat([Buffer.from([0, packet.length]), packet])
    const burst = Buffer.concat(Array.from({ length: 500 }, () => frame))
    await until(
      'the end of the connection',
      () => {
        client.socket.write(burst)
        return house.dns.stats()['connections'] === 0
      },
      { everyMs: 20 },
    )
    assert.equal((await ask(house, 'btlink', TYPE.A)).answers.length, 1)
  })

  it('works on at most 64 questions of a connection at once', async (t) => {
    let answer = () => {}
    const gate = new Promise<void>((done) => {
      answer = done
    })
    const house = await startHouse(
      t,
      {},
      {
        script: async ({ name }) => {
          await gate
          return { answers: [], rcode: name.length > 0 ? 3 : 0 }
        },
      },
    )
    const client = await connectTcp(t, house.port)
    for (let id = 0; id < 500; id++) {
      client.send(queryFor(`n${id}.com`, TYPE.A, { id }))
      if (id % 20 === 0) await sleep(1)
    }
    await sleep(100)
    // A chunk that was read already is worked off; the next one waits.
    assert.ok(house.upstream.asked.length < 200, `${house.upstream.asked.length} at once`)
    answer()
    for (let left = 500; left > 0; left--) assert.ok(await client.next())
  })

  it('answers another client at once while one holds 600 connections', async (t) => {
    const house = await startHouse(t)
    const sockets: Socket[] = []
    finallyDo(t, () => {
      for (const socket of sockets) socket.destroy()
    })
    for (let count = 0; count < 600; count++) {
      const socket = connect({ host: '127.0.0.1', port: house.port, localAddress: '127.0.0.66' })
      socket.on('error', () => undefined)
      sockets.push(socket)
    }
    await until(
      'the flood to be dealt with',
      () => (house.dns.stats()['connectionsRefused'] ?? 0) >= 580,
    )
    assert.equal(house.dns.stats()['connections'], 20)
    const client = await connectTcp(t, house.port)
    client.send(queryFor('btlink', TYPE.A))
    assert.equal((await client.next())?.answers.length, 1)
  })

  it('lets the longest idle connection go for a new client', async (t) => {
    const house = await startHouse(t, { max_connections: 3, max_connections_per_client: 2 })
    const first = await connectTcp(t, house.port, '127.0.0.11')
    const others = [
      await connectTcp(t, house.port, '127.0.0.12'),
      await connectTcp(t, house.port, '127.0.0.13'),
    ]
    for (const other of others) {
      other.send(queryFor('btlink', TYPE.A))
      await other.next()
    }
    const fresh = await connectTcp(t, house.port, '127.0.0.14')
    await first.closed
    fresh.send(queryFor('btlink', TYPE.A))
    assert.equal((await fresh.next())?.answers.length, 1)
  })

  it('forgets connections that are gone', () => {
    const connections = createConnections(
      { max_connections: 5, max_connections_per_client: 1, idle_timeout: 1000 },
      () => 0,
    )
    const socket = { destroy: () => undefined } as unknown as Socket
    const nowhere = () => ({ v4: undefined, v6: undefined })
    const client = connections.admit(socket, 'a', nowhere)
    assert.equal(connections.admit(socket, 'a', nowhere), undefined)
    if (client) connections.leave(client)
    assert.ok(connections.admit(socket, 'a', nowhere))
  })

  for (const { what, bytes } of brokenQueries.slice(0, 40)) {
    it(`survives a message that ${what}`, async (t) => {
      const house = await startHouse(t)
      const client = await connectTcp(t, house.port)
      client.send(bytes)
      client.send(queryFor('btlink', TYPE.A, { id: 7 }))
      let answer = await client.next()
      while (answer !== undefined && answer.id !== 7) answer = await client.next()
      assert.equal(answer?.answers.length, 1)
    })
  }
})

describe('the resolver', () => {
  it('stops with open connections and waiting questions, and twice', async (t) => {
    const house = await startHouse(t, {}, { script: async () => new Promise(() => undefined) })
    const client = await connectTcp(t, house.port)
    client.send(queryFor(WEB, TYPE.A))
    await until('the question', () => house.upstream.asked.length === 1)
    await house.dns.stop()
    await client.closed
    await house.dns.stop()
    assert.deepEqual(house.dns.listening(), [])
  })

  it('says at which address it cannot listen', async (t) => {
    const house = await startHouse(t)
    await assert.rejects(startHouse(t, { port: house.port }), { code: 'BTL_ERR_DNS_BIND' })
    await assert.rejects(startHouse(t, { listen: ['127.0.0.1', '192.168.254.253'] }), {
      code: 'BTL_ERR_DNS_BIND',
    })
  })

  it('has the same answer for RD alone as bytes apart from its id', async (t) => {
    const house = await startHouse(t)
    const first = read(await exchange(house.port, queryFor(WEB, TYPE.A, { id: 1 })))
    const second = read(await exchange(house.port, queryFor(WEB, TYPE.A, { id: 2 })))
    assert.deepEqual({ ...second, id: 1 }, first)
    assert.ok(first.flags & FLAG.RD)
  })
})
