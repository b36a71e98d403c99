import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, it } from 'node:test'
import { encode } from '../../../src/base/bencode.ts'
import type { InfoHash } from '../../../src/base/hashes.ts'
import { torrentFilePath } from '../../../src/base/layout.ts'
import type { TorrentEngine } from '../../../src/base/ports/torrent-engine.ts'
import { createFakeWebRtcNet, type FakeWebRtcPeer } from '../../fakes/web-rtc.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { layDown, type MadeTorrent, makeTorrentOf, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { flood, handshakeOf, introduce, loopback, seedIn, startEngine } from './support.ts'

const PIECE = 32 * 1024
const signal = (ms = 15_000) => AbortSignal.timeout(ms)
const range = (made: MadeTorrent) => ({ start: 0, end: made.files[0]?.bytes.length ?? 0 })

/** A browser that says what the test tells it to. */
async function rawBrowser(
  browser: FakeWebRtcPeer,
  engine: TorrentEngine,
  infoHash: InfoHash,
): Promise<Duplex> {
  const { promise, resolve } = Promise.withResolvers<Duplex>()
  browser.onChannel(({ stream }) => {
    stream.on('error', () => {})
    resolve(stream)
  })
  assert.ok(await introduce(browser, engine, infoHash))
  return promise
}

const extended = (id: number, payload: Uint8Array) => {
  const head = Buffer.alloc(6)
  head.writeUInt32BE(payload.length + 2)
  head.set([20, id], 4)
  return Buffer.concat([head, payload])
}

async function serving(t: Cleanup, length = 6 * PIECE) {
  const net = createFakeWebRtcNet()
  const box = await startEngine(t, {}, { webrtc: net.peer() })
  const made = makeTorrentOf(pattern(length))
  await seedIn(box, made)
  return { net, box, made }
}

