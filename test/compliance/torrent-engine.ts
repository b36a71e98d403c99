/** What every TorrentEngine does, whether the fake in memory or the real one on sockets. */
import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { describe, it, type TestContext } from 'node:test'
import { codeOf } from '../../src/base/errors.ts'
import { infoHash } from '../../src/base/hashes.ts'
import { type StoreLayout, torrentFilePath, torrentFolder } from '../../src/base/layout.ts'
import type { ByteRange, SwarmHints, TorrentEngine } from '../../src/base/ports/torrent-engine.ts'
import { layDown, type MadeTorrent, makeTorrentOf, pattern } from '../support/torrents.ts'
import { until } from '../support/until.ts'

export interface Box {
  engine: TorrentEngine
  layout: StoreLayout
  /** How others reach it. */
  hints: SwarmHints
}

const PIECE = 32 * 1024
const signal = () => AbortSignal.timeout(15_000)
const code = (expected: string) => (error: unknown) => codeOf(error) === expected

async function seeded(box: Box, made: MadeTorrent): Promise<SwarmHints> {
  await layDown(box.layout.torrents, made)
  await box.engine.add(made.info, { verified: true })
  await box.engine.seed(made.infoHash)
  return box.hints
}

async function first<T>(stream: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of stream) return item
  return undefined
}

