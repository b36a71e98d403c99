/** One torrent as the engine knows it, in the swarm or not: its pieces, its readers, and what is kept for the next run. */
import { rm } from 'node:fs/promises'
import { codeOf, messageOf } from '../../../base/errors.ts'
import type { StoreLayout } from '../../../base/layout.ts'
import type { Metainfo } from '../../../base/metainfo/metainfo.ts'
import type { Log } from '../../../base/ports/log.ts'
import type { ByteRange, Urgency } from '../../../base/ports/torrent-engine.ts'
import { createByteRanges } from '../../../base/byte-ranges.ts'
import { TorrentBadFile, TorrentBadRange, TorrentDisk } from '../errors.ts'
import type { FilePool } from './file-pool.ts'
import { isGoodPiece } from './piece-hash.ts'
import { createPieceMap, type PieceMap } from './piece-map.ts'
import type { PieceSet } from './piece-set.ts'
import { createPieceStore, type PieceStore } from './piece-store.ts'
import { loadResume, type Resume, saveResume } from './resume.ts'
import { createUploadStore, type PieceCache, type UploadStore } from './upload-store.ts'
import { createWants, type Want, type Wants } from './wants.ts'

const SAVE_EVERY_MS = 2000

export interface KnownDeps {
  layout: StoreLayout
  pool: FilePool
  cache: PieceCache
  log: Log
  /** Readers came or went. */
  wantsChanged: (torrent: KnownTorrent, added: Want | undefined) => void
  pieceVerified: (torrent: KnownTorrent, piece: number) => void
  pieceLost: (torrent: KnownTorrent, piece: number) => void
  completed: (torrent: KnownTorrent) => void
}

export interface KnownTorrent {
  readonly metainfo: Metainfo
  readonly map: PieceMap
  readonly have: PieceSet
  readonly wants: Wants
  readonly store: PieceStore
  readonly uploads: UploadStore
  isComplete(): boolean
  isDoubtful(piece: number): boolean
  isClosed(): boolean
  /** Somebody waits for pieces or watches them come. */
  isInUse(): boolean
  verifiedBytes(): number
  want(fileIndex: number, range: ByteRange, urgency: Urgency, signal?: AbortSignal): Promise<void>
  ranges(fileIndex: number): ByteRange[]
  /** Calls back with each piece that is verified from now on; returns how to stop that. */
  onPiece(listener: (piece: number) => void): () => void
  /** A good piece was written. */
  arrived(piece: number): void
  write(piece: number, bytes: Uint8Array): Promise<void>
  diskFailed(error: unknown): void
  /** Hashes what is doubtful; resolves when nothing is. */
  check(signal: AbortSignal): Promise<void>
  save(): Promise<void>
  close(reason: Error, removeData: boolean): Promise<void>
}

