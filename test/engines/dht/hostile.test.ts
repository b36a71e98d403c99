import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { decode, encode } from '../../../src/base/bencode.ts'
import { infoHash } from '../../../src/base/hashes.ts'
import { decodeMessage } from '../../../src/engines/dht/krpc.ts'
import { createSigner, linkValue, peersOf } from '../../compliance/dht-node.ts'
import { until } from '../../support/until.ts'
import { bitFlips, brokenDatagrams, goodQueries, query } from './datagrams.ts'
import { createFakeSocket, type FakeSocket } from './fake-socket.ts'
import { startNetwork, startNode } from './network.ts'

const PING = goodQueries['ping'] ?? new Uint8Array(0)

/** A node behind a socket of our making, with a clock that the test moves. */
async function nodeBehind(t: TestContext, overrides = {}) {
  const socket = createFakeSocket()
  const clock = { at: 1_700_000_000_000, now: () => clock.at }
  const started = await startNode(
    { min_interval: 60_000, ...overrides },
    { openSocket: socket.open, clock },
  )
  t.after(async () => started.stop())
  return { ...started, socket, clock }
}

/** The replies to `datagram` from an address that was never seen. */
let stranger = 1
function ask(socket: FakeSocket, datagram: Uint8Array): Uint8Array[] {
  const number = stranger++
  const host = `198.51.${(number >> 8) & 255}.${number & 255}`
  const from = socket.sent.length
  socket.inject(datagram, host, 1024 + (number % 60_000))
  const sent = socket.sent.slice(from).filter((one) => one.host === host)
  return sent.map((one) => one.datagram)
}

const isReply = (datagram: Uint8Array): boolean => {
  const message = decode(datagram)
  return message instanceof Map && Buffer.from(message.get('y') as Uint8Array).toString() !== 'q'
}

