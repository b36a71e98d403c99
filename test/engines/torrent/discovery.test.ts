import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { createServer, type IncomingMessage } from 'node:http'
import { describe, it } from 'node:test'
import type { Peer } from 'webtorrent'
import { encode } from '../../../src/base/bencode.ts'
import type { InfoHash } from '../../../src/base/hashes.ts'
import type { PeerAddress } from '../../../src/base/ports/dht-node.ts'
import { reachOf } from '../../../src/base/ip-reach.ts'
import { mayDial } from '../../../src/engines/torrent/wire/peer-policy.ts'
import { peersView } from '../../../src/engines/torrent/wire/peer-view.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { layDown, makeTorrentOf, type MadeTorrent, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { emptyDht, startEngine, type TestDht } from './support.ts'

const PIECE = 32 * 1024
const signal = (ms = 12_000) => AbortSignal.timeout(ms)

async function seeded(t: Cleanup, made: MadeTorrent): Promise<PeerAddress> {
  const box = await startEngine(t)
  await layDown(box.layout.torrents, made)
  await box.engine.add(made.info, { verified: true })
  await box.engine.seed(made.infoHash)
  return { host: '127.0.0.1', port: box.port }
}

const compact = ({ host, port }: PeerAddress) =>
  Buffer.from([...host.split('.').map(Number), port >> 8, port & 255])

/** A DHT that knows one peer of everything, and remembers what it was told. */
function knowing(peer: PeerAddress | undefined) {
  const asked: InfoHash[] = []
  const announced: InfoHash[] = []
  const dht: TestDht = {
    async *peers(hash) {
      asked.push(hash)
      if (peer) yield [peer]
    },
    async announce(hash, port, ended) {
      announced.push(hash)
      return { ...(await emptyDht.announce(hash, port, ended)), stored: 8 }
    },
  }
  return { dht, asked, announced }
}

async function httpTracker(t: Cleanup, answer: (url: URL) => Uint8Array | string) {
  const requests: URL[] = []
  const server = createServer((request: IncomingMessage, response) => {
    const url = new URL(request.url ?? '/', 'http://tracker')
    requests.push(url)
    const body = answer(url)
    if (typeof body === 'string') response.writeHead(302, { location: body }).end()
    else response.end(body)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  finallyDo(t, () => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return { url: `http://127.0.0.1:${port}/announce`, requests, port }
}

async function udpTracker(t: Cleanup, peer: PeerAddress) {
  const socket = createSocket('udp4')
  const announces: Buffer[] = []
  socket.on('message', (packet, from) => {
    const reply = Buffer.alloc(packet.readUInt32BE(8) === 0 ? 16 : 26)
    reply.writeUInt32BE(packet.readUInt32BE(8), 0)
    reply.writeUInt32BE(packet.readUInt32BE(12), 4)
    if (reply.length === 16) reply.writeBigUInt64BE(0x1234n, 8)
    else {
      announces.push(packet)
      reply.writeUInt32BE(1800, 8)
      reply.set(compact(peer), 20)
    }
    socket.send(reply, from.port, from.address)
  })
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve)
  })
  finallyDo(t, () => void socket.close())
  return { url: `udp://127.0.0.1:${socket.address().port}`, announces }
}

