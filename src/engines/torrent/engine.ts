/** The torrent engine: which torrents are known, which are in the swarm, and the port's words for both. */
import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from '../../base/errors.ts'
import { type InfoHash, infoHash as asInfoHash } from '../../base/hashes.ts'
import { type StoreLayout, torrentInfoPath } from '../../base/layout.ts'
import { decodeInfoInSlices } from '../../base/metainfo/decode.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { DhtNode } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'
import type {
  AddOptions,
  ByteRange,
  TorrentEngine,
  TorrentStatus,
} from '../../base/ports/torrent-engine.ts'
import type { WebRtc } from '../../base/ports/web-rtc.ts'
import { createSingleFlight } from '../../base/single-flight.ts'
import { createBroadcast } from './broadcast.ts'
import { createBrowsers } from './browsers.ts'
import type { SwarmConfig } from './config.ts'
import { TorrentDropped, TorrentNotRunning, TorrentUnknown } from './errors.ts'
import { MAX_METADATA_BYTES } from './discovery/metadata-peer.ts'
import {
  type MetadataSearch,
  RefusedMetadata,
  searchMetadata,
} from './discovery/metadata-search.ts'
import { mayDial } from './wire/peer-policy.ts'
import { isWebRtc } from './wire/peer-view.ts'
import { addHints, type Resident, trafficOf } from './resident.ts'
import { createResidents } from './residents.ts'
import { reuseFiles } from './pieces/reuse.ts'
import { createSeedBook, dormantStatus, type Seed } from './seeds/seed-book.ts'
import { createSwarmHost } from './swarm-host.ts'
import { verifiedRanges } from './pieces/verified-ranges.ts'

const LOADING_AT_ONCE = 4

const infoHashOf = (info: Uint8Array): InfoHash =>
  asInfoHash(createHash('sha1').update(info).digest('hex'))

// Those of one answer of our tracker.
const MAX_MET = 100

export interface TorrentEngineDeps {
  dht: Pick<DhtNode, 'peers' | 'announce'>
  webrtc: WebRtc
  layout: StoreLayout
  log: Log
  clock: Clock
}