describe('the DHT node under attack', () => {
  it('answers on after each broken datagram', async (t) => {
    const { host, port, stop } = await startNode()
    t.after(stop)
    const socket = createSocket('udp4')
    t.after(() => socket.close())
    for (const [what, datagram] of Object.entries(brokenDatagrams)) {
      socket.send(datagram, port, host)
      // A fresh socket each time: the budget of the first one is soon used up.
      const prober = createSocket('udp4')
      prober.send(PING, port, host)
      const [reply] = (await once(prober, 'message', { signal: AbortSignal.timeout(2000) })) as [
        Buffer,
      ]
      prober.close()
      assert.ok(isReply(reply), what)
    }
  })

  it('tells protocol faults by code 203 and unknown methods by 204', async (t) => {
    const { socket } = await nodeBehind(t)
    const code = (datagram: Uint8Array): unknown => {
      const [reply] = ask(socket, datagram)
      const message = reply && decode(reply)
      const error = message instanceof Map ? message.get('e') : undefined
      return Array.isArray(error) ? error[0] : undefined
    }
    assert.equal(code(brokenDatagrams['get with an integer target'] ?? PING), 203)
    assert.equal(code(brokenDatagrams['put with an integer token'] ?? PING), 203)
    assert.equal(code(brokenDatagrams['ping without id'] ?? PING), 203)
    assert.equal(code(goodQueries['put'] ?? PING), 203, 'a bad token')
    assert.equal(code(query('vote', { id: new Uint8Array(20) })), 204)
  })

  it('survives 10,000 captured datagrams with flipped bits, in bounded memory', async (t) => {
    const captured = Object.values(goodQueries)
    const network = await startNetwork(3, {}, { openSocket: capturing(captured) })
    const [a, b] = network.nodes
    assert.ok(a && b)
    await a.node.announce(infoHash('11'.repeat(20)), 5000)
    await a.node.putMutable(createSigner().item(1, linkValue(1)))
    await peersOf(b.node, '11'.repeat(20))
    await network.stop()
    assert.ok(captured.length > 30)

    const { socket, clock } = await nodeBehind(t)
    for (const flipped of bitFlips(captured, 2000)) ask(socket, flipped)
    const before = process.memoryUsage().rss
    for (const flipped of bitFlips(captured, 10_000)) {
      clock.at += 20
      for (const reply of ask(socket, flipped)) {
        if (isReply(reply)) assert.ok(reply.length <= 3 * flipped.length)
      }
      socket.sent.length = 0
    }
    const grownBytes = process.memoryUsage().rss - before
    assert.ok(grownBytes <= 20 * 1024 * 1024, `grown by ${grownBytes} bytes`)
    assert.equal(ask(socket, PING).filter(isReply).length, 1)
  })

  it('never replies with more than three times the query to a stranger', async (t) => {
    const { socket, node, clock } = await nodeBehind(t, { max_peers_per_torrent: 200 })
    await fillWith(socket, 200)
    assert.equal((await node.info()).stats['stored_peers'], 200)
    for (const [what, datagram] of Object.entries(goodQueries)) {
      clock.at += 1000
      const replies = ask(socket, datagram).filter(isReply)
      for (const reply of replies)
        assert.ok(reply.length <= 3 * datagram.length, `${what}: ${reply.length} bytes`)
    }
  })

  it('fits peers and nodes into 1200 bytes for an address that has proven itself', async (t) => {
    const { socket, clock } = await nodeBehind(t, { max_peers_per_torrent: 200 })
    await fillWith(socket, 200)
    const [host, port] = ['203.0.113.50', 4000]
    const get = goodQueries['get_peers'] ?? PING
    const replyTo = (datagram: Uint8Array): Uint8Array => {
      const from = socket.sent.length
      socket.inject(datagram, host, port)
      const reply = socket.sent
        .slice(from)
        .find((one) => one.host === host && isReply(one.datagram))
      return reply?.datagram ?? new Uint8Array(0)
    }
    const short = replyTo(get)
    // The strangers of before are being pinged as well; their turns end first.
    const ping = await until('a ping', () => {
      clock.at += 1000
      replyTo(get)
      return socket.sent.find((one) => one.host === host && !isReply(one.datagram))
    })
    const message = decode(ping.datagram)
    assert.ok(message instanceof Map)
    const id = new Uint8Array(20).fill(0x61)
    socket.inject(encode({ t: message.get('t') ?? 0, y: 'r', r: { id } }), host, port)
    const full = replyTo(get)
    assert.ok(short.length <= 3 * get.length && full.length > short.length)
    assert.ok(full.length <= 1200, `${full.length} bytes`)
    const body = decodeMessage(full)
    assert.ok(body?.kind === 'response' && body.peers.length === 50)
  })

  it('sends a large item to a stranger only after it answered a ping', async (t) => {
    const { node, host, port, stop } = await startNode()
    t.after(stop)
    const value = encode('x'.repeat(900))
    const { target } = await node.putImmutable(value)
    const get = query('get', {
      id: new Uint8Array(20).fill(1),
      target: Buffer.from(target, 'hex'),
    })
    const socket = createSocket('udp4')
    t.after(() => socket.close())
    const heard: Buffer[] = []
    socket.on('message', (datagram) => heard.push(datagram))
    socket.send(get, port, host)
    const ping = await until('a ping', () => heard.find((datagram) => !isReply(datagram)))
    assert.equal(heard.filter(isReply).length, 0)
    const message = decode(ping)
    assert.ok(message instanceof Map)
    const t2 = message.get('t') as Uint8Array
    socket.send(encode({ t: t2, y: 'r', r: { id: new Uint8Array(20).fill(1) } }), port, host)
    const reply = await until('the reply', () => heard.find(isReply))
    assert.ok(reply.length > 900 && reply.length <= 1200)
  })

  it('drops what an address asks beyond its budget, and serves the others', async (t) => {
    const { socket } = await nodeBehind(t)
    for (let at = 0; at < 500; at++) socket.inject(PING, '203.0.113.9', 4000)
    const replies = socket.sent.filter((sent) => sent.host === '203.0.113.9').map((s) => s.datagram)
    assert.ok(replies.filter(isReply).length <= 40)
    assert.equal(ask(socket, PING).filter(isReply).length, 1)
  })

  it('keeps bounded tables however many addresses talk to it', async (t) => {
    const { socket, clock, node } = await nodeBehind(t, { max_torrents: 50, max_items: 50 })
    for (let at = 0; at < 20_000; at++) {
      if (at % 10 === 0) clock.at += 50
      ask(socket, PING)
      socket.sent.length = 0
    }
    const { stats, nodes4 } = await node.info()
    assert.equal(nodes4, 0)
    assert.ok((stats['background_waiting'] ?? 0) <= 64)
  })

  it('lives on when the kernel reports faults of the socket', async (t) => {
    const { socket, node } = await nodeBehind(t)
    socket.fail(new Error('recvmsg ECONNREFUSED'))
    socket.sendFault = new Error('send EPERM')
    ask(socket, PING)
    socket.sendFault = undefined
    assert.equal(ask(socket, PING).filter(isReply).length, 1)
    assert.ok(((await node.info()).stats['send_failures'] ?? 0) > 0)
  })
})

function capturing(into: Uint8Array[]) {
  return () => {
    const socket = createSocket({ type: 'udp4' })
    socket.on('message', (datagram) => into.push(Uint8Array.from(datagram)))
    return socket
  }
}

/** Has `count` strangers announce themselves with tokens they asked for. */
async function fillWith(socket: FakeSocket, count: number): Promise<void> {
  const id = new Uint8Array(20).fill(0x61)
  const hash = new Uint8Array(20).fill(0x62)
  for (let at = 0; at < count; at++) {
    const host = `192.0.2.${at}`
    const from = socket.sent.length
    socket.inject(query('get_peers', { id, info_hash: hash }), host, 3000)
    const reply = decode(socket.sent[from]?.datagram ?? new Uint8Array(0))
    const body = reply instanceof Map ? reply.get('r') : undefined
    const token = body instanceof Map ? body.get('token') : undefined
    assert.ok(token instanceof Uint8Array)
    socket.inject(query('announce_peer', { id, info_hash: hash, token, port: 3000 }), host, 3000)
    if (at % 50 === 0) await sleep(1)
  }
}