describe('peers are found', () => {
  const made = makeTorrentOf(pattern(3 * PIECE))
  const range = { start: 0, end: 3 * PIECE }

  it('through the DHT, for metadata and data', async (t) => {
    const { dht } = knowing(await seeded(t, made))
    const box = await startEngine(t, {}, { dht })
    const info = await box.engine.metainfo(made.infoHash, {}, signal())
    await box.engine.add(info)
    await box.engine.want(made.infoHash, 0, range, 'now', signal())
  })

  it('through an HTTP tracker, which hears who asks', async (t) => {
    const peer = await seeded(t, made)
    const tracker = await httpTracker(t, () => encode({ interval: 1800, peers: compact(peer) }))
    const box = await startEngine(t)
    await box.engine.add(made.info, { hints: { trackers: [tracker.url] } })
    await box.engine.want(made.infoHash, 0, range, 'now', signal())
    const query = tracker.requests[0]?.search ?? ''
    assert.match(query, new RegExp(`info_hash=(%[0-9a-f]{2}){20}&`))
    assert.match(query, new RegExp(`&port=${box.port}&.*left=[1-9].*compact=1.*event=started`))
    await until('the good-bye', () =>
      tracker.requests.some(({ searchParams }) => searchParams.get('event') === 'stopped'),
    )
  })

  it('through an HTTP tracker that redirects and lists peers as dictionaries', async (t) => {
    const { host, port } = await seeded(t, made)
    const second = await httpTracker(t, () =>
      encode({ interval: 1800, peers: [{ ip: host, port, 'peer id': Buffer.alloc(20) }] }),
    )
    const first = await httpTracker(t, (url) => second.url + url.search)
    const box = await startEngine(t)
    await box.engine.add(made.info, { hints: { trackers: [first.url] } })
    await box.engine.want(made.infoHash, 0, range, 'now', signal())
  })

  it('through a UDP tracker', async (t) => {
    const tracker = await udpTracker(t, await seeded(t, made))
    const box = await startEngine(t)
    await box.engine.add(made.info, { hints: { trackers: [tracker.url] } })
    await box.engine.want(made.infoHash, 0, range, 'now', signal())
    const packet = tracker.announces[0]
    assert.equal(packet?.subarray(16, 36).toString('hex'), made.infoHash)
    assert.equal(packet.readUInt16BE(96), box.port)
  })

  it('through other peers', async (t) => {
    const middle = await startEngine(t, { download_limit: 60_000 })
    const target = await seeded(t, made)
    await middle.engine.add(made.info, { hints: { peers: [target] } })
    const slow = middle.engine.want(made.infoHash, 0, range, 'background', signal())
    slow.catch(() => {})
    const box = await startEngine(t)
    const hints = { peers: [{ host: '127.0.0.1', port: middle.port }] }
    await box.engine.add(made.info, { hints })
    await box.engine.want(made.infoHash, 0, range, 'now', signal())
  })
})

describe('private torrents', () => {
  it('use their trackers only', async (t) => {
    const made = makeTorrentOf(pattern(3 * PIECE), { isPrivate: true })
    const peer = await seeded(t, made)
    const tracker = await httpTracker(t, () => encode({ interval: 1800, peers: compact(peer) }))
    const { dht, asked, announced } = knowing(peer)
    const box = await startEngine(t, {}, { dht })
    await box.engine.add(made.info, { hints: { trackers: [tracker.url] } })
    await box.engine.want(made.infoHash, 0, { start: 0, end: 3 * PIECE }, 'now', signal())
    await box.engine.seed(made.infoHash)
    await until('the announce as a seeder', () =>
      tracker.requests.some(({ searchParams }) => searchParams.get('left') === '0'),
    )
    assert.deepEqual([...asked, ...announced], [])
  })
})

describe('seeded torrents', () => {
  it('are announced to the DHT again and again, unless they must not be', async (t) => {
    const { dht, announced } = knowing(undefined)
    const box = await startEngine(t, { announce_interval: 1000 }, { dht })
    const [open, quiet] = [makeTorrentOf(pattern(100)), makeTorrentOf(pattern(200))]
    for (const made of [open, quiet]) {
      await layDown(box.layout.torrents, made)
      await box.engine.add(made.info, { verified: true })
    }
    await box.engine.seed(quiet.infoHash, { announceDht: false })
    await box.engine.seed(open.infoHash)
    await until('two announces', () => announced.length >= 2)
    assert.deepEqual(new Set(announced), new Set([open.infoHash]))
  })

  it('are announced to the trackers the owner configured, what is private or only read is not', async (t) => {
    const http = await httpTracker(t, () => encode({ interval: 1800, peers: '' }))
    const udp = await udpTracker(t, { host: '127.0.0.1', port: 9 })
    const config = { allow_local: false, announce_urls: [http.url, udp.url] }
    const box = await startEngine(t, config)
    const [kept, hidden, read] = [
      makeTorrentOf(pattern(100)),
      makeTorrentOf(pattern(200), { isPrivate: true }),
      makeTorrentOf(pattern(300)),
    ]
    await box.engine.add(read.info)
    const reading = box.engine.want(read.infoHash, 0, { start: 0, end: 1 }, 'now', signal(900))
    for (const made of [hidden, kept]) {
      await layDown(box.layout.torrents, made)
      await box.engine.add(made.info, { verified: true })
      await box.engine.seed(made.infoHash)
    }
    await assert.rejects(reading)
    const told = http.requests.map((url) => /info_hash=([%0-9a-f]{60})&/.exec(url.search)?.[1])
    assert.deepEqual(told, [kept.infoHash.replaceAll(/../g, '%$&')])
    assert.match(http.requests[0]?.search ?? '', /&left=0&.*&event=started/)
    assert.deepEqual(
      udp.announces.map((packet) => packet.subarray(16, 36).toString('hex')),
      [kept.infoHash],
    )
  })
})