/** @param createBox a started engine that finds the others of the same test by their hints */
export function complyAsTorrentEngine(
  name: string,
  createBox: (t: TestContext) => Promise<Box>,
): void {
  describe(`${name} complies as a torrent engine`, () => {
    it('finds the raw info dict by its infohash', async (t) => {
      const [a, b] = [await createBox(t), await createBox(t)]
      const made = makeTorrentOf(pattern(3 * PIECE))
      const hints = await seeded(a, made)
      const info = await b.engine.metainfo(made.infoHash, hints, signal())
      assert.deepEqual(Buffer.from(info), Buffer.from(made.info))
    })

    it('gives up looking for metainfo when told to', async (t) => {
      const { engine } = await createBox(t)
      const gone = AbortSignal.timeout(100)
      await assert.rejects(
        engine.metainfo(infoHash('ab'.repeat(20)), {}, gone),
        (error) => error === gone.reason,
      )
    })

    it('refuses an info dict that breaks a rule', async (t) => {
      const { engine } = await createBox(t)
      const made = makeTorrentOf([{ path: ['..', 'etc'], bytes: pattern(10) }])
      await assert.rejects(engine.add(made.info), code('BTL_ERR_BASE_METAINFO'))
    })

    it('downloads nothing that nobody asked for', async (t) => {
      const [a, b] = [await createBox(t), await createBox(t)]
      const made = makeTorrentOf(pattern(3 * PIECE))
      const hints = await seeded(a, made)
      assert.equal(await b.engine.add(made.info, { hints }), made.infoHash)
      assert.equal(await b.engine.add(made.info, { hints }), made.infoHash)
      const status = await b.engine.status(made.infoHash)
      assert.deepEqual(
        [status?.verifiedBytes, status?.totalBytes, status?.complete, status?.seeding],
        [0, 3 * PIECE, false, false],
      )
    })

    it('fetches a range, and no piece outside it', async (t) => {
      const [a, b] = [await createBox(t), await createBox(t)]
      const content = pattern(40 * PIECE)
      const made = makeTorrentOf(content)
      await b.engine.add(made.info, { hints: await seeded(a, made) })
      const range = { start: 20 * PIECE + 5, end: 22 * PIECE + 5 }
      await b.engine.want(made.infoHash, 0, range, 'now', signal())
      const bytes = await readFile(torrentFilePath(b.layout, made.infoHash, 0))
      assert.deepEqual(
        bytes.subarray(range.start, range.end),
        Buffer.from(content.subarray(range.start, range.end)),
      )
      const status = await b.engine.status(made.infoHash)
      assert.equal(status?.verifiedBytes, 3 * PIECE)
    })

    it('tells what is verified first and then what is new', async (t) => {
      const [a, b] = [await createBox(t), await createBox(t)]
      const made = makeTorrentOf(pattern(8 * PIECE + 100))
      await b.engine.add(made.info, { hints: await seeded(a, made) })
      await b.engine.want(made.infoHash, 0, { start: PIECE, end: 3 * PIECE }, 'now', signal())
      const ended = new AbortController()
      const batches: ByteRange[][] = []
      const reading = (async () => {
        for await (const batch of b.engine.verified(made.infoHash, 0, ended.signal))
          batches.push(batch)
      })()
      await until('the first batch', () => batches.length > 0)
      assert.deepEqual(batches[0], [{ start: PIECE, end: 3 * PIECE }])
      const last = { start: 8 * PIECE, end: 8 * PIECE + 100 }
      await b.engine.want(made.infoHash, 0, last, 'soon', signal())
      await until('the new range', () => batches.length > 1)
      assert.deepEqual(batches[1], [last])
      ended.abort()
      await reading
    })

    it('keeps files apart, empty ones and pad files included', async (t) => {
      const [a, b] = [await createBox(t), await createBox(t)]
      const files = [
        { path: ['one'], bytes: pattern(PIECE + 10, 2) },
        { path: ['empty'], bytes: new Uint8Array(0) },
        { path: ['.pad', String(PIECE - 10)], bytes: new Uint8Array(PIECE - 10) },
        { path: ['sub', 'two'], bytes: pattern(2 * PIECE, 3) },
        { path: ['three'], bytes: pattern(17, 4) },
      ]
      const made = makeTorrentOf(files)
      await b.engine.add(made.info, { hints: await seeded(a, made) })
      for (const [index, { bytes }] of files.entries())
        await b.engine.want(
          made.infoHash,
          index,
          { start: 0, end: bytes.length },
          'background',
          signal(),
        )
      for (const index of [0, 1, 3, 4]) {
        const bytes = await readFile(torrentFilePath(b.layout, made.infoHash, index))
        assert.deepEqual(bytes, Buffer.from(files[index]?.bytes ?? []))
      }
      await assert.rejects(stat(torrentFilePath(b.layout, made.infoHash, 2)), code('ENOENT'))
    })

    it('says when the last piece came', async (t) => {
      const [a, b] = [await createBox(t), await createBox(t)]
      const made = makeTorrentOf(pattern(5 * PIECE))
      await b.engine.add(made.info, { hints: await seeded(a, made) })
      const done = first(b.engine.completed(signal()))
      await b.engine.want(made.infoHash, 0, { start: 0, end: 5 * PIECE }, 'background', signal())
      assert.equal(await done, made.infoHash)
      assert.equal((await b.engine.status(made.infoHash))?.complete, true)
    })

    it('forgets what was wanted when the reader leaves', async (t) => {
      const { engine } = await createBox(t)
      const made = makeTorrentOf(pattern(2 * PIECE))
      await engine.add(made.info)
      const gone = AbortSignal.timeout(50)
      await assert.rejects(
        engine.want(made.infoHash, 0, { start: 0, end: PIECE }, 'now', gone),
        (error) => error === gone.reason,
      )
    })

    it('refuses torrents, files and ranges that are not there', async (t) => {
      const { engine } = await createBox(t)
      const made = makeTorrentOf(pattern(PIECE))
      const range = { start: 0, end: 1 }
      await assert.rejects(
        engine.want(made.infoHash, 0, range, 'now', signal()),
        code('BTL_ERR_TORRENT_UNKNOWN'),
      )
      await engine.add(made.info)
      await assert.rejects(
        engine.want(made.infoHash, 1, range, 'now', signal()),
        code('BTL_ERR_TORRENT_BAD_FILE'),
      )
      await assert.rejects(
        engine.want(made.infoHash, 0, { start: 0, end: PIECE + 1 }, 'now', signal()),
        code('BTL_ERR_TORRENT_BAD_RANGE'),
      )
    })

    it('drops a torrent, with its data where that is asked for', async (t) => {
      const { engine, layout } = await createBox(t)
      const made = makeTorrentOf(pattern(PIECE))
      await layDown(layout.torrents, made)
      await engine.add(made.info, { verified: true })
      await engine.drop(made.infoHash)
      assert.equal(await engine.status(made.infoHash), undefined)
      assert.equal((await stat(torrentFilePath(layout, made.infoHash, 0))).size, PIECE)
      await engine.add(made.info, { verified: true })
      await engine.drop(made.infoHash, { removeData: true })
      await assert.rejects(stat(torrentFolder(layout, made.infoHash)), code('ENOENT'))
      await engine.drop(made.infoHash)
    })

    it('tells who waits that the torrent is gone', async (t) => {
      const { engine } = await createBox(t)
      const made = makeTorrentOf(pattern(PIECE))
      await engine.add(made.info)
      const wanting = engine.want(made.infoHash, 0, { start: 0, end: 1 }, 'now', signal())
      const refused = assert.rejects(wanting, code('BTL_ERR_TORRENT_DROPPED'))
      await engine.drop(made.infoHash)
      await refused
    })

    it('takes pieces that verify from files that are here already', async (t) => {
      const { engine, layout } = await createBox(t)
      const old = makeTorrentOf(pattern(4 * PIECE), { name: 'old' })
      await layDown(layout.torrents, old)
      const changed = Buffer.from(pattern(4 * PIECE))
      changed[PIECE + 7] = (changed[PIECE + 7] ?? 0) ^ 1
      const made = makeTorrentOf(changed, { name: 'new' })
      const path = torrentFilePath(layout, old.infoHash, 0)
      await engine.add(made.info, { reuse: [{ fileIndex: 0, path }] })
      assert.equal((await engine.status(made.infoHash))?.verifiedBytes, 3 * PIECE)
      const ranges = await first(engine.verified(made.infoHash, 0, signal()))
      assert.deepEqual(ranges, [
        { start: 0, end: PIECE },
        { start: 2 * PIECE, end: 4 * PIECE },
      ])
    })

    it('answers the offer of a browser for what it has, and no other', async (t) => {
      const box = await createBox(t)
      const [made, hidden] = [
        makeTorrentOf(pattern(PIECE)),
        makeTorrentOf(pattern(PIECE, 2), { isPrivate: true }),
      ]
      await seeded(box, made)
      await seeded(box, hidden)
      const offer = { sdp: `fake-offer:${'ab'.repeat(20)}`, peerId: 'cd'.repeat(20) }
      const answer = await box.engine.answerOffer(made.infoHash, offer, signal())
      assert.match(answer?.sdp ?? '', /^fake-answer:/)
      assert.match(answer?.peerId ?? '', /^[0-9a-f]{40}$/)
      assert.equal(await box.engine.answerOffer(hidden.infoHash, offer, signal()), undefined)
      const unknown = infoHash('ab'.repeat(20))
      assert.equal(await box.engine.answerOffer(unknown, offer, signal()), undefined)
      const broken = { ...offer, sdp: 'v=0' }
      assert.equal(await box.engine.answerOffer(made.infoHash, broken, signal()), undefined)
    })

    it('asks peers that it met before it wanted anything', async (t) => {
      const [a, b] = [await createBox(t), await createBox(t)]
      const made = makeTorrentOf(pattern(3 * PIECE))
      const { peers = [] } = await seeded(a, made)
      await b.engine.meet(made.infoHash, peers)
      const info = await b.engine.metainfo(made.infoHash, {}, signal())
      await b.engine.add(info)
      await b.engine.want(made.infoHash, 0, { start: 0, end: 3 * PIECE }, 'now', signal())
      assert.equal((await b.engine.status(made.infoHash))?.complete, true)
    })

    it('lists what it keeps', async (t) => {
      const box = await createBox(t)
      const made = makeTorrentOf(pattern(PIECE))
      await seeded(box, made)
      const [status, ...others] = await box.engine.torrents()
      assert.deepEqual(others, [])
      assert.deepEqual(
        [status?.infoHash, status?.seeding, status?.complete, status?.verifiedBytes],
        [made.infoHash, true, true, PIECE],
      )
      assert.deepEqual(await box.engine.peers(made.infoHash), [])
    })
  })
}
