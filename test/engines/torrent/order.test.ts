import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { it } from 'node:test'
import { fromHex } from '../../../src/base/bytes.ts'
import type { ByteRange } from '../../../src/base/ports/torrent-engine.ts'
import { encodeHandshake } from '../../../src/engines/torrent/wire/wire-reader.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { layDown, makeTorrentOf, type MadeTorrent, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { loopback, startEngine } from './support.ts'

const PIECE = 32 * 1024
const signal = () => AbortSignal.timeout(20_000)

async function seeder(t: Cleanup, made: MadeTorrent, overrides = {}) {
  const box = await startEngine(t, overrides)
  await layDown(box.layout.torrents, made)
  await box.engine.add(made.info, { verified: true })
  await box.engine.seed(made.infoHash)
  return box
}

it('serves somebody who waits before a whole download goes on', async (t) => {
  const made = makeTorrentOf(pattern(300 * PIECE))
  const slow = await seeder(t, made, { upload_limit: 2_000_000 })
  const box = await startEngine(t)
  await box.engine.add(made.info, { hints: loopback(slow.port) })
  const ended = new AbortController()
  const all = { start: 0, end: 300 * PIECE }
  const whole = box.engine.want(made.infoHash, 0, all, 'background', ended.signal)
  whole.catch(() => {})
  await until('the download to run', async () => {
    const status = await box.engine.status(made.infoHash)
    return (status?.verifiedBytes ?? 0) > 0
  })
  const range = { start: 250 * PIECE, end: 252 * PIECE }
  await box.engine.want(made.infoHash, 0, range, 'now', signal())
  const status = await box.engine.status(made.infoHash)
  assert.equal(status?.complete, false)
  assert.ok((status?.verifiedBytes ?? 0) < 200 * PIECE, `${status?.verifiedBytes}`)
  ended.abort()
})

it('fetches a range from its first byte on', async (t) => {
  const made = makeTorrentOf(pattern(64 * PIECE))
  const slow = await seeder(t, made, { upload_limit: 1_500_000 })
  const box = await startEngine(t)
  await box.engine.add(made.info, { hints: loopback(slow.port) })
  const ended = new AbortController()
  const seen: ByteRange[] = []
  const reading = (async () => {
    for await (const batch of box.engine.verified(made.infoHash, 0, ended.signal))
      seen.push(...batch)
  })()
  await box.engine.want(made.infoHash, 0, { start: 0, end: 64 * PIECE }, 'now', signal())
  ended.abort()
  await reading
  const starts = seen.map(({ start }) => start)
  // Two blocks make a piece and 32 blocks are asked for at once: so many may change places.
  for (const [index, start] of starts.entries())
    for (const earlier of starts.slice(0, index)) assert.ok(earlier - start <= 16 * PIECE)
  assert.ok((starts[0] ?? Infinity) <= 16 * PIECE, `${starts[0]}`)
})

it('keeps to its number of connections', async (t) => {
  const made = makeTorrentOf(pattern(PIECE))
  const box = await seeder(t, made, { max_connections_per_torrent: 3 })
  const sockets = Array.from({ length: 8 }, (_, index) => {
    const socket = connect(box.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    const id = Buffer.from(`-XX0000-peer-number-${index}`.slice(0, 20).padEnd(20, `${index}`))
    socket.write(encodeHandshake(fromHex(made.infoHash), id))
    return socket
  })
  finallyDo(t, () => {
    for (const socket of sockets) socket.destroy()
  })
  await until(
    'the surplus to be turned away',
    () => sockets.filter((socket) => socket.closed).length === 5,
  )
  assert.equal((await box.engine.peers(made.infoHash)).length, 3)
})
