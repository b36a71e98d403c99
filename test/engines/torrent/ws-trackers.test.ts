import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type WebSocket, WebSocketServer } from 'ws'
import { torrentFilePath } from '../../../src/base/layout.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createFakeWebRtcNet } from '../../fakes/web-rtc.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { type MadeTorrent, makeTorrentOf, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { foreignTracker } from './foreign-tracker.ts'
import { seedIn, startEngine } from './support.ts'

const PIECE = 32 * 1024
const signal = (ms = 20_000) => AbortSignal.timeout(ms)
const all = (made: MadeTorrent) => ({ start: 0, end: made.files[0]?.bytes.length ?? 0 })
const binary = (hex: string) => Buffer.from(hex, 'hex').toString('latin1')

interface Heard extends Record<string, unknown> {
  info_hash: string
  peer_id: string
  offers?: { offer_id: string; offer: { sdp: string } }[]
}

interface Rogue {
  url: string
  heard: Heard[]
  sockets: Set<WebSocket>
  /** Connections so far. */
  count: () => number
}

/** A tracker that does what the test tells it to. */
async function rogueTracker(
  t: Cleanup,
  onMessage: (message: Heard, socket: WebSocket) => void,
): Promise<Rogue> {
  const http = createServer()
  const server = new WebSocketServer({ server: http })
  const heard: Heard[] = []
  const sockets = new Set<WebSocket>()
  let connections = 0
  server.on('connection', (socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString('utf8')) as Heard
      heard.push(message)
      onMessage(message, socket)
    })
  })
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve)
  })
  finallyDo(t, () => {
    for (const socket of sockets) socket.terminate()
    server.close()
    http.close()
  })
  const { port } = http.address() as AddressInfo
  return { url: `ws://127.0.0.1:${port}/`, heard, sockets, count: () => connections }
}

const offerTo = (
  infoHash: string,
  n: number,
  sdp = `fake-offer:${n.toString(16).padStart(8, '0')}`,
) =>
  JSON.stringify({
    action: 'announce',
    info_hash: binary(infoHash),
    peer_id: binary(n.toString(16).padStart(40, 'a')),
    offer_id: binary(n.toString(16).padStart(40, 'b')),
    offer: { type: 'offer', sdp },
  })

