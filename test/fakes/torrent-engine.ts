/**
 * A swarm in memory: engines of one swarm find each other at once and copy pieces. Data lies in
 * files as the real engine keeps it, so what is above cannot tell the difference.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { createByteRanges } from '../../src/base/byte-ranges.ts'
import { declareError } from '../../src/base/errors.ts'
import type { InfoHash } from '../../src/base/hashes.ts'
import {
  type StoreLayout,
  torrentFilePath,
  torrentFolder,
  torrentInfoPath,
} from '../../src/base/layout.ts'
import { decodeInfo } from '../../src/base/metainfo/decode.ts'
import type { Metainfo } from '../../src/base/metainfo/metainfo.ts'
import type { PeerAddress } from '../../src/base/ports/dht-node.ts'
import type {
  AddOptions,
  ByteRange,
  TorrentEngine,
  TorrentStatus,
  Urgency,
} from '../../src/base/ports/torrent-engine.ts'

// The codes of the real engine, for who looks at them.
const Unknown = declareError('BTL_ERR_TORRENT_UNKNOWN', 'no torrent %s in the engine', 404)
const BadFile = declareError('BTL_ERR_TORRENT_BAD_FILE', 'torrent %s has no file %s', 404)
const BadRange = declareError('BTL_ERR_TORRENT_BAD_RANGE', 'range %s-%s lies outside file %s', 416)
const Dropped = declareError('BTL_ERR_TORRENT_DROPPED', 'torrent %s was dropped', 503)

// As the fake of WebRTC words them.
const FAKE_OFFER = 'fake-offer:'

interface Held {
  metainfo: Metainfo
  layout: StoreLayout
  have: Set<number>
  seeding: boolean
  announceDht: boolean
  own: boolean
  waiting: Set<{ check(): void; fail(error: unknown): void }>
  listeners: Set<(piece: number) => void>
}

export interface FakeSwarm {
  /** An engine that keeps its files in `layout` and finds all others of the swarm. */
  engine(layout: StoreLayout): FakeTorrentEngine
  /** Data without an engine: any engine finds it. */
  offer(info: Uint8Array, content: Uint8Array): InfoHash
  /** While false, nobody answers anybody. */
  reachable: boolean
}

export interface FakeTorrentEngine extends TorrentEngine {
  /** Every `want`, in order. */
  readonly wanted: { infoHash: InfoHash; fileIndex: number; range: ByteRange; urgency: Urgency }[]
  /** What was asked of others by `metainfo`. */
  readonly fetched: InfoHash[]
  /** Every `meet`, in order. */
  readonly met: { infoHash: InfoHash; peers: PeerAddress[] }[]
}

const isGood = ({ pieces }: Metainfo, piece: number, bytes: Uint8Array) =>
  createHash('sha1')
    .update(bytes)
    .digest()
    .equals(pieces.subarray(piece * 20, piece * 20 + 20))

