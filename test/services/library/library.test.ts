import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { encode } from '../../../src/base/bencode.ts'
import { toHex } from '../../../src/base/bytes.ts'
import { type InfoHash, infoHash } from '../../../src/base/hashes.ts'
import { type StoreLayout, torrentFilePath } from '../../../src/base/layout.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import type { TorrentFolders } from '../../../src/base/ports/store.ts'
import type {
  AddOptions,
  ByteRange,
  TorrentEngine,
} from '../../../src/base/ports/torrent-engine.ts'
import { createLibrary } from '../../../src/services/library/index.ts'

const PIECE = 16_384
const LENGTH = 100_000

const config = {
  metainfo_timeout: 150,
  stall_timeout: 500,
  keep_whole_below: 0,
  read_ahead: 65_536,
  max_open_torrents: 8,
}

const info = encode({
  name: 'site',
  'piece length': PIECE,
  pieces: new Uint8Array(20 * Math.ceil(LENGTH / PIECE)),
  files: [{ length: LENGTH, path: ['big.bin'] }],
})
const ih = infoHash(toHex(createHash('sha1').update(info).digest()))

/** An engine that does what the test says: verified ranges are pushed by hand. */
function handEngine() {
  const listeners = new Set<(batch: ByteRange[]) => void>()
  const state = {
    verified: [] as ByteRange[],
    added: [] as (AddOptions | undefined)[],
    wanted: [] as { range: ByteRange; urgency: string; signal: AbortSignal | undefined }[],
    metainfoCalls: 0,
    metainfo: (_signal?: AbortSignal): Promise<Uint8Array> => Promise.resolve(info),
    /** Breaks every open stream, as a killed role does. */
    breakStreams() {
      for (const listener of listeners) listener([{ start: -1, end: -1 }])
    },
    verify(range: ByteRange) {
      state.verified.push(range)
      for (const listener of listeners) listener([range])
    },
    completed: Promise.withResolvers<InfoHash>(),
  }
  const engine: Partial<TorrentEngine> = {
    metainfo(_infoHash, _hints, signal) {
      state.metainfoCalls++
      return state.metainfo(signal)
    },
    add(_info, options) {
      state.added.push(options)
      return Promise.resolve(ih)
    },
    want(_infoHash, _file, range, urgency, signal) {
      state.wanted.push({ range, urgency, signal })
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
    },
    async *verified(_infoHash, _file, signal) {
      yield [...state.verified]
      while (!signal?.aborted) {
        const batch = await new Promise<ByteRange[]>((resolve) => {
          const listener = (ranges: ByteRange[]) => {
            listeners.delete(listener)
            resolve(ranges)
          }
          listeners.add(listener)
          signal?.addEventListener('abort', () => listener([]), { once: true })
        })
        if (batch[0]?.start === -1) throw new Error('the role was killed')
        yield batch
      }
    },
    status: () => Promise.resolve(undefined),
    async *completed(signal) {
      const aborted = new Promise<undefined>((resolve) => {
        signal?.addEventListener('abort', () => resolve(undefined), { once: true })
      })
      const done = await Promise.race([state.completed.promise, aborted])
      if (done) yield done
      await aborted
    },
  }
  return { state, engine: engine as TorrentEngine }
}

