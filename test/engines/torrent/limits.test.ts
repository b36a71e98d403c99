import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { it } from 'node:test'
import { fromHex } from '../../../src/base/bytes.ts'
import { torrentFilePath } from '../../../src/base/layout.ts'
import type { SwarmConfig } from '../../../src/engines/torrent/index.ts'
import { encodeHandshake } from '../../../src/engines/torrent/wire/wire-reader.ts'
import { libtorrentLeech } from '../../support/libtorrent.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { makeTorrentOf, type MadeTorrent, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { createFakeWebRtcNet } from '../../fakes/web-rtc.ts'
import { introduce, loopback, seedIn, startEngine } from './support.ts'

const PIECE = 32 * 1024
const signal = () => AbortSignal.timeout(30_000)
const whole = (length: number) => ({ start: 0, end: length })

async function seeder(t: Cleanup, made: MadeTorrent, config: Partial<SwarmConfig> = {}) {
  const box = await startEngine(t, config)
  await seedIn(box, made)
  return box
}

/** Seconds that `work` takes. */
async function seconds(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now()
  await work()
  return (performance.now() - since) / 1000
}

it('gives no more than the upload limit, and every byte of it right', async (t) => {
  const content = pattern(30 * PIECE)
  const made = makeTorrentOf(content)
  const box = await seeder(t, made, { tcp_upload_limit: 400_000 })
  const reader = await startEngine(t)
  await reader.engine.add(made.info, { hints: loopback(box.port) })
  const took = await seconds(async () =>
    reader.engine.want(made.infoHash, 0, whole(content.length), 'now', signal()),
  )
  assert.ok(took >= (content.length - 100_000) / 400_000 - 0.1, `${took}`)
  const bytes = await readFile(torrentFilePath(reader.layout, made.infoHash, 0))
  assert.ok(bytes.equals(Buffer.from(content)))
})

it('takes no more than the download limit from all peers together', async (t) => {
  const content = pattern(30 * PIECE)
  const made = makeTorrentOf(content)
  const one = await seeder(t, made)
  const two = await seeder(t, made)
  const reader = await startEngine(t, { download_limit: 400_000 })
  const peers = [...loopback(one.port).peers, ...loopback(two.port).peers]
  await reader.engine.add(made.info, { hints: { peers } })
  const took = await seconds(async () =>
    reader.engine.want(made.infoHash, 0, whole(content.length), 'now', signal()),
  )
  assert.ok(took >= (content.length - 100_000) / 400_000 - 0.1, `${took}`)
})

it('shares the upload limit with a libtorrent peer of the same moment', async (t) => {
  const content = pattern(20 * PIECE)
  const made = makeTorrentOf(content, { name: 'film' })
  const box = await seeder(t, made, { upload_limit: 500_000 })
  const folder = await tempFolder(t)
  await writeFile(join(folder, 'film.torrent'), made.torrentFile)
  const foreign = await libtorrentLeech(t, join(folder, 'film.torrent'), folder, {
    peers: [`127.0.0.1:${box.port}`],
  })
  const reader = await startEngine(t)
  await reader.engine.add(made.info, { hints: loopback(box.port) })
  const took = await seconds(async () =>
    Promise.all([
      reader.engine.want(made.infoHash, 0, whole(content.length), 'now', signal()),
      foreign.event('finished', undefined, 20_000),
    ]),
  )
  const given = (await box.engine.status(made.infoHash))?.uploadedBytes ?? 0
  assert.ok(given >= content.length)
  // What each of them had was had from the other as well; the box gave at its pace.
  assert.ok(took >= (given - 800_000) / 500_000 - 0.2, `${took} s for ${given}`)
})