export function createFakeSwarm(): FakeSwarm {
  const all = new Set<Map<InfoHash, Held>>()
  const offered = new Map<InfoHash, { metainfo: Metainfo; content: Uint8Array }>()
  const changed = new Set<() => void>()
  const tell = () => {
    for (const wake of changed) wake()
  }

  async function readPiece(held: Held, piece: number): Promise<Uint8Array> {
    const { metainfo, layout } = held
    const start = piece * metainfo.pieceLength
    const end = Math.min(start + metainfo.pieceLength, metainfo.totalLength)
    const bytes = Buffer.alloc(end - start)
    for (const file of metainfo.files) {
      const from = Math.max(start, file.offset)
      const to = Math.min(end, file.offset + file.length)
      if (file.isPad || to <= from) continue
      const handle = await open(torrentFilePath(layout, metainfo.infoHash, file.index), 'r')
      await handle.read(bytes, from - start, to - from, from - file.offset)
      await handle.close()
    }
    return bytes
  }

  async function find(infoHash: InfoHash, piece: number): Promise<Uint8Array | undefined> {
    if (!swarm.reachable) return undefined
    const offer = offered.get(infoHash)
    if (offer) {
      const start = piece * offer.metainfo.pieceLength
      return offer.content.subarray(start, start + offer.metainfo.pieceLength)
    }
    for (const torrents of all) {
      const held = torrents.get(infoHash)
      if (held?.have.has(piece) === true) return readPiece(held, piece)
    }
    return undefined
  }

  function engine(layout: StoreLayout): FakeTorrentEngine {
    const torrents = new Map<InfoHash, Held>()
    const wanted: FakeTorrentEngine['wanted'] = []
    const fetched: InfoHash[] = []
    const met: FakeTorrentEngine['met'] = []
    const completions = new Set<(infoHash: InfoHash) => void>()

    function must(infoHash: InfoHash): Held {
      const held = torrents.get(infoHash)
      if (held === undefined) throw new Unknown(infoHash)
      return held
    }

    function piecesOf({ metainfo }: Held, fileIndex: number, range: ByteRange): number[] {
      const file = metainfo.files[fileIndex]
      if (file === undefined) throw new BadFile(metainfo.infoHash, fileIndex)
      if (range.start < 0 || range.end > file.length || range.start > range.end)
        throw new BadRange(range.start, range.end, fileIndex)
      if (range.start === range.end) return []
      const first = Math.floor((file.offset + range.start) / metainfo.pieceLength)
      const last = Math.floor((file.offset + range.end - 1) / metainfo.pieceLength)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    }

    function rangeIn({ metainfo }: Held, piece: number, fileIndex: number): ByteRange {
      const file = metainfo.files[fileIndex] ?? { offset: 0, length: 0 }
      const start = piece * metainfo.pieceLength - file.offset
      return {
        start: Math.max(start, 0),
        end: Math.min(start + metainfo.pieceLength, file.length),
      }
    }

    function arrived(held: Held, piece: number): void {
      held.have.add(piece)
      for (const listener of held.listeners) listener(piece)
      for (const waiter of held.waiting) waiter.check()
      if (held.have.size === held.metainfo.pieceCount)
        for (const completed of completions) completed(held.metainfo.infoHash)
      tell()
    }

    async function take(held: Held, piece: number, bytes: Uint8Array): Promise<boolean> {
      if (held.have.has(piece)) return true
      const { metainfo } = held
      if (!isGood(metainfo, piece, bytes)) return false
      const start = piece * metainfo.pieceLength
      for (const file of metainfo.files) {
        const from = Math.max(start, file.offset)
        const to = Math.min(start + bytes.length, file.offset + file.length)
        if (file.isPad || to <= from) continue
        const path = torrentFilePath(layout, metainfo.infoHash, file.index)
        const handle = await open(path, 'r+').catch(() => open(path, 'w+'))
        await handle.write(bytes, from - start, to - from, from - file.offset)
        await handle.close()
      }
      arrived(held, piece)
      return true
    }

    async function fetchPieces(held: Held, pieces: number[], signal: AbortSignal): Promise<void> {
      for (const piece of pieces) {
        while (!held.have.has(piece) && !signal.aborted) {
          const bytes = await find(held.metainfo.infoHash, piece)
          if (bytes && (await take(held, piece, bytes))) break
          await new Promise<void>((resolve) => {
            const wake = () => {
              changed.delete(wake)
              resolve()
            }
            changed.add(wake)
            signal.addEventListener('abort', wake, { once: true })
          })
        }
      }
    }

    async function rehash(held: Held): Promise<void> {
      for (let piece = 0; piece < held.metainfo.pieceCount; piece++) {
        const bytes = await readPiece(held, piece).catch(() => undefined)
        if (bytes && isGood(held.metainfo, piece, bytes)) arrived(held, piece)
      }
    }

    const statusOf = ({ metainfo, have, seeding }: Held): TorrentStatus => {
      const complete = have.size === metainfo.pieceCount
      return {
        infoHash: metainfo.infoHash,
        verifiedBytes: complete
          ? metainfo.totalLength
          : Math.min(have.size * metainfo.pieceLength, metainfo.totalLength),
        totalBytes: metainfo.totalLength,
        complete,
        seeding,
        peers: 0,
        downloadedBytes: 0,
        uploadedBytes: 0,
      }
    }

    async function reuse(held: Held, { reuse: candidates = [] }: AddOptions): Promise<void> {
      for (const { fileIndex, path } of candidates) {
        const bytes = await readFile(path).catch(() => undefined)
        const file = held.metainfo.files[fileIndex]
        if (bytes === undefined || file === undefined) continue
        for (const piece of piecesOf(held, fileIndex, { start: 0, end: file.length })) {
          const start = piece * held.metainfo.pieceLength - file.offset
          if (start < 0) continue
          await take(held, piece, bytes.subarray(start, start + held.metainfo.pieceLength))
        }
      }
    }

    return {
      name: 'swarm',
      wanted,
      fetched,
      met,
      async start() {
        all.add(torrents)
      },
      async stop() {
        all.delete(torrents)
        for (const held of torrents.values())
          for (const waiter of held.waiting) waiter.fail(new Dropped(held.metainfo.infoHash))
        torrents.clear()
      },
      health: () => ({ status: 'ok', score: 100 }),
      async metainfo(infoHash, _hints, signal) {
        signal?.throwIfAborted()
        fetched.push(infoHash)
        for (;;) {
          const holders = [...all].map((each) => each.get(infoHash)?.metainfo)
          const found = offered.get(infoHash)?.metainfo ?? holders.find((each) => each)
          if (found && swarm.reachable) return found.info
          await new Promise<void>((resolve, reject) => {
            const wake = () => {
              changed.delete(wake)
              resolve()
            }
            changed.add(wake)
            const onAbort = () => reject(signal?.reason)
            signal?.addEventListener('abort', onAbort, { once: true })
          })
        }
      },
      async add(info, options = {}) {
        const metainfo = decodeInfo(info)
        const { infoHash } = metainfo
        let held = torrents.get(infoHash)
        if (held === undefined) {
          held = {
            metainfo,
            layout,
            have: new Set(),
            seeding: false,
            announceDht: true,
            own: false,
            waiting: new Set(),
            listeners: new Set(),
          }
          await mkdir(torrentFolder(layout, infoHash), { recursive: true })
          // What is there stays, as with the real engine: somebody may be reading it.
          await writeFile(torrentInfoPath(layout, infoHash), info, { flag: 'wx' }).catch(() => {})
          for (const file of metainfo.files) {
            if (file.length === 0 && !file.isPad)
              await writeFile(torrentFilePath(layout, infoHash, file.index), '')
          }
          // Another call may have been quicker; as with the real engine both mean the one torrent.
          const first = torrents.get(infoHash)
          held = first ?? held
          torrents.set(infoHash, held)
          if (options.verified === true)
            for (let piece = 0; piece < metainfo.pieceCount; piece++) held.have.add(piece)
          else if (first === undefined) await rehash(held)
        }
        await reuse(held, options)
        tell()
        return infoHash
      },
      // oxlint-disable-next-line max-params -- the port's words
      async want(infoHash, fileIndex, range, urgency, signal) {
        const held = must(infoHash)
        const pieces = piecesOf(held, fileIndex, range)
        signal?.throwIfAborted()
        wanted.push({ infoHash, fileIndex, range, urgency })
        const ended = new AbortController()
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        const waiter = {
          check: () => {
            if (pieces.every((piece) => held.have.has(piece))) resolve()
          },
          fail: reject,
        }
        const onAbort = () => reject(signal?.reason)
        signal?.addEventListener('abort', onAbort, { once: true })
        held.waiting.add(waiter)
        waiter.check()
        fetchPieces(held, pieces, ended.signal).catch(reject)
        try {
          await promise
        } finally {
          held.waiting.delete(waiter)
          ended.abort()
          signal?.removeEventListener('abort', onAbort)
        }
      },
      async *verified(infoHash, fileIndex, signal) {
        const held = must(infoHash)
        const ranges = createByteRanges()
        const length = held.metainfo.files[fileIndex]?.length ?? 0
        for (const piece of piecesOf(held, fileIndex, { start: 0, end: length }))
          if (held.have.has(piece)) ranges.add(rangeIn(held, piece, fileIndex))
        let fresh = createByteRanges()
        let wake = () => {}
        const listener = (piece: number) => {
          fresh.add(rangeIn(held, piece, fileIndex))
          wake()
        }
        held.listeners.add(listener)
        const onAbort = () => wake()
        signal?.addEventListener('abort', onAbort, { once: true })
        try {
          yield ranges.list()
          while (signal?.aborted !== true && torrents.get(infoHash) === held) {
            const batch = fresh.list()
            fresh = createByteRanges()
            if (batch.length > 0) yield batch
            else
              await new Promise<void>((resolve) => {
                wake = resolve
              })
          }
        } finally {
          held.listeners.delete(listener)
        }
      },
      async seed(infoHash, { announceDht = true, own } = {}) {
        const held = must(infoHash)
        held.seeding = true
        held.own = own ?? held.own
        held.announceDht = announceDht
      },
      async drop(infoHash, { removeData = false } = {}) {
        const held = torrents.get(infoHash)
        if (held === undefined) return
        torrents.delete(infoHash)
        for (const waiter of held.waiting) waiter.fail(new Dropped(infoHash))
        for (const listener of held.listeners) listener(-1)
        if (removeData) await rm(torrentFolder(layout, infoHash), { recursive: true, force: true })
      },
      peers: async () => [],
      async answerOffer(infoHash, { sdp }, signal) {
        signal?.throwIfAborted()
        const held = torrents.get(infoHash)
        if (held === undefined || held.metainfo.isPrivate || !sdp.startsWith(FAKE_OFFER))
          return undefined
        const digits = sdp.slice(FAKE_OFFER.length)
        return { sdp: `fake-answer:${digits}`, peerId: '2d4254303130302d'.padEnd(40, '0') }
      },
      async meet(infoHash, peers) {
        met.push({ infoHash, peers })
      },
      async status(infoHash) {
        const held = torrents.get(infoHash)
        return held && statusOf(held)
      },
      torrents: async () => [...torrents.values()].map(statusOf),
      async *completed(signal) {
        const queue: InfoHash[] = []
        let wake = () => {}
        const completed = (infoHash: InfoHash) => {
          queue.push(infoHash)
          wake()
        }
        completions.add(completed)
        const onAbort = () => wake()
        signal?.addEventListener('abort', onAbort, { once: true })
        try {
          while (signal?.aborted !== true) {
            const next = queue.shift()
            if (next !== undefined) yield next
            else
              await new Promise<void>((resolve) => {
                wake = resolve
              })
          }
        } finally {
          completions.delete(completed)
        }
      },
      listening: async () => ({ port: 6881, stats: {} }),
    }
  }

  const swarm: FakeSwarm = {
    engine,
    reachable: true,
    offer(info, content) {
      const metainfo = decodeInfo(info)
      offered.set(metainfo.infoHash, { metainfo, content })
      tell()
      return metainfo.infoHash
    },
  }
  return swarm
}
