/**
 * Torrents as files that can be read while they arrive: finds the metadata once however many wait,
 * joins the swarm, follows what is verified, keeps small sites whole and adopts what is complete.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isBtlError, messageOf } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { StoreLayout } from '../../base/layout.ts'
import { decodeInfoInSlices } from '../../base/metainfo/decode.ts'
import type { Metainfo } from '../../base/metainfo/metainfo.ts'
import type { Component, Stats } from '../../base/ports/component.ts'
import type { Library } from '../../base/ports/content.ts'
import type { Log } from '../../base/ports/log.ts'
import type { SiteStore, TorrentFolders } from '../../base/ports/store.ts'
import type { AddOptions, SwarmHints, TorrentEngine } from '../../base/ports/torrent-engine.ts'
import { createSingleFlight } from '../../base/single-flight.ts'
import type { LibraryConfig } from './config.ts'
import { BadMetainfo, MetainfoTimeout, NotLocal, Stalled } from './errors.ts'
import { createOpenedTorrent, type OpenedTorrent } from './opened-torrent.ts'
import { readVerified } from './reader.ts'
import { findReuse } from './reuse.ts'
import { createWholeKeeper } from './whole-keeper.ts'

export interface LibraryDeps {
  engine: TorrentEngine
  torrents: TorrentFolders
  sites: Pick<SiteStore, 'versions'>
  layout: StoreLayout
  log: Log
}

type OpenOptions = NonNullable<Parameters<Library['open']>[1]>

const RETRY_MS = 500
const LOCAL_LOOK_MS = 500

export function createLibrary(
  deps: LibraryDeps,
  config: LibraryConfig,
): Library & Component & { stats(): Stats } {
  const { engine, torrents, layout, log } = deps
  const opened = new Map<InfoHash, OpenedTorrent>()
  const flights = createSingleFlight<OpenedTorrent>()
  const stopping = new AbortController()
  const stats = { opens: 0, metainfo_fetches: 0, metainfo_timeouts: 0, stalls: 0, adopted: 0 }
  const wholeKeeper = createWholeKeeper({ engine, log }, stopping.signal)

  async function fetchInfo(
    infoHash: InfoHash,
    hints: SwarmHints | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const deadline = AbortSignal.timeout(config.metainfo_timeout)
    stats.metainfo_fetches++
    try {
      return await engine.metainfo(infoHash, hints, AbortSignal.any([signal, deadline]))
    } catch (error) {
      if (deadline.aborted && !signal.aborted) {
        stats.metainfo_timeouts++
        throw new MetainfoTimeout(infoHash, config.metainfo_timeout / 1000)
      }
      if (isBtlError(error) && error.statusCode === 502)
        throw new BadMetainfo(infoHash, error.message, { cause: error })
      throw error
    }
  }

  async function decodeChecked(
    infoHash: InfoHash,
    info: Uint8Array,
    signal: AbortSignal,
  ): Promise<Metainfo> {
    try {
      const metainfo = await decodeInfoInSlices(info, signal)
      if (metainfo.infoHash === infoHash) return metainfo
    } catch (error) {
      signal.throwIfAborted()
      throw new BadMetainfo(infoHash, messageOf(error), { cause: error })
    }
    throw new BadMetainfo(infoHash, 'it hashes to another infohash')
  }

  async function adopt(infoHash: InfoHash): Promise<void> {
    try {
      await torrents.adopt(infoHash, stopping.signal)
      stats.adopted++
      await opened.get(infoHash)?.lookAtDisk()
    } catch (error) {
      if (!stopping.signal.aborted)
        log.warn({ infoHash, error: messageOf(error) }, 'cannot adopt a finished download')
    }
  }

  async function adoptCompleted(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const infoHash of engine.completed(signal)) await adopt(infoHash)
      } catch (error) {
        if (!signal.aborted)
          log.debug({ error: messageOf(error) }, 'reopening the stream of finished downloads')
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {})
    }
  }

  async function joinSwarm(torrent: OpenedTorrent, options: OpenOptions): Promise<void> {
    const { infoHash, info } = torrent.metainfo
    const add: AddOptions = { verified: torrent.allWhole() }
    if (options.hints) add.hints = options.hints
    if (!torrent.allWhole() && options.site) {
      const versions = deps.sites.versions(options.site.publicKey, options.site.salt)
      add.reuse = await findReuse({ torrents, layout }, torrent.metainfo, versions)
    }
    await engine.add(info, add)
    // A crash between the last piece and the adoption leaves a complete torrent that nobody adopted.
    if (!torrent.allWhole() && (await engine.status(infoHash))?.complete) await adopt(infoHash)
  }

  /** What is partly there becomes known before a request that may not ask the network. */
  async function lookAtParts(torrent: OpenedTorrent): Promise<void> {
    const partial = torrent.metainfo.files
      .filter((file) => !torrent.isWhole(file.index))
      .slice(0, 256)
    const trackers = partial.map((file) => torrent.tracker(file.index))
    for (const tracker of trackers) tracker.hold()
    const first = Promise.all(trackers.map((tracker) => tracker.changed()))
    await Promise.race([first, sleep(LOCAL_LOOK_MS)])
    for (const tracker of trackers) tracker.release()
  }

  function keepOpen(torrent: OpenedTorrent): void {
    opened.set(torrent.metainfo.infoHash, torrent)
    const oldest = opened.size > config.max_open_torrents ? opened.keys().next().value : undefined
    if (oldest) opened.delete(oldest)
  }

  async function openNew(
    infoHash: InfoHash,
    options: OpenOptions,
    signal: AbortSignal,
  ): Promise<OpenedTorrent> {
    stats.opens++
    let info = await torrents.info(infoHash)
    if (!info && options.localOnly) throw new NotLocal(infoHash)
    const isNew = !info
    info ??= await fetchInfo(infoHash, options.hints, signal)
    const metainfo = await decodeChecked(infoHash, info, signal)
    if (isNew) await torrents.saveInfo(infoHash, info)
    const torrent = createOpenedTorrent(metainfo, layout, {
      engine,
      log,
      ensureAdded: async () => void (await engine.add(metainfo.info)),
    })
    await torrent.lookAtDisk()
    const joining = joinSwarm(torrent, options)
    joining.catch((error: unknown) =>
      log.warn({ infoHash, error: messageOf(error) }, 'cannot join the swarm'),
    )
    // What is whole on disk is served even while the engine is down.
    if (!torrent.allWhole() && !options.localOnly) await joining
    keepOpen(torrent)
    return torrent
  }

  function refreshUse(torrent: OpenedTorrent, options: OpenOptions): void {
    opened.delete(torrent.metainfo.infoHash)
    opened.set(torrent.metainfo.infoHash, torrent)
    const { hints } = options
    if (!hints || options.localOnly || torrent.allWhole()) return
    engine.add(torrent.metainfo.info, { hints }).catch(() => {})
  }

  return {
    name: 'library',
    async open(infoHash, options = {}, signal) {
      let torrent = opened.get(infoHash)
      if (torrent) refreshUse(torrent, options)
      else {
        const key = options.localOnly ? `${infoHash} local` : infoHash
        torrent = await flights.run(key, (given) => openNew(infoHash, options, given), signal)
      }
      if (!torrent.allWhole()) {
        if (options.localOnly) await lookAtParts(torrent)
        else if (torrent.metainfo.totalLength <= config.keep_whole_below) wholeKeeper.keep(torrent)
      }
      return torrent
    },
    isLocal(infoHash, fileIndex, range) {
      const torrent = opened.get(infoHash)
      const length = torrent?.metainfo.files[fileIndex]?.length ?? 0
      return torrent?.isLocal(fileIndex, range ?? { start: 0, end: length }) ?? false
    },
    async *available(infoHash, fileIndex, range, signal) {
      // It may have made place for others since it was opened.
      const torrent =
        opened.get(infoHash) ??
        (await flights.run(infoHash, (given) => openNew(infoHash, {}, given), signal))
      if (torrent.isLocal(fileIndex, range)) {
        if (range.end > range.start) yield range
        return
      }
      const ensureAdded = async () => void (await engine.add(torrent.metainfo.info))
      try {
        yield* readVerified({ engine, ensureAdded }, config, torrent, { fileIndex, range, signal })
      } catch (error) {
        if (error instanceof Stalled) stats.stalls++
        throw error
      }
    },
    async start() {
      void adoptCompleted(stopping.signal)
    },
    async stop() {
      stopping.abort()
      flights.stop()
      opened.clear()
    },
    health: () => ({ status: 'ok', score: 100 }),
    stats: () => ({ ...stats, open_torrents: opened.size }),
  }
}