export function createTorrentEngine(deps: TorrentEngineDeps, config: SwarmConfig): TorrentEngine {
  const { layout, log } = deps
  let stopping = new AbortController()
  let background: Promise<void> = Promise.resolve()
  let isResuming = false
  const completed = createBroadcast<InfoHash>(10_000)
  const host = createSwarmHost(
    {
      ...deps,
      browsers: {
        answer: async (infoHash, offer) => browsers.answer(infoHash, offer, 'announced'),
        accept: async (infoHash, offerId, answer) => browsers.accept(infoHash, offerId, answer),
        hasBrowser: (infoHash) => residents.get(infoHash)?.swarm?.wires().some(isWebRtc) ?? false,
      },
      isBusy: (infoHash) => (residents.get(infoHash)?.swarm?.wires().length ?? 0) > 0,
    },
    config,
  )
  const seeds = createSeedBook(deps, config)
  const residents = createResidents(
    {
      layout,
      log,
      host,
      seeds,
      wake: async (infoHash) => find(infoHash),
      completed: (ih) => completed.emit(ih),
    },
    config,
  )
  const adding = createSingleFlight<Resident>()
  const searches = new Map<InfoHash, MetadataSearch>()
  const browsers = createBrowsers({
    webrtc: deps.webrtc,
    log,
    peerId: () => host.peerId(),
    async visit(infoHash) {
      // Where a browser is cannot be told before it is connected.
      if (!host.isRunning() || !residents.mayServe(infoHash, undefined)) return undefined
      const resident = await find(infoHash)
      const swarm = resident && residents.visit(resident)
      return swarm && { swarm, isPrivate: resident.torrent.metainfo.isPrivate }
    },
    searchOf: (infoHash) => searches.get(infoHash),
    swarmOf: (infoHash) => residents.get(infoHash)?.swarm,
  })

  function mustRun(): void {
    if (!host.isRunning() || stopping.signal.aborted) throw new TorrentNotRunning()
  }

  async function open(info: Uint8Array, verified: boolean): Promise<Resident> {
    const metainfo = await decodeInfoInSlices(Uint8Array.from(info))
    return adding.run(metainfo.infoHash, async () => {
      mustRun()
      return residents.get(metainfo.infoHash) ?? (await residents.open(metainfo, verified))
    })
  }

  /** A torrent that the store laid down, or an earlier run, is added by its folder's info dict. */
  async function find(infoHash: InfoHash): Promise<Resident | undefined> {
    const resident = residents.get(infoHash)
    if (resident) return resident
    try {
      const info = await readFile(torrentInfoPath(layout, infoHash))
      const opened = await open(info, false)
      return opened.torrent.metainfo.infoHash === infoHash ? opened : undefined
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  async function must(infoHash: InfoHash): Promise<Resident> {
    mustRun()
    const resident = await find(infoHash)
    if (resident === undefined) throw new TorrentUnknown(infoHash)
    return resident
  }

  /** Dormant seeds are only noted; those whose pieces nobody looked at yet are opened, a few at a time. */
  async function resumeAll(signal: AbortSignal): Promise<void> {
    const unchecked: Seed[] = []
    await seeds.load((seed) => {
      if (signal.aborted) return
      residents.resume(seed)
      if (seed.wholeBytes === undefined) unchecked.push(seed)
    }, signal)
    log.info({ seeds: seeds.size }, 'seeded torrents are known again')
    const left = unchecked.values()
    const worker = async () => {
      for (const { infoHash } of left) {
        if (signal.aborted) return
        try {
          await find(infoHash)
        } catch (error) {
          log.warn({ infoHash, err: error }, 'a seeded torrent could not be taken up again')
        }
        await sleep(0)
      }
    }
    await Promise.all(Array.from({ length: LOADING_AT_ONCE }, worker))
  }

  function statusOf(resident: Resident): TorrentStatus {
    const { torrent, seeding, swarm } = resident
    const { downloaded, uploaded } = trafficOf(resident)
    const limited = seeds.get(torrent.metainfo.infoHash)?.limited
    return {
      infoHash: torrent.metainfo.infoHash,
      verifiedBytes: torrent.verifiedBytes(),
      totalBytes: torrent.metainfo.totalLength,
      complete: torrent.isComplete(),
      seeding,
      peers: swarm?.peers().length ?? 0,
      downloadedBytes: downloaded,
      uploadedBytes: uploaded,
      ...(limited === undefined ? {} : { limited }),
    }
  }

  /** Undefined where the book does not say enough, or the torrent is unknown. */
  function statusNow(infoHash: InfoHash): TorrentStatus | undefined {
    const resident = residents.get(infoHash)
    if (resident) return statusOf(resident)
    const seed = seeds.get(infoHash)
    return seed && dormantStatus(seed)
  }

  function countWhole(): number {
    let count = 0
    for (const { torrent } of residents.all()) if (torrent.isComplete()) count++
    for (const { infoHash, wholeBytes } of seeds.all()) {
      if (wholeBytes !== undefined && !residents.get(infoHash)) count++
    }
    return count
  }

  /** A dormant seed that is added once more, as at each start of the roles above: there is nothing to do. */
  function isDormant(infoHash: InfoHash, { hints, reuse = [] }: AddOptions): boolean {
    const dormant = residents.get(infoHash) === undefined && statusNow(infoHash) !== undefined
    return dormant && hints === undefined && reuse.length === 0
  }

  return {
    name: 'swarm',
    async start(signal) {
      signal.throwIfAborted()
      stopping = new AbortController()
      browsers.start()
      await host.start({
        lost: () => residents.onClientLost(),
        back: () => residents.onClientBack(),
        canWake: (infoHash, from) => isResuming || residents.canWake(infoHash, from),
        async wake(infoHash) {
          if ((await seeds.find(infoHash)) === undefined) return false
          const resident = await find(infoHash)
          return resident !== undefined && residents.visit(resident) !== undefined
        },
        given: (infoHash, bytes) => residents.given(infoHash, bytes),
      })
      isResuming = true
      background = resumeAll(stopping.signal)
        .catch((error: unknown) => log.warn({ err: error }, 'seeded torrents could not be listed'))
        .finally(() => {
          isResuming = false
        })
    },
    async stop() {
      stopping.abort()
      adding.stop()
      await background
      await residents.stop()
      await host.stop()
      completed.close()
    },
    health() {
      if (!host.isRunning())
        return { status: 'down', score: 0, detail: 'not listening for BitTorrent peers' }
      return { status: 'ok', score: 100 }
    },

    async metainfo(infoHash, hints = {}, signal) {
      mustRun()
      signal?.throwIfAborted()
      const known = residents.get(infoHash)
      if (known) return known.torrent.metainfo.info
      const sleeping = await seeds.find(infoHash)
      if (sleeping?.wholeBytes !== undefined) {
        const asleep = await find(infoHash)
        if (asleep) return asleep.torrent.metainfo.info
      }
      const ended = new AbortController()
      const signals = [stopping.signal, ended.signal, ...(signal ? [signal] : [])]
      const either = AbortSignal.any(signals)
      const search = searchMetadata(
        infoHash,
        randomBytes(20),
        async (info) => {
          try {
            await decodeInfoInSlices(info, either)
          } catch (error) {
            throw new RefusedMetadata('refused', { cause: error })
          }
        },
        either,
      )
      searches.set(infoHash, search)
      search.offer(
        (hints.peers ?? []).filter(({ host }) => mayDial(host, 'hint', config.allow_local)),
      )
      host.discover(
        { infoHash, isPrivate: false, trackers: hints.trackers ?? [] },
        (peers, source) =>
          search.offer(peers.filter((peer) => mayDial(peer.host, source, config.allow_local))),
        either,
      )
      try {
        return await search.found
      } finally {
        if (searches.get(infoHash) === search) searches.delete(infoHash)
        ended.abort()
      }
    },

    async add(info, options: AddOptions = {}) {
      mustRun()
      const bytes = info.subarray(0, MAX_METADATA_BYTES + 1)
      const hash = infoHashOf(bytes)
      if (isDormant(hash, options)) return hash
      const resident = await open(bytes, options.verified === true)
      if (options.hints) addHints(resident, options.hints)
      if (options.reuse && options.reuse.length > 0)
        await reuseFiles(resident.torrent, options.reuse, stopping.signal)
      return resident.torrent.metainfo.infoHash
    },

    // oxlint-disable-next-line max-params -- the port's words
    async want(infoHash, fileIndex, range: ByteRange, urgency, signal) {
      const { torrent } = await must(infoHash)
      await torrent.want(fileIndex, range, urgency, signal)
    },

    async *verified(infoHash, fileIndex, signal) {
      const { torrent } = await must(infoHash)
      yield* verifiedRanges(torrent, fileIndex, signal)
    },

    async seed(infoHash, options = {}) {
      const { announceDht = true, own } = options
      const seed = seeds.get(infoHash)
      const isSame = seed?.announceDht === announceDht && (own ?? seed.own) === seed.own
      if (isSame && isDormant(infoHash, {})) return
      await residents.seed(await must(infoHash), options)
    },

    async drop(infoHash, { removeData = false }: { removeData?: boolean } = {}) {
      await seeds.remove(infoHash)
      await residents.drop(infoHash, new TorrentDropped(infoHash), removeData)
    },

    async peers(infoHash) {
      const resident = residents.get(infoHash)
      return resident ? [...(resident.swarm?.peers() ?? []), ...resident.webSeeds.peers()] : []
    },
    answerOffer: (infoHash, offer, signal) => browsers.answer(infoHash, offer, 'ours', signal),
    async meet(infoHash, peers) {
      host.meet(infoHash, peers.slice(0, MAX_MET))
    },
    status: async (infoHash) => statusNow(infoHash),
    async torrents() {
      const awake = residents.all()
      const asleep = Array.from(seeds.all()).filter(({ infoHash }) => !residents.get(infoHash))
      return [...awake.map(statusOf), ...asleep.flatMap((seed) => dormantStatus(seed) ?? [])]
    },
    async *completed(signal) {
      for await (const batch of completed.subscribe(signal)) yield* batch
    },
    async listening() {
      const stats = { ...host.stats(), ...residents.stats(), whole: countWhole() }
      return { port: host.port(), stats }
    },
  }
}