describe('WebSocket trackers', { timeout: 60_000 }, () => {
  it('bring boxes together, whoever comes first', async (t) => {
    const { url, server } = await foreignTracker(t)
    const net = createFakeWebRtcNet()
    const made = makeTorrentOf(pattern(20 * PIECE))
    const other = makeTorrentOf(pattern(20 * PIECE, 2))
    const hints = { trackers: [url] }
    const a = await startEngine(t, { announce_urls: [url] }, { webrtc: net.peer() })
    const b = await startEngine(t, {}, { webrtc: net.peer() })
    await seedIn(a, made)
    await until('the seed to be announced', () => server.torrents[made.infoHash]?.complete === 1)
    await b.engine.add(made.info, { hints })
    await b.engine.want(made.infoHash, 0, all(made), 'now', signal())
    const bytes = await readFile(torrentFilePath(b.layout, made.infoHash, 0))
    assert.ok(bytes.equals(Buffer.from(pattern(20 * PIECE))))

    await b.engine.add(other.info, { hints })
    const wanting = b.engine.want(other.infoHash, 0, all(other), 'now', signal())
    await until(
      'the leech to be announced',
      () => server.torrents[other.infoHash]?.incomplete === 1,
    )
    await seedIn(a, other)
    await wanting
  })

  it('lead to browsers that know a torrent of which only the infohash is known', async (t) => {
    const { url, server } = await foreignTracker(t)
    const net = createFakeWebRtcNet()
    const [made, other] = [makeTorrentOf(pattern(PIECE)), makeTorrentOf(pattern(PIECE, 2))]
    const a = await startEngine(t, { announce_urls: [url] }, { webrtc: net.peer() })
    const b = await startEngine(t, {}, { webrtc: net.peer() })
    await seedIn(a, made)
    await until('the seed to be announced', () => server.torrents[made.infoHash]?.complete === 1)
    const hints = { trackers: [url] }
    assert.deepEqual(
      Buffer.from(await b.engine.metainfo(made.infoHash, hints, signal())),
      Buffer.from(made.info),
    )
    const finding = b.engine.metainfo(other.infoHash, hints, signal())
    await until('the search', () => server.torrents[other.infoHash]?.incomplete === 1)
    await seedIn(a, other)
    assert.deepEqual(Buffer.from(await finding), Buffer.from(other.info))
  })

  it('hear of a wanted torrent with offers, of a seed when somebody waits, and a good-bye', async (t) => {
    const tracker = await rogueTracker(t, ({ info_hash, event }, socket) => {
      if (event === 'started')
        socket.send(JSON.stringify({ action: 'announce', info_hash, interval: 900, incomplete: 2 }))
    })
    const webrtc = createFakeWebRtcNet().peer()
    const box = await startEngine(t, { announce_urls: [tracker.url] }, { webrtc })
    const [seed, wanted] = [makeTorrentOf(pattern(PIECE)), makeTorrentOf(pattern(PIECE, 2))]
    await seedIn(box, seed)
    const of = (made: MadeTorrent) =>
      tracker.heard.filter(({ info_hash }) => info_hash === binary(made.infoHash))
    await until('two announces', () => of(seed).length === 2)
    assert.deepEqual(
      of(seed).map(({ event, left, offers }) => [event, left, offers?.length]),
      [
        ['started', 0, 0],
        [undefined, 0, 2],
      ],
    )
    const gone = new AbortController()
    await box.engine.add(wanted.info, { hints: { trackers: [tracker.url] } })
    const wanting = box.engine.want(wanted.infoHash, 0, all(wanted), 'now', gone.signal)
    await until('its announce', () => of(wanted).length === 1)
    const [first] = of(wanted)
    assert.deepEqual([first?.['event'], first?.offers?.length], ['started', 5])
    assert.ok(Number(first?.['left']) > 0)
    assert.equal(new Set(first?.offers?.map((one) => one.offer_id)).size, 5)
    gone.abort()
    await assert.rejects(wanting)
    await box.engine.drop(seed.infoHash)
    await until('good-byes', () =>
      [seed, wanted].every((made) => of(made).at(-1)?.['event'] === 'stopped'),
    )
  })

  it('hear soon again of what is wanted and reached nobody, unless nobody is there', async (t) => {
    const there = makeTorrentOf(pattern(PIECE))
    const alone = makeTorrentOf(pattern(PIECE, 2))
    const tracker = await rogueTracker(t, ({ info_hash }, socket) => {
      const complete = info_hash === binary(there.infoHash) ? 1 : 0
      const reply = { action: 'announce', info_hash, interval: 900, complete, incomplete: 1 }
      socket.send(JSON.stringify(reply))
    })
    const box = await startEngine(t, {}, { webrtc: createFakeWebRtcNet().peer() })
    const of = ({ infoHash }: MadeTorrent) =>
      tracker.heard.filter(({ info_hash }) => info_hash === binary(infoHash))
    const gone = new AbortController()
    const wanting = [there, alone].map(async (made) => {
      await box.engine.add(made.info, { hints: { trackers: [tracker.url] } })
      await assert.rejects(box.engine.want(made.infoHash, 0, all(made), 'now', gone.signal))
    })
    await until('its second announce', () => of(there).length === 2, { timeoutMs: 10_000 })
    assert.equal(of(there).at(-1)?.offers?.length, 5)
    assert.equal(of(alone).length, 1)
    gone.abort()
    await Promise.all(wanting)
  })

  it('hear of no more seeds than are hot, and nothing of private ones they do not own', async (t) => {
    const tracker = await rogueTracker(t, () => {})
    const box = await startEngine(t, { announce_urls: [tracker.url], webrtc_hot_torrents: 3 })
    for (let i = 0; i < 6; i++) await seedIn(box, makeTorrentOf(pattern(PIECE, i + 1)))
    const hidden = makeTorrentOf(pattern(PIECE, 99), { isPrivate: true })
    await seedIn(box, hidden)
    await until('three announces', () => tracker.heard.length >= 3)
    await sleep(300)
    assert.equal(new Set(tracker.heard.map((one) => one.info_hash)).size, 3)
    assert.ok(!tracker.heard.some((one) => one.info_hash === binary(hidden.infoHash)))
    assert.equal(tracker.count(), 1)
  })

  it('get no answer for what was not announced there', async (t) => {
    const tracker = await rogueTracker(t, () => {})
    const box = await startEngine(t)
    const [known, asked] = [makeTorrentOf(pattern(PIECE)), makeTorrentOf(pattern(PIECE, 2))]
    await seedIn(box, known)
    await box.engine.add(asked.info, { hints: { trackers: [tracker.url] } })
    const wanting = box.engine.want(asked.infoHash, 0, all(asked), 'now', signal(1200))
    await until('an announce', () => tracker.heard.length === 1)
    const [socket] = tracker.sockets
    socket?.send(offerTo(known.infoHash, 1))
    socket?.send(offerTo(asked.infoHash, 2))
    await until('an answer', () => tracker.heard.some((one) => 'answer' in one))
    await assert.rejects(wanting)
    const answers = tracker.heard.filter((one) => 'answer' in one)
    assert.deepEqual(
      answers.map((one) => one.info_hash),
      [binary(asked.infoHash)],
    )
  })

  it('are not asked on the own network when a stranger names them', async (t) => {
    const tracker = await rogueTracker(t, () => {})
    const box = await startEngine(t, { allow_local: false })
    const made = makeTorrentOf(pattern(PIECE))
    const { port } = new URL(tracker.url)
    const trackers = [tracker.url, `ws://localhost:${port}/`, `ws://[::ffff:127.0.0.1]:${port}/`]
    await box.engine.add(made.info, { hints: { trackers } })
    await assert.rejects(
      box.engine.want(made.infoHash, 0, all(made), 'now', AbortSignal.timeout(700)),
    )
    assert.equal(tracker.count(), 0)
    const configured = await startEngine(t, { allow_local: false, announce_urls: [tracker.url] })
    await seedIn(configured, made)
    await until('the announce', () => tracker.heard.length > 0)
  })

  it('are left where they send thousands of offers', async (t) => {
    const made = makeTorrentOf(pattern(PIECE))
    const tracker = await rogueTracker(t, (message, socket) => {
      if ('answer' in message) return
      for (let n = 0; n < 5000; n++) socket.send(offerTo(made.infoHash, n))
    })
    const webrtc = createFakeWebRtcNet().peer()
    const box = await startEngine(t, { announce_urls: [tracker.url] }, { webrtc })
    await seedIn(box, made)
    await until('the box to leave', () => tracker.count() === 1 && tracker.sockets.size === 0)
    assert.ok(tracker.heard.length <= 30, `${tracker.heard.length} messages`)
    await sleep(500)
    assert.equal(tracker.count(), 1)
    const info = await box.engine.status(made.infoHash)
    assert.equal(info?.complete, true)
  })

  it('are spoken of once when they are left', async (t) => {
    const made = makeTorrentOf(pattern(PIECE))
    const tracker = await rogueTracker(t, (_message, socket) => {
      for (let n = 0; n < 5000; n++) socket.send('{}')
    })
    const said: string[] = []
    const log = {
      ...silentLog,
      info: (_fields: object, message: string) => void said.push(message),
    }
    const box = await startEngine(t, { announce_urls: [tracker.url] }, { log })
    await seedIn(box, made)
    await until('the box to leave', () => tracker.count() === 1 && tracker.sockets.size === 0)
    assert.equal(said.filter((line) => line.includes('was left')).length, 1)
  })

  const nonsense: Record<string, (made: MadeTorrent) => string | Buffer> = {
    'text that is no JSON': () => '{"action":',
    'binary frames': () => Buffer.alloc(100, 7),
    'a message of 65 KiB': () => JSON.stringify({ action: 'announce', x: 'x'.repeat(65 * 1024) }),
    'infohashes that are numbers': () => JSON.stringify({ action: 'announce', info_hash: 5 }),
    'offers that are null': ({ infoHash }) =>
      JSON.stringify({ action: 'announce', info_hash: binary(infoHash), offer: [null] }),
  }
  for (const [what, make] of Object.entries(nonsense)) {
    it(`do no harm with ${what}`, async (t) => {
      const made = makeTorrentOf(pattern(PIECE))
      const tracker = await rogueTracker(t, (_message, socket) => {
        for (let n = 0; n < 30; n++) socket.send(make(made))
      })
      const box = await startEngine(t, { announce_urls: [tracker.url] })
      await seedIn(box, made)
      await until('the box to leave', () => tracker.count() === 1 && tracker.sockets.size === 0)
      assert.equal((await box.engine.status(made.infoHash))?.complete, true)
    })
  }

  it('are announced to again when they come back', async (t) => {
    const tracker = await rogueTracker(t, () => {})
    const box = await startEngine(t, { announce_urls: [tracker.url] })
    await seedIn(box, makeTorrentOf(pattern(PIECE)))
    await until('the announce', () => tracker.heard.length === 1)
    for (const socket of tracker.sockets) socket.terminate()
    await until('the next one', () => tracker.heard.length === 2, { timeoutMs: 10_000 })
    assert.equal(tracker.heard[1]?.['event'], 'started')
  })

  it('may answer twice, wrongly, and offers that nobody made', async (t) => {
    const made = makeTorrentOf(pattern(PIECE))
    const tracker = await rogueTracker(t, ({ info_hash, offers = [] }, socket) => {
      const ids = [...offers.map((one) => one.offer_id), binary('cc'.repeat(20))]
      for (const offer_id of [...ids, ...ids])
        socket.send(
          JSON.stringify({
            action: 'announce',
            info_hash,
            peer_id: binary('dd'.repeat(20)),
            offer_id,
            answer: { type: 'answer', sdp: 'v=0' },
          }),
        )
    })
    const box = await startEngine(t)
    await box.engine.add(made.info, { hints: { trackers: [tracker.url] } })
    await assert.rejects(box.engine.want(made.infoHash, 0, all(made), 'now', signal(1000)))
    assert.equal(tracker.sockets.size, 1)
  })
})
