import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Encodable, encode, encodeRawDict } from '../../../src/base/bencode.ts'
import { mutableTarget } from '../../../src/base/bep44.ts'
import { EMPTY, fromHex, toHex, utf8 } from '../../../src/base/bytes.ts'
import { infoHash } from '../../../src/base/hashes.ts'
import type { SignedItem } from '../../../src/base/ports/dht-node.ts'
import { packPeer } from '../../../src/engines/dht/address.ts'
import { decodeMessage, type Message } from '../../../src/engines/dht/krpc.ts'
import { isSecureId } from '../../../src/engines/dht/node-id.ts'
import { createReachability } from '../../../src/engines/dht/reachability.ts'
import { createSigner, linkValue, peersOf } from '../../compliance/dht-node.ts'
import { until } from '../../support/until.ts'
import { query } from './datagrams.ts'
import { createFakeSocket } from './fake-socket.ts'
import { startNetwork, startNode } from './network.ts'
import { startRawNode } from './raw-node.ts'

const HOUR = 3_600_000
const knows = async (started: Awaited<ReturnType<typeof startNode>>, count: number) =>
  until('it knows others', async () => (await started.node.info()).nodes4 >= count)

describe('the server of the DHT node', () => {
  /** Asks over a socket of its own, as a program with nothing of ours would. */
  async function rawClient(to: { host: string; port: number }) {
    const socket = createSocket('udp4')
    const ask = async (q: string, raw: Map<string, Uint8Array>): Promise<Message> => {
      raw.set('id', encode(new Uint8Array(20).fill(0x61)))
      const top = { t: encode('aa'), y: encode('q'), q: encode(q), a: encodeRawDict(raw) }
      const reply = new Promise<Message>((done, fail) => {
        const timer = setTimeout(() => fail(new Error(`no reply to ${q}`)), 3000)
        const heard = (datagram: Buffer): void => {
          const message = decodeMessage(Uint8Array.from(datagram))
          if (!message || message.kind === 'query') return
          clearTimeout(timer)
          socket.off('message', heard)
          done(message)
        }
        socket.on('message', heard)
      })
      socket.send(encodeRawDict(new Map(Object.entries(top))), to.port, to.host)
      return reply
    }
    const args = (entries: Record<string, Encodable>): Map<string, Uint8Array> =>
      new Map(Object.entries(entries).map(([key, value]) => [key, encode(value)]))
    return { ask, args, close: () => socket.close() }
  }

  it('stores by get and put as BEP 44 says, and refuses by its codes', async (t) => {
    const started = await startNode()
    t.after(started.stop)
    const client = await rawClient(started)
    t.after(client.close)
    const signer = createSigner()
    const put = async (item: SignedItem, more: { cas?: number; token?: Uint8Array } = {}) => {
      const target = fromHex(mutableTarget(item.publicKey, item.salt))
      const got = await client.ask('get', client.args({ target }))
      assert.equal(got.kind, 'response')
      const { seq, salt, signature } = item
      const fields = client.args({
        token: more.token ?? got.token ?? EMPTY,
        k: fromHex(item.publicKey),
        sig: signature,
        seq,
        ...(salt.length > 0 && { salt }),
        ...(more.cas !== undefined && { cas: more.cas }),
      })
      const reply = await client.ask('put', fields.set('v', item.value))
      return reply.kind === 'error' ? reply.code : reply.kind
    }
    assert.equal(await put(signer.item(1, linkValue(1))), 'response')
    assert.equal(await put(signer.item(1, linkValue(1)), { token: utf8('12345678') }), 203)
    assert.equal(await put(signer.item(2, encode('x'.repeat(1000)))), 205)
    assert.equal(await put({ ...signer.item(2, linkValue(2)), seq: 3 }), 206)
    assert.equal(await put(signer.item(2, linkValue(2), new Uint8Array(65))), 207)
    assert.equal(await put(signer.item(2, linkValue(2)), { cas: 7 }), 301)
    assert.equal(await put(signer.item(0, linkValue(2))), 302)
    assert.equal(await put(signer.item(2, linkValue(2)), { cas: 1 }), 'response')

    const target = fromHex(mutableTarget(signer.key, EMPTY))
    const full = await client.ask('get', client.args({ target, seq: 1 }))
    assert.equal(full.kind === 'response' && full.item?.seq, 2)
    const nothingNewer = await client.ask('get', client.args({ target, seq: 2 }))
    assert.equal(nothingNewer.kind, 'response')
    assert.equal(nothingNewer.item, undefined)
    assert.equal(nothingNewer.seq, 2)
  })

  it('takes announces with a token only, and the port of the packet when it is implied', async (t) => {
    const started = await startNode({ max_torrents: 2, max_peers_per_torrent: 3 })
    t.after(started.stop)
    const hash = randomBytes(20)
    const client = await rawClient(started)
    t.after(client.close)
    const search = await client.ask('get_peers', client.args({ info_hash: hash }))
    assert.ok(search.kind === 'response' && search.token)
    const { token } = search
    const announce = async (more: Record<string, Encodable>) => {
      const reply = await client.ask('announce_peer', client.args({ info_hash: hash, ...more }))
      return reply.kind === 'error' ? reply.code : reply.kind
    }
    assert.equal(await announce({ token: 'wrong', port: 5 }), 203)
    assert.equal(await announce({ token, port: 0 }), 203)
    assert.equal(await announce({ token, port: 70_000 }), 203)
    for (let port = 1; port <= 6; port++) assert.equal(await announce({ token, port }), 'response')
    assert.equal((await started.node.info()).stats['stored_peers'], 3)
    assert.equal(await announce({ token, port: 9, implied_port: 1 }), 'response')
    const found = await client.ask('get_peers', client.args({ info_hash: hash }))
    assert.ok(found.kind === 'response' && found.peers.every(({ port }) => port !== 9))
  })

  it('names its own torrents to who asks for them', async (t) => {
    const started = await startNode()
    t.after(started.stop)
    const hash = infoHash('44'.repeat(20))
    await started.node.announce(hash, 7777)
    const client = await rawClient(started)
    t.after(client.close)
    const found = await client.ask('get_peers', client.args({ info_hash: fromHex(hash) }))
    assert.equal(found.kind, 'response')
    assert.deepEqual(found.peers, [{ host: started.host, port: 7777 }])
  })
})