describe('peers of several sources', () => {
  it('are shown once', () => {
    const wire = {
      peerId: Buffer.from('-qB4520-abcdefghijkl').toString('hex'),
      peerExtendedHandshake: {},
      downloaded: 1,
      uploaded: 2,
      downloadSpeed: () => 3.4,
      uploadSpeed: () => 5.6,
    }
    const peer = (id: string, type: string, source: string | null, addr: string | null = id) =>
      ({ id, type, source, addr, wire }) as unknown as Peer
    const shown = peersView([
      peer('127.0.0.1:7', 'tcpOutgoing', 'dht'),
      peer('::ffff:127.0.0.1:7', 'tcpIncoming', null),
      peer('[2001:db8::1]:7', 'tcpOutgoing', 'ut_pex'),
      peer('ab'.repeat(20), 'webrtc', 'tracker', '127.0.0.1:7'),
      peer('cd'.repeat(20), 'webrtc', 'tracker', null),
      { ...peer('127.0.0.1:8', 'tcpOutgoing', 'met'), wire: null },
    ])
    assert.deepEqual(
      shown.map(({ address, kind, source }) => [address, kind, source]),
      [
        ['127.0.0.1:7', 'tcp', 'dht'],
        ['[2001:db8::1]:7', 'tcp', 'pex'],
        ['127.0.0.1:7', 'webrtc', 'tracker'],
        ['cd'.repeat(20), 'webrtc', 'tracker'],
      ],
    )
    assert.deepEqual(shown[0], {
      address: '127.0.0.1:7',
      kind: 'tcp',
      source: 'dht',
      client: 'qB4520',
      downloadedBytes: 1,
      uploadedBytes: 2,
      downloadBytesPerSecond: 3,
      uploadBytesPerSecond: 6,
    })
  })
})

describe('strangers', () => {
  it('cannot make us ask trackers in the own network', async (t) => {
    const made = makeTorrentOf(pattern(PIECE))
    const tracker = await httpTracker(t, () => encode({ interval: 1800, peers: '' }))
    const box = await startEngine(t, { allow_local: false })
    const names = ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0.0.0.0']
    const trackers = names.flatMap((name) => [
      `http://${name}:${tracker.port}/announce`,
      `udp://${name}:${tracker.port}`,
    ])
    await box.engine.add(made.info, { hints: { trackers } })
    const wanting = box.engine.want(
      made.infoHash,
      0,
      { start: 0, end: 1 },
      'now',
      AbortSignal.timeout(800),
    )
    await assert.rejects(wanting)
    assert.deepEqual(tracker.requests, [])
  })

  it('cannot make us dial addresses that are not out in the world', () => {
    const inside = ['127.0.0.1', '::1', '10.1.2.3', '192.168.1.1', '172.31.0.1', '169.254.1.1']
    const odd = [
      '0.0.0.0',
      '255.255.255.255',
      '224.0.0.1',
      '::',
      '::ffff:10.0.0.1',
      '::ffff:7f00:1',
    ]
    const more = ['fe80::1', 'fd00::1', '64:ff9b::7f00:1', '2002:7f00:1::', 'ff02::1', 'localhost']
    for (const source of ['dht', 'tracker', 'pex'] as const) {
      for (const host of [...inside, ...odd, ...more]) {
        assert.equal(mayDial(host, source, false), false, `${source} ${host}`)
      }
      for (const host of ['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8'])
        assert.equal(mayDial(host, source, false), true, host)
    }
    for (const source of ['hint', 'lsd'] as const) {
      assert.equal(mayDial('192.168.1.5', source, false), true)
      assert.equal(mayDial('127.0.0.1', source, false), false)
      assert.equal(mayDial('::ffff:7f00:1', source, false), false)
    }
    assert.equal(reachOf('::ffff:c0a8:101'), 'private')
  })
})