it('holds browsers to a limit of their own', async (t) => {
  const net = createFakeWebRtcNet()
  const webrtc = net.peer()
  const content = pattern(15 * PIECE)
  const made = makeTorrentOf(content)
  const box = await startEngine(t, { webrtc_upload_limit: 200_000 }, { webrtc: net.peer() })
  await seedIn(box, made)
  const browser = await startEngine(t, {}, { webrtc })
  await browser.engine.add(made.info)
  const took = await seconds(async () => {
    const wanting = browser.engine.want(made.infoHash, 0, whole(content.length), 'now', signal())
    assert.ok(await introduce(webrtc, box.engine, made.infoHash))
    await wanting
  })
  assert.ok(took >= (content.length - 50_000) / 200_000 - 0.1, `${took}`)
  const reader = await startEngine(t)
  await reader.engine.add(made.info, { hints: loopback(box.port) })
  const fast = await seconds(async () =>
    reader.engine.want(made.infoHash, 0, whole(content.length), 'now', signal()),
  )
  assert.ok(fast < took, `${fast} beside ${took}`)
})

it('does not limit the own network while it is exempt', async (t) => {
  const content = pattern(100 * PIECE)
  const made = makeTorrentOf(content)
  const box = await seeder(t, made, { upload_limit: 10_000, lan_exempt: true })
  const reader = await startEngine(t, { download_limit: 10_000, lan_exempt: true })
  await reader.engine.add(made.info, { hints: loopback(box.port) })
  await reader.engine.want(made.infoHash, 0, whole(content.length), 'now', signal())
})

it('takes from web seeds at their limit, however long one piece takes', async (t) => {
  const content = pattern(12 * PIECE)
  const made = makeTorrentOf(content)
  const server = createServer((req, res) => {
    const [, start = '0', end = '0'] = /(\d+)-(\d+)/.exec(req.headers.range ?? '') ?? []
    res.statusCode = 206
    res.end(content.subarray(Number(start), Number(end) + 1))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  finallyDo(t, () => void server.close())
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const reader = await startEngine(t, { web_seed_download_limit: 150_000 })
  await reader.engine.add(made.info, { hints: { webSeeds: [`http://127.0.0.1:${port}/film`] } })
  const took = await seconds(async () =>
    reader.engine.want(made.infoHash, 0, whole(content.length), 'now', signal()),
  )
  assert.ok(took >= (content.length - 37_500) / 150_000 - 0.1, `${took}`)
})

/** A peer that asks for blocks, again and again, and reads nothing. */
function greedyPeer(t: Cleanup, port: number, made: MadeTorrent): Socket {
  const socket = connect(port, '127.0.0.1')
  finallyDo(t, () => void socket.destroy())
  socket.on('error', () => {})
  socket.write(encodeHandshake(fromHex(made.infoHash), Buffer.from('-XX0000-a-greedy-one')))
  return socket
}

function request(piece: number, offset: number): Buffer {
  const message = Buffer.alloc(17)
  message.writeUInt32BE(13, 0)
  message[4] = 6
  message.writeUInt32BE(piece, 5)
  message.writeUInt32BE(offset, 9)
  message.writeUInt32BE(128 * 1024, 13)
  return message
}

it('keeps little in memory for a peer that asks for much and takes nothing', async (t) => {
  const made = makeTorrentOf(pattern(4 * 1024 * 1024), { pieceLength: 1024 * 1024 })
  const box = await seeder(t, made)
  const socket = greedyPeer(t, box.port, made)
  await until('the peer to be let in', async () => {
    const [peer] = await box.engine.peers(made.infoHash)
    return peer !== undefined
  })
  const interested = Buffer.from([0, 0, 0, 1, 2])
  socket.write(interested)
  socket.resume()
  await until(
    'the peer to be served',
    async () => {
      socket.write(request(0, 0))
      return ((await box.engine.status(made.infoHash))?.uploadedBytes ?? 0) > 0
    },
    { timeoutMs: 20_000, everyMs: 300 },
  )
  socket.pause()
  const before = process.memoryUsage().rss
  // 1900 requests of 128 KiB are 240 MiB of answers.
  for (let round = 0; round < 19; round++) {
    const asked = Array.from({ length: 100 }, (_, at) => request(at % 4, (at % 8) * 128 * 1024))
    socket.write(Buffer.concat(asked))
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
  }
  const given = (await box.engine.status(made.infoHash))?.uploadedBytes ?? 0
  assert.ok(given > 0 && given < 16 * 1024 * 1024, `${given} bytes were made ready`)
  const more = process.memoryUsage().rss - before
  assert.ok(more < 100 * 1024 * 1024, `${more} bytes`)
})