describe('the manners of the DHT node', () => {
  it('stay within the budget of upkeep however much is announced', async (t) => {
    const network = await startNetwork(12)
    t.after(async () => network.stop())
    const started = await startNode({
      bootstrap_nodes: [network.nodes[0]?.address ?? ''],
      packets_per_second: 25,
      burst: 60,
    })
    t.after(started.stop)
    await knows(started, 8)
    await sleep(1500)
    const sent = async () => (await started.node.info()).stats['queries_sent'] ?? 0
    const before = await sent()
    const startedAt = performance.now()
    const stopping = new AbortController()
    const announces = Array.from({ length: 40 }, async () =>
      started.node.announce(infoHash(toHex(randomBytes(20))), 1, stopping.signal),
    )
    await sleep(1500)
    const seconds = (performance.now() - startedAt) / 1000
    const packets = (await sent()) - before
    stopping.abort()
    await Promise.all(announces)
    // The puts of tokens already given come on top: eight an announce that got through.
    assert.ok(packets <= 60 + 25 * seconds + 5, `${packets} packets in ${seconds} s`)
  })

  it('are quiet when nobody asks for anything', async (t) => {
    const network = await startNetwork(12)
    t.after(async () => network.stop())
    await sleep(500)
    const sent = async () => {
      const infos = await Promise.all(network.nodes.map(async ({ node }) => node.info()))
      return infos.reduce((sum, { stats }) => sum + (stats['packets_sent'] ?? 0), 0)
    }
    const before = await sent()
    await sleep(2000)
    assert.ok((await sent()) - before <= 12 * 2 * 25)
  })

  it('are those of a guest when read-only: it says so, and nobody keeps it', async (t) => {
    const watcher = await startRawNode(randomBytes(20), () => ({}))
    t.after(watcher.stop)
    const host = await startNode()
    t.after(host.stop)
    const guest = await startNode({
      read_only: 'on',
      bootstrap_nodes: [host.address, watcher.address],
    })
    t.after(guest.stop)
    await knows(guest, 2)
    assert.ok(watcher.queries.length > 0 && watcher.queries.every((heard) => heard.readOnly))
    assert.equal((await host.node.info()).nodes4, 0)
    assert.ok((await guest.node.info()).readOnly)
  })

  it('make it read-only after a quarter of an hour in which no stranger reached it', () => {
    const clock = { at: 0, now: () => clock.at }
    const reachability = createReachability('auto', clock, false)
    clock.at += 16 * 60_000
    reachability.review(5)
    assert.ok(!reachability.readOnly(), 'a small table proves nothing')
    reachability.review(100)
    assert.ok(reachability.readOnly())
    reachability.reached()
    assert.ok(!reachability.readOnly())
    clock.at += 2 * HOUR
    reachability.review(100)
    assert.ok(reachability.readOnly())
    clock.at += 7 * HOUR
    reachability.review(100)
    assert.ok(!reachability.readOnly(), 'it tries again')
    assert.ok(createReachability('auto', clock, true).readOnly(), 'and remembers')
    assert.ok(!createReachability('off', clock, true).readOnly())
  })

  it('include an id that fits the external address (BEP 42)', async (t) => {
    const socket = createFakeSocket()
    const routers = Array.from({ length: 8 }, (_, at) => `9.${at + 1}.1.1:6881`)
    const started = await startNode(
      { bootstrap_nodes: routers, min_interval: 60_000 },
      { openSocket: socket.open },
    )
    t.after(started.stop)
    const before = (await started.node.info()).nodeId
    const ids = new Map<string, Uint8Array>()
    await until('the node took a new id', async () => {
      for (const { datagram, host, port } of socket.sent.splice(0)) {
        const message = decodeMessage(datagram)
        if (message?.kind !== 'query') continue
        const id = ids.get(host) ?? randomBytes(20)
        ids.set(host, id)
        const ip = packPeer({ host: '81.2.3.4', port: 6883 })
        socket.inject(encode({ ip, t: message.transaction, y: 'r', r: { id } }), host, port)
      }
      return (await started.node.info()).nodeId !== before
    })
    const { nodeId, nodes4 } = await started.node.info()
    assert.ok(isSecureId(fromHex(nodeId), '81.2.3.4'))
    assert.ok(nodes4 >= 4, 'the nodes moved along')
  })
})