export async function openTorrent(
  deps: KnownDeps,
  metainfo: Metainfo,
  known: boolean,
): Promise<KnownTorrent> {
  const { layout, pool, cache, log } = deps
  const { infoHash } = metainfo
  const map = createPieceMap(metainfo)
  const store = createPieceStore(layout, pool, metainfo, map)
  await store.prepare()
  const resume: Resume = await loadResume(layout, metainfo, map, known)
  const { have } = resume
  const doubtful = new Set(resume.doubtful)
  const listeners = new Set<(piece: number) => void>()
  let newest = resume.newest
  let timer: NodeJS.Timeout | undefined
  let saving: Promise<void> | undefined
  let closed = false

  const uploads = createUploadStore({ metainfo, map, have, store, cache, rotten })
  const wants = createWants(have, (added) => deps.wantsChanged(self, added))

  function rotten(piece: number, cause: unknown): void {
    if (closed || !have.has(piece)) return
    log.warn({ infoHash, piece, err: cause }, 'a piece on the disk is damaged and fetched again')
    have.delete(piece)
    deps.pieceLost(self, piece)
    saveSoon()
  }

  function saveSoon(): void {
    if (closed || timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      save().catch((error: unknown) =>
        log.warn({ infoHash, err: error }, 'cannot note which pieces are there'),
      )
    }, SAVE_EVERY_MS)
    timer.unref()
  }

  /** Data first, then the note that it is there: a power cut must not leave a promise without bytes. */
  async function save(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    await saving?.catch(() => {})
    newest = Math.max(newest, Date.now())
    saving = (async () => {
      const bits = have.bytes()
      await pool.sync(store.folder)
      await saveResume(layout, infoHash, bits, newest)
    })()
    await saving
  }

  function arrived(piece: number): void {
    have.add(piece)
    doubtful.delete(piece)
    uploads.trust(piece)
    for (const listener of listeners) listener(piece)
    deps.pieceVerified(self, piece)
    wants.arrived(piece)
    saveSoon()
    if (have.size === have.count) deps.completed(self)
  }

  async function checkOne(piece: number): Promise<void> {
    try {
      const bytes = await store.read(piece, 0, map.pieceLength(piece))
      if (await isGoodPiece(metainfo, piece, bytes)) {
        if (doubtful.has(piece)) arrived(piece)
        return
      }
    } catch (error) {
      log.debug({ infoHash, piece, err: error }, 'a piece could not be read back')
    } finally {
      doubtful.delete(piece)
    }
  }

  function nextDoubt(): number | undefined {
    for (const want of wants.list()) {
      for (let piece = want.next; piece <= want.last; piece++) if (doubtful.has(piece)) return piece
    }
    return doubtful.values().next().value
  }

  function fileOf(fileIndex: number) {
    const file = metainfo.files[fileIndex]
    if (file === undefined) throw new TorrentBadFile(infoHash, fileIndex)
    return file
  }

  const self: KnownTorrent = {
    metainfo,
    map,
    have,
    wants,
    store,
    uploads,
    isComplete: () => have.size === have.count,
    isDoubtful: (piece) => doubtful.has(piece),
    isClosed: () => closed,
    isInUse: () => wants.size > 0 || listeners.size > 0 || doubtful.size > 0,
    verifiedBytes() {
      if (have.size === 0) return 0
      const last = have.count - 1
      const short = have.has(last) ? metainfo.pieceLength - map.pieceLength(last) : 0
      return have.size * metainfo.pieceLength - short
    },
    async want(fileIndex, range, urgency, signal) {
      const file = fileOf(fileIndex)
      if (range.start < 0 || range.end > file.length || range.start > range.end)
        throw new TorrentBadRange(range.start, range.end, fileIndex)
      const span = map.span(fileIndex, range)
      if (span) await wants.wait(span, urgency, signal)
    },
    ranges(fileIndex) {
      const file = fileOf(fileIndex)
      const span = map.span(fileIndex, { start: 0, end: file.length })
      const ranges = createByteRanges()
      if (span === undefined) return []
      let start = -1
      for (let piece = span.first; piece <= span.last + 1; piece++) {
        const there = piece <= span.last && have.has(piece)
        if (there && start < 0) start = piece
        if (there || start < 0) continue
        const from = map.rangeIn(start, fileIndex)
        const to = map.rangeIn(piece - 1, fileIndex)
        if (from && to) ranges.add({ start: from.start, end: to.end })
        start = -1
      }
      return ranges.list()
    },
    onPiece(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    arrived,
    write: async (piece, bytes) => store.write(piece, bytes),
    diskFailed(error) {
      if (closed) return
      log.warn({ infoHash, err: error }, 'pieces cannot be written')
      wants.clear(new TorrentDisk(infoHash, codeOf(error) ?? messageOf(error), { cause: error }))
      deps.wantsChanged(self, undefined)
    },
    async check(signal) {
      const had = doubtful.size
      for (let piece = nextDoubt(); piece !== undefined; piece = nextDoubt()) {
        if (signal.aborted || closed) return
        await checkOne(piece)
      }
      if (had > 0) {
        deps.wantsChanged(self, undefined)
        saveSoon()
      }
    },
    save,
    async close(reason, removeData) {
      if (closed) return
      closed = true
      const unsaved = timer !== undefined
      clearTimeout(timer)
      wants.clear(reason)
      // No piece: readers of the stream see that it ended.
      for (const listener of listeners) listener(-1)
      await saving?.catch(() => {})
      if (!removeData && unsaved) await save()
      await pool.close(store.folder)
      if (removeData) await rm(store.folder, { recursive: true, force: true })
    },
  }
  return self
}