describe('browsers as peers', { timeout: 60_000 }, () => {
  it('are served, and shown as what they are', async (t) => {
    const { net, box, made } = await serving(t)
    const browser = net.peer()
    const other = await startEngine(t, {}, { webrtc: browser })
    await other.engine.add(made.info)
    const most = { start: 0, end: 5 * PIECE }
    const wanting = other.engine.want(made.infoHash, 0, most, 'now', signal())
    assert.ok(await introduce(browser, box.engine, made.infoHash))
    await wanting
    const [shown, ...more] = await other.engine.peers(made.infoHash)
    assert.deepEqual(more, [])
    assert.deepEqual([shown?.kind, shown?.source], ['webrtc', 'tracker'])
    assert.ok((shown?.downloadedBytes ?? 0) >= 5 * PIECE)
    assert.match(shown?.address ?? '', /^127\.0\.0\.1:\d+$/)
    assert.ok((shown?.client ?? '').length > 0)
    await other.engine.want(made.infoHash, 0, range(made), 'now', signal())
    const bytes = await readFile(torrentFilePath(other.layout, made.infoHash, 0))
    assert.ok(bytes.equals(Buffer.from(made.files[0]?.bytes ?? [])))
  })

  it('bring a torrent into the swarm that was only known', async (t) => {
    const net = createFakeWebRtcNet()
    const box = await startEngine(t, {}, { webrtc: net.peer() })
    const made = makeTorrentOf(pattern(PIECE))
    await layDown(box.layout.torrents, made)
    const stream = await rawBrowser(net.peer(), box.engine, made.infoHash)
    const [first] = (await once(stream, 'data')) as [Buffer]
    assert.equal(first.subarray(28, 48).toString('hex'), made.infoHash)
  })

  it('are left when the torrent is dropped', async (t) => {
    const { net, box, made } = await serving(t)
    const stream = await rawBrowser(net.peer(), box.engine, made.infoHash)
    const closed = once(stream, 'close')
    await box.engine.drop(made.infoHash)
    await closed
  })

  it('find no place where all are taken, nor a second one for one id', async (t) => {
    const net = createFakeWebRtcNet()
    const config = { max_connections_per_torrent: 2 }
    const box = await startEngine(t, config, { webrtc: net.peer() })
    const made = makeTorrentOf(pattern(PIECE))
    await seedIn(box, made)
    const browser = net.peer()
    browser.onChannel(({ stream }) => stream.on('error', () => {}))
    const peerId = 'ab'.repeat(20)
    assert.equal(await introduce(browser, box.engine, made.infoHash, peerId), true)
    assert.equal(await introduce(browser, box.engine, made.infoHash, peerId), false)
    assert.equal(await introduce(browser, box.engine, made.infoHash), true)
    assert.equal(await introduce(browser, box.engine, made.infoHash), false)
    assert.equal(await introduce(browser, box.engine, made.infoHash, 'no id'), false)
  })

  it('cannot take every place from one address', async (t) => {
    const net = createFakeWebRtcNet()
    const box = await startEngine(t, {}, { webrtc: net.peer() })
    const made = makeTorrentOf(pattern(PIECE))
    await seedIn(box, made)
    const browser = net.peer({ host: '192.0.2.7' })
    browser.onChannel(({ stream }) => {
      stream.on('error', () => {})
      stream.resume().write(handshakeOf(made.infoHash))
    })
    for (let i = 0; i < 20; i++) {
      await introduce(browser, box.engine, made.infoHash)
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
    }
    await until('the surplus to be closed', () => browser.channels().length <= 8)
  })

  it('are not all answered at once', async (t) => {
    const net = createFakeWebRtcNet()
    const webrtc = net.peer()
    let asked = 0
    const never = new Promise<string>(() => {})
    const slow = {
      ...webrtc,
      async answer() {
        asked++
        return never
      },
    }
    const box = await startEngine(t, {}, { webrtc: slow })
    const made = makeTorrentOf(pattern(PIECE))
    await seedIn(box, made)
    const peerId = (n: number) => n.toString(16).padStart(40, '0')
    const gone = new AbortController()
    const answers = Array.from({ length: 1000 }, async (_, n) =>
      box.engine.answerOffer(made.infoHash, { sdp: 'x', peerId: peerId(n) }, gone.signal),
    )
    const refused = await Promise.all(answers.slice(16))
    assert.deepEqual(new Set(refused), new Set([undefined]))
    assert.equal(asked, 16)
  })

  it('do not wake every torrent that the box knows', async (t) => {
    const net = createFakeWebRtcNet()
    const box = await startEngine(t, {}, { webrtc: net.peer() })
    const known = Array.from({ length: 40 }, (_, n) => makeTorrentOf(pattern(PIECE, n + 1)))
    for (const made of known) await layDown(box.layout.torrents, made)
    const browser = net.peer()
    browser.onChannel(({ stream }) => stream.on('error', () => {}))
    let answered = 0
    for (const { infoHash } of known) if (await introduce(browser, box.engine, infoHash)) answered++
    assert.ok(answered >= 20 && answered <= 22, `${answered} were woken`)
  })

  it('cost little where they announce 2 GiB and send junk', async (t) => {
    const { net, box, made } = await serving(t)
    const stream = await rawBrowser(net.peer(), box.engine, made.infoHash)
    stream.resume()
    stream.write(handshakeOf(made.infoHash))
    stream.write(Buffer.from([0x7f, 0xff, 0xff, 0xff]))
    const taken = await flood(stream, 45_000_000)
    assert.ok(taken <= 2 * 1024 * 1024, `${taken} bytes were taken`)
  })

  it('cost little where they never speak BitTorrent', async (t) => {
    const { net, box, made } = await serving(t)
    const stream = await rawBrowser(net.peer(), box.engine, made.infoHash)
    stream.resume()
    assert.ok((await flood(stream, 45_000_000)) <= 2 * 1024 * 1024)
  })

  it('are cut where they mean another torrent', async (t) => {
    const { net, box, made } = await serving(t)
    const stream = await rawBrowser(net.peer(), box.engine, made.infoHash)
    stream.resume()
    const closed = once(stream, 'close')
    stream.write(handshakeOf('ab'.repeat(20)))
    await closed
    assert.deepEqual(await box.engine.peers(made.infoHash), [])
  })

  it('cannot make the box dial whom they name', async (t) => {
    let dialled = 0
    const victim = createServer((socket) => {
      dialled++
      socket.destroy()
    })
    await new Promise<void>((resolve) => {
      victim.listen(0, '127.0.0.1', resolve)
    })
    finallyDo(t, () => void victim.close())
    const address = victim.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const net = createFakeWebRtcNet()
    const box = await startEngine(t, {}, { webrtc: net.peer() })
    const made = makeTorrentOf(pattern(4 * PIECE))
    await box.engine.add(made.info)
    const wanting = box.engine.want(made.infoHash, 0, range(made), 'now', signal(1500))
    const stream = await rawBrowser(net.peer(), box.engine, made.infoHash)
    stream.resume()
    stream.write(handshakeOf(made.infoHash))
    const hello = encode({ m: { ut_pex: 1 } })
    stream.write(extended(0, hello))
    await until('it to be a peer', async () => (await box.engine.peers(made.infoHash)).length > 0)
    const added = Buffer.from([127, 0, 0, 1, port >> 8, port & 255])
    stream.write(extended(1, encode({ added, 'added.f': Buffer.from([0]) })))
    await assert.rejects(wanting)
    assert.equal(dialled, 0)
  })

  it('end without harm when all channels die at once', async (t) => {
    const net = createFakeWebRtcNet()
    const webrtc = net.peer()
    const box = await startEngine(t, {}, { webrtc })
    const made = makeTorrentOf(pattern(PIECE))
    await seedIn(box, made)
    const streams = await Promise.all(
      Array.from({ length: 4 }, async () => rawBrowser(net.peer(), box.engine, made.infoHash)),
    )
    for (const stream of streams) stream.resume().write(handshakeOf(made.infoHash))
    await until('four peers', async () => (await box.engine.peers(made.infoHash)).length === 4)
    webrtc.crash()
    await until('no peers', async () => (await box.engine.peers(made.infoHash)).length === 0)
    await rawBrowser(net.peer(), box.engine, made.infoHash)
  })
})

describe('two boxes that dial each other', { timeout: 30_000 }, () => {
  it('keep one connection', async (t) => {
    const [a, b] = [await startEngine(t), await startEngine(t)]
    const made = makeTorrentOf(pattern(8 * PIECE))
    await Promise.all([a.engine.add(made.info), b.engine.add(made.info)])
    const gone = signal(3000)
    const wants = [a, b].map(({ engine }) =>
      engine.want(made.infoHash, 0, range(made), 'now', gone).catch(() => {}),
    )
    await Promise.all([
      a.engine.add(made.info, { hints: loopback(b.port) }),
      b.engine.add(made.info, { hints: loopback(a.port) }),
    ])
    await Promise.all(wants)
    const counts = await Promise.all(
      [a, b].map(async ({ engine }) => (await engine.peers(made.infoHash)).length),
    )
    assert.deepEqual(counts, [1, 1])
  })
})