const hasIPv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
)

describe('the DHT node over IPv6 (BEP 32)', { skip: hasIPv6 ? false : 'no ::1 here' }, () => {
  it('finds nodes, peers and items as over IPv4', async (t) => {
    const six = { ipv6: true, bind_address6: '::1' }
    const a = await startNode(six)
    t.after(a.stop)
    const b = await startNode({ ...six, bootstrap_nodes: [`[::1]:${a.port}`] })
    t.after(b.stop)
    await until('b knows a', async () => (await b.node.info()).nodes6 === 1)
    const signer = createSigner()
    assert.equal((await b.node.putMutable(signer.item(1, linkValue(1)))).stored, 1)
    assert.equal((await a.node.info()).stats['stored_items'], 1)
    const hash = infoHash('77'.repeat(20))
    await b.node.announce(hash, 4321)
    assert.deepEqual(await peersOf(a.node, hash), [{ host: '::1', port: 4321 }])
  })

  it('learns IPv6 nodes from the replies of IPv4 nodes', async (t) => {
    const six = { ipv6: true, bind_address6: '::1' }
    const a = await startNode(six)
    t.after(a.stop)
    const b = await startNode({ ...six, bootstrap_nodes: [a.address, `[::1]:${a.port}`] })
    t.after(b.stop)
    await until('a knows b', async () => (await a.node.info()).nodes6 === 1)
    const c = await startNode({ ...six, bootstrap_nodes: [a.address] })
    t.after(c.stop)
    await until('c knows b over IPv6', async () => (await c.node.info()).nodes6 >= 1)
  })

  it('runs on without IPv6 when that address is not to be had', async (t) => {
    const started = await startNode({ ipv6: true, bind_address6: '2001:db8::1' })
    t.after(started.stop)
    assert.ok((await started.node.info()).port > 0)
  })

  it('answers want for both families', async (t) => {
    const started = await startNode({ ipv6: true, bind_address6: '::1' })
    t.after(started.stop)
    const socket = createSocket('udp6')
    t.after(() => socket.close())
    const heard = new Promise<Buffer>((done) => {
      socket.once('message', done)
    })
    const target = new Uint8Array(20)
    socket.send(query('find_node', { id: target, target, want: ['n4', 'n6'] }), started.port, '::1')
    assert.equal(decodeMessage(Uint8Array.from(await heard))?.kind, 'response')
  })
})