describe('the library', () => {
  let root: string
  let layout: StoreLayout
  let hand: ReturnType<typeof handEngine>
  let saved: Map<InfoHash, Uint8Array>
  let adopted: InfoHash[]
  let library: ReturnType<typeof createLibrary>

  async function makeWhole(): Promise<void> {
    await mkdir(join(layout.torrents, ih), { recursive: true })
    await mkdir(layout.blobs, { recursive: true })
    await writeFile(torrentFilePath(layout, ih, 0), new Uint8Array(LENGTH))
    await link(torrentFilePath(layout, ih, 0), join(layout.blobs, 'blob'))
  }

  async function collect(range: ByteRange): Promise<ByteRange[]> {
    const ranges = []
    for await (const found of library.available(ih, 0, range)) ranges.push(found)
    return ranges
  }

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'btl-library-'))
    layout = { blobs: join(root, 'blobs'), torrents: join(root, 'torrents') }
    hand = handEngine()
    saved = new Map()
    adopted = []
    const torrents: Partial<TorrentFolders> = {
      info: (id) => Promise.resolve(saved.get(id)),
      saveInfo(id, bytes) {
        saved.set(id, bytes)
        return Promise.resolve()
      },
      async adopt(id) {
        adopted.push(id)
        await makeWhole()
      },
    }
    library = createLibrary(
      {
        engine: hand.engine,
        torrents: torrents as TorrentFolders,
        sites: { versions: () => [] },
        layout,
        log: silentLog,
      },
      config,
    )
    await library.start(new AbortController().signal)
  })
  afterEach(async () => {
    await library.stop()
    await rm(root, { recursive: true })
  })

  it('fetches metadata once however many open, and keeps it', async () => {
    await Promise.all(Array.from({ length: 20 }, () => library.open(ih)))
    assert.equal(hand.state.metainfoCalls, 1)
    assert.deepEqual(saved.get(ih), info)
  })

  it('reads ranges in order as they are verified', async () => {
    await library.open(ih)
    const reading = collect({ start: 10_000, end: 50_000 })
    hand.state.verify({ start: 32_768, end: 49_152 })
    hand.state.verify({ start: 0, end: 16_384 })
    hand.state.verify({ start: 16_384, end: 32_768 })
    hand.state.verify({ start: 49_152, end: 65_536 })
    const ranges = await reading
    assert.equal(ranges[0]?.start, 10_000)
    assert.equal(ranges.at(-1)?.end, 50_000)
    for (const [index, range] of ranges.entries()) {
      if (index > 0) assert.equal(range.start, ranges[index - 1]?.end)
    }
  })

  it('wants no more than its read-ahead, the first part now', async () => {
    await library.open(ih)
    const reader = library.available(ih, 0, { start: 0, end: LENGTH })[Symbol.asyncIterator]()
    const first = reader.next()
    hand.state.verify({ start: 0, end: 100 })
    await first
    void reader.next()
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(hand.state.wanted[0]?.urgency, 'now')
    const furthest = Math.max(...hand.state.wanted.map((want) => want.range.end))
    assert.ok(
      furthest <= 100 + config.read_ahead + config.read_ahead / 2,
      `wanted up to ${furthest}`,
    )
    hand.state.verify({ start: 100, end: LENGTH })
    await reader.return?.()
  })

  it('stops wanting when the reader leaves', async () => {
    await library.open(ih)
    const leave = new AbortController()
    const reading = (async () => {
      for await (const _ of library.available(ih, 0, { start: 0, end: 10 }, leave.signal));
    })()
    await new Promise((resolve) => setTimeout(resolve, 20))
    leave.abort()
    await assert.rejects(reading, { name: 'AbortError' })
    assert.ok(hand.state.wanted.every((want) => want.signal?.aborted))
  })

  it('gives up with 504 when no bytes come', async () => {
    await library.open(ih)
    await assert.rejects(collect({ start: 0, end: 10 }), {
      code: 'BTL_ERR_LIBRARY_STALLED',
      statusCode: 504,
    })
    assert.equal(library.stats()['stalls'], 1)
  })

  it('gives up with 504 when no peer has the metadata', async () => {
    hand.state.metainfo = (signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
    await assert.rejects(library.open(ih), { code: 'BTL_ERR_LIBRARY_TIMEOUT', statusCode: 504 })
  })

  it('refuses metadata of another torrent', async () => {
    hand.state.metainfo = () =>
      Promise.resolve(
        encode({ name: 'x', 'piece length': PIECE, length: 1, pieces: new Uint8Array(20) }),
      )
    await assert.rejects(library.open(ih), {
      code: 'BTL_ERR_LIBRARY_BAD_METAINFO',
      statusCode: 502,
    })
    assert.equal(saved.size, 0)
  })

  it('goes on reading after the engine was killed', async () => {
    await library.open(ih)
    const reading = collect({ start: 0, end: 20_000 })
    hand.state.verify({ start: 0, end: 16_384 })
    await new Promise((resolve) => setTimeout(resolve, 20))
    const added = hand.state.added.length
    hand.state.breakStreams()
    hand.state.verified.push({ start: 16_384, end: 32_768 })
    const ranges = await reading
    assert.equal(ranges.at(-1)?.end, 20_000)
    assert.ok(hand.state.added.length > added, 'the torrent was added again')
  })

  it('serves a file that is linked to its blob without the engine', async () => {
    await makeWhole()
    saved.set(ih, info)
    const torrent = await library.open(ih, { localOnly: true })
    assert.equal(library.isLocal(ih, 0), true)
    assert.equal(torrent.filePath(0), torrentFilePath(layout, ih, 0))
    assert.deepEqual(await collect({ start: 5, end: LENGTH }), [{ start: 5, end: LENGTH }])
    assert.equal(hand.state.wanted.length, 0)
  })

  it('refuses a local-only open of a torrent it does not have', async () => {
    await assert.rejects(library.open(ih, { localOnly: true }), {
      code: 'BTL_ERR_LIBRARY_NOT_LOCAL',
      statusCode: 412,
    })
    assert.equal(hand.state.metainfoCalls, 0)
  })

  it('knows the verified part of a file for a local-only request', async () => {
    hand.state.verified.push({ start: 0, end: 16_384 })
    saved.set(ih, info)
    await library.open(ih, { localOnly: true })
    assert.equal(library.isLocal(ih, 0, { start: 0, end: 16_384 }), true)
    assert.equal(library.isLocal(ih, 0, { start: 0, end: 16_385 }), false)
  })

  it('adopts a finished download', async () => {
    await library.open(ih)
    hand.state.completed.resolve(ih)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.deepEqual(adopted, [ih])
    assert.equal(library.isLocal(ih, 0), true)
  })
})
