import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { describe, it } from 'node:test'
import { infoHash } from '../../../src/base/hashes.ts'
import { torrentFilePath } from '../../../src/base/layout.ts'
import { CHROMIUM } from '../../support/browser.ts'
import { libtorrentLeech, libtorrentSeed, PYTHON } from '../../support/libtorrent.ts'
import { missing } from '../../support/processes.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { chromiumPeer } from '../../support/torrent-clients/chromium-peer.ts'
import { type MadeTorrent, makeTorrentOf, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { startWebRtc } from '../webrtc/support.ts'
import { foreignTracker } from './foreign-tracker.ts'
import { flood, handshakeOf, introduce, loopback, seedIn, startEngine } from './support.ts'

const MEGABYTE = 1024 * 1024
const signal = (ms = 30_000) => AbortSignal.timeout(ms)
const all = (made: MadeTorrent) => ({ start: 0, end: made.files[0]?.bytes.length ?? 0 })

const magnet = (infoHash: string, url: string) =>
  `magnet:?xt=urn:btih:${infoHash}&tr=${encodeURIComponent(url)}`

async function box(t: Cleanup, url: string) {
  const webrtc = await startWebRtc(t)
  return startEngine(t, { announce_urls: [url] }, { webrtc })
}

/** As libtorrent keeps it: a file of the torrent's name beside a .torrent. */
async function foreignFile(t: Cleanup, made: MadeTorrent) {
  const folder = await tempFolder(t, 'foreign')
  const torrentFile = join(folder, 'made.torrent')
  await mkdir(join(folder, 'data'))
  await writeFile(join(folder, 'data', 'made'), made.files[0]?.bytes ?? '')
  await writeFile(torrentFile, made.torrentFile)
  return { torrentFile, folder: join(folder, 'data') }
}

const digest = (made: MadeTorrent) => ({
  made: createHash('sha256')
    .update(made.files[0]?.bytes ?? '')
    .digest('hex'),
})

describe('WebRTC between boxes', { timeout: 60_000 }, () => {
  it('carries a torrent and its info dict over another program’s tracker', async (t) => {
    const { url, server } = await foreignTracker(t)
    const [a, b] = [await box(t, url), await box(t, url)]
    const made = makeTorrentOf(pattern(8 * MEGABYTE), { pieceLength: 256 * 1024 })
    await seedIn(a, made)
    await until('the seed to be announced', () => server.torrents[made.infoHash]?.complete === 1)
    const hints = { trackers: [url] }
    const info = await b.engine.metainfo(made.infoHash, hints, signal())
    await b.engine.add(info, { hints })
    await b.engine.want(made.infoHash, 0, { start: 0, end: MEGABYTE }, 'now', signal())
    const [peer] = await b.engine.peers(made.infoHash)
    assert.equal(peer?.kind, 'webrtc')
    assert.match(peer?.address ?? '', /^(\d+\.){3}\d+:\d+$|^\[[\da-f:]+\]:\d+$/)
    await b.engine.want(made.infoHash, 0, all(made), 'now', signal())
    const bytes = await readFile(torrentFilePath(b.layout, made.infoHash, 0))
    assert.ok(bytes.equals(Buffer.from(made.files[0]?.bytes ?? '')))
  })

  it('ends for one that announces 2 GiB and sends 45 MB of junk', async (t) => {
    const [webrtc, browser] = [await startWebRtc(t), await startWebRtc(t)]
    const { engine, ...rest } = await startEngine(t, {}, { webrtc })
    const made = makeTorrentOf(pattern(MEGABYTE))
    await seedIn({ engine, ...rest }, made)
    const { promise, resolve } = Promise.withResolvers<Duplex>()
    browser.onChannel(({ stream }) => {
      stream.on('error', () => {})
      resolve(stream)
    })
    assert.ok(await introduce(browser, engine, made.infoHash))
    const stream = await promise
    stream.resume().write(handshakeOf(made.infoHash))
    stream.write(Buffer.from([0x7f, 0xff, 0xff, 0xff]))
    const before = process.memoryUsage().rss
    await flood(stream, 45_000_000)
    await until('the box to be rid of it', () => webrtc.stats()['channels'] === 0)
    const received = webrtc.stats()['bytes_received'] ?? 0
    assert.ok(received <= 2 * MEGABYTE, `${received} bytes came in`)
    t.diagnostic(`${received} bytes, ${process.memoryUsage().rss - before} more resident`)
  })
})

const skip = missing(CHROMIUM, PYTHON)

describe('WebTorrent in Chromium', { skip, timeout: 120_000 }, () => {
  it('takes what the box seeds', async (t) => {
    const { url } = await foreignTracker(t)
    const made = makeTorrentOf(pattern(4 * MEGABYTE), { pieceLength: 128 * 1024 })
    const { engine, ...rest } = await box(t, url)
    await seedIn({ engine, ...rest }, made)
    const page = await chromiumPeer(t)
    const got = page.take(magnet(made.infoHash, url))
    let seen = false
    const watching = until('the browser among the peers', async () => {
      const peers = await engine.peers(made.infoHash)
      seen ||= peers.some(({ kind, client }) => kind === 'webrtc' && client !== undefined)
      return seen
    })
    assert.deepEqual(await got, digest(made))
    await watching
  })

  it('takes through the box what only libtorrent has, while the box is still fetching it', async (t) => {
    const { url } = await foreignTracker(t)
    const made = makeTorrentOf(pattern(4 * MEGABYTE), { pieceLength: 64 * 1024 })
    const foreign = await foreignFile(t, made)
    const seed = await libtorrentSeed(t, foreign.torrentFile, foreign.folder, { upLimit: MEGABYTE })
    const { engine } = await box(t, url)
    await engine.add(made.info, { hints: { ...loopback(seed.port), trackers: [url] } })
    await engine.seed(made.infoHash)
    const page = await chromiumPeer(t)
    const got = page.take(magnet(made.infoHash, url))
    let partly = false
    const watching = until(
      'pieces in the page',
      async () => {
        const [torrent] = await page.torrents()
        const status = await engine.status(made.infoHash)
        partly ||= (torrent?.progress ?? 0) > 0 && status?.complete === false
        return partly || torrent?.progress === 1
      },
      { timeoutMs: 60_000 },
    )
    assert.deepEqual(await got, digest(made))
    await watching
    assert.ok(partly, 'the box had everything before the page had anything')
  })

  it('gives libtorrent through the box what only it has', async (t) => {
    const { url } = await foreignTracker(t)
    const page = await chromiumPeer(t)
    const bytes = pattern(2 * MEGABYTE, 9)
    const given = await page.give('from the page.bin', bytes, [url])
    const { engine, port } = await box(t, url)
    const hints = { trackers: [url] }
    const info = await engine.metainfo(infoHash(given.infoHash), hints, signal())
    await engine.add(info, { hints })
    await engine.seed(infoHash(given.infoHash))
    const folder = await tempFolder(t, 'taken')
    const torrentFile = join(folder, 'made.torrent')
    await writeFile(torrentFile, given.torrentFile)
    const peers = [`127.0.0.1:${port}`]
    const leech = await libtorrentLeech(t, torrentFile, folder, { peers })
    await leech.event('finished', undefined, 60_000)
    assert.ok((await readFile(join(folder, 'from the page.bin'))).equals(bytes))
  })
})
