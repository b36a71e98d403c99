import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { link, mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { torrentFilePath, torrentFolder } from '../../../src/base/layout.ts'
import { finallyDo, tempFolder } from '../../support/temp.ts'
import { layDown, makeTorrentOf, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { loopback, startEngine } from './support.ts'

const PIECE = 32 * 1024
const signal = () => AbortSignal.timeout(15_000)
const whole = (length: number) => ({ start: 0, end: length })

it('goes on where it was killed, without fetching or hashing everything again', async (t) => {
  const content = pattern(200 * PIECE)
  const made = makeTorrentOf(content)
  const seeder = await startEngine(t, { upload_limit: 1_500_000 })
  await layDown(seeder.layout.torrents, made)
  await seeder.engine.add(made.info, { verified: true })
  await seeder.engine.seed(made.infoHash)
  const state = await tempFolder(t)
  const infoFile = join(state, 'the-info')
  await writeFile(infoFile, made.info)
  const child = fork(fileURLToPath(new URL('leech-child.ts', import.meta.url)), [
    state,
    infoFile,
    String(seeder.port),
  ])
  finallyDo(t, () => void child.kill('SIGKILL'))
  const have = join(state, 'torrents', made.infoHash, 'have')
  await until('a first note of what is there', async () => (await stat(have)).size > 0)
  child.kill('SIGKILL')
  const again = await startEngine(t, {}, { state })
  await again.engine.add(made.info)
  const kept = (await again.engine.status(made.infoHash))?.verifiedBytes ?? 0
  assert.ok(kept >= PIECE && kept < content.length, `${kept}`)
  const fast = await startEngine(t)
  await layDown(fast.layout.torrents, made)
  await fast.engine.add(made.info, { verified: true })
  await fast.engine.seed(made.infoHash)
  await again.engine.add(made.info, { hints: loopback(fast.port) })
  await again.engine.want(made.infoHash, 0, whole(content.length), 'now', signal())
  const bytes = await readFile(torrentFilePath(again.layout, made.infoHash, 0))
  assert.ok(bytes.equals(Buffer.from(content)))
  const status = await again.engine.status(made.infoHash)
  assert.ok((status?.downloadedBytes ?? Infinity) <= content.length - kept + 64 * PIECE)
})

it('hashes a file again that changed while nobody looked, and finds what is still good', async (t) => {
  const made = makeTorrentOf(pattern(6 * PIECE))
  const state = await tempFolder(t)
  const first = await startEngine(t, {}, { state })
  await layDown(first.layout.torrents, made)
  await first.engine.add(made.info, { verified: true })
  await first.engine.stop()
  const path = torrentFilePath(first.layout, made.infoHash, 0)
  const bytes = await readFile(path)
  bytes[2 * PIECE + 1] = (bytes[2 * PIECE + 1] ?? 0) ^ 1
  await writeFile(path, bytes)
  const later = new Date(Date.now() + 60_000)
  await utimes(path, later, later)
  const second = await startEngine(t, {}, { state })
  await second.engine.add(made.info)
  await until('the check', async () => {
    const status = await second.engine.status(made.infoHash)
    return status?.verifiedBytes === 5 * PIECE
  })
})

it('finds data without a note of what is there', async (t) => {
  const made = makeTorrentOf(pattern(6 * PIECE + 77))
  const box = await startEngine(t)
  await layDown(box.layout.torrents, made)
  await box.engine.add(made.info)
  await box.engine.want(made.infoHash, 0, whole(6 * PIECE + 77), 'now', signal())
})

it('seeds again after a restart, without being asked', async (t) => {
  const made = makeTorrentOf(pattern(6 * PIECE))
  const state = await tempFolder(t)
  const first = await startEngine(t, {}, { state })
  await layDown(first.layout.torrents, made)
  await first.engine.add(made.info, { verified: true, hints: { trackers: ['udp://192.0.2.1:80'] } })
  await first.engine.seed(made.infoHash, { announceDht: false })
  await first.engine.stop()
  const second = await startEngine(t, { trackers: false }, { state })
  await until(
    'the torrent',
    async () => (await second.engine.status(made.infoHash))?.seeding === true,
  )
  const other = await startEngine(t)
  await other.engine.add(made.info, { hints: loopback(second.port) })
  await other.engine.want(made.infoHash, 0, whole(6 * PIECE), 'now', signal())
  await second.engine.drop(made.infoHash)
  await second.engine.stop()
  const third = await startEngine(t, {}, { state })
  assert.deepEqual(await third.engine.torrents(), [])
})

it('mends a piece that rotted on the disk, and leaves the blob it was linked to alone', async (t) => {
  const content = pattern(4 * PIECE)
  const made = makeTorrentOf(content)
  const good = await startEngine(t)
  await layDown(good.layout.torrents, made)
  await good.engine.add(made.info, { verified: true })
  await good.engine.seed(made.infoHash)

  const rotten = await startEngine(t)
  const spoiled = Buffer.from(content)
  spoiled[PIECE + 9] = (spoiled[PIECE + 9] ?? 0) ^ 0x40
  const blob = join(rotten.layout.torrents, '..', 'blob')
  await mkdir(torrentFolder(rotten.layout, made.infoHash), { recursive: true })
  await writeFile(blob, spoiled)
  const path = torrentFilePath(rotten.layout, made.infoHash, 0)
  await link(blob, path)
  await rotten.engine.add(made.info, { verified: true, hints: loopback(good.port) })
  await rotten.engine.seed(made.infoHash)

  const reader = await startEngine(t)
  await reader.engine.add(made.info, { hints: loopback(rotten.port) })
  const range = { start: PIECE, end: 2 * PIECE }
  const reading = reader.engine.want(made.infoHash, 0, range, 'now', signal())
  await until(
    'the rot to be found',
    async () => (await rotten.engine.status(made.infoHash))?.verifiedBytes === 3 * PIECE,
  )
  await rotten.engine.want(made.infoHash, 0, range, 'now', signal())
  await reading
  assert.ok((await readFile(path)).equals(Buffer.from(content)))
  assert.ok((await readFile(blob)).equals(spoiled))
  assert.equal((await stat(path)).nlink, 1)
})

it('leaves the swarm when nobody wants the torrent any more, and comes back when somebody does', async (t) => {
  const content = pattern(4 * PIECE)
  const made = makeTorrentOf(content)
  const seeder = await startEngine(t)
  await layDown(seeder.layout.torrents, made)
  await seeder.engine.add(made.info, { verified: true })
  await seeder.engine.seed(made.infoHash)
  const box = await startEngine(t, { grace: 200 })
  await box.engine.add(made.info, { hints: loopback(seeder.port) })
  await box.engine.want(made.infoHash, 0, { start: 0, end: 10 }, 'now', signal())
  const active = async () => (await box.engine.listening()).stats['active']
  assert.equal(await active(), 1)
  await until('the torrent to leave', async () => (await active()) === 0)
  assert.equal((await box.engine.status(made.infoHash))?.verifiedBytes, PIECE)
  await box.engine.want(made.infoHash, 0, whole(content.length), 'now', signal())
  assert.equal(await active(), 1)
})
