/**
 * The torrents the engine keeps in memory: who joins the swarm, who leaves it again, who is
 * announced. A seed that nobody asks for stays as a line in the seed book until somebody does.
 */
import { rm } from 'node:fs/promises'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { StoreLayout } from '../../base/layout.ts'
import { torrentFolder, torrentInfoPath } from '../../base/layout.ts'
import type { Metainfo } from '../../base/metainfo/metainfo.ts'
import type { Log } from '../../base/ports/log.ts'
import type { Stats } from '../../base/ports/component.ts'
import type { SeedOptions, SwarmHints } from '../../base/ports/torrent-engine.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import { writeFileOnce } from './pieces/write-once.ts'
import { createBridge } from './bridge.ts'
import type { SwarmConfig } from './config.ts'
import { TorrentDisk, TorrentDropped, TorrentFull, TorrentNotRunning } from './errors.ts'
import { createFilePool } from './pieces/file-pool.ts'
import { type KnownDeps, type KnownTorrent, openTorrent } from './pieces/known-torrent.ts'
import { addHints, createResident, hintsOf, type Resident } from './resident.ts'
import type { Seed, SeedBook } from './seeds/seed-book.ts'
import { createSeeding } from './seeds/seeding.ts'
import type { Swarm } from './swarm.ts'
import type { DialSource } from './wire/peer-policy.ts'
import type { SwarmHost } from './swarm-host.ts'
import { createPieceCache } from './pieces/upload-store.ts'

const TICK_MS = 1000
// webtorrent forgets peers that failed a few times.
const INVITE_TICKS = 15
const INVITE_MS = 1000
// Seeds without peers that stay in memory for a while; more of them go at once.
const MAX_IDLE_SEEDS = 100
// A caller that a seed was woken for is handed over within milliseconds.
const MIN_IDLE_MS = 1000

export interface ResidentsDeps {
  layout: StoreLayout
  log: Log
  host: SwarmHost
  seeds: SeedBook
  /** As the engine's `find`: what sleeps is opened again. */
  wake: (infoHash: InfoHash) => Promise<Resident | undefined>
  completed: (infoHash: InfoHash) => void
}

export interface Residents {
  get(infoHash: InfoHash): Resident | undefined
  all(): Resident[]
  open(metainfo: Metainfo, known: boolean): Promise<Resident>
  /** Seeds it from now on, over restarts. */
  seed(resident: Resident, options: SeedOptions): Promise<void>
  /** Announces a seed that an earlier run left behind; it sleeps until somebody asks. */
  resume(seed: Seed): void
  /** Whether a peer of that address may have it. */
  mayServe(infoHash: InfoHash, host: string | undefined): boolean
  /** Whether a seed sleeps that a caller of that address may have. */
  canWake(infoHash: InfoHash, host: string): boolean
  given(infoHash: InfoHash, bytes: number): void
  /** Joins the swarm, or stays there for another while: a peer came. */
  visit(resident: Resident): Swarm | undefined
  drop(infoHash: InfoHash, reason: Error, removeData: boolean): Promise<void>
  onClientLost(): void
  onClientBack(): void
  stats(): Stats
  stop(): Promise<void>
}

export function createResidents(deps: ResidentsDeps, config: SwarmConfig): Residents {
  const { layout, log, host, seeds } = deps
  const byHash = new Map<InfoHash, Resident>()
  const pool = createFilePool()
  const cache = createPieceCache()
  const seeding = createSeeding(
    {
      log,
      host,
      seeds,
      get: (infoHash) => byHash.get(infoHash),
      all: () => active,
      wake: deps.wake,
    },
    config,
  )
  const active = new Set<Resident>()
  /** Those that are being put away; they can be opened again after that. */
  const closing = new Map<InfoHash, Promise<void>>()
  const bridge = createBridge(config.bridge)
  let stopping = new AbortController()
  let ticker: NodeJS.Timeout | undefined
  let ticks = 0

  const residentOf = (torrent: KnownTorrent) => byHash.get(torrent.metainfo.infoHash)

  const known: KnownDeps = {
    layout,
    pool,
    cache,
    log,
    wantsChanged(torrent, added) {
      const resident = residentOf(torrent)
      if (resident === undefined) return
      resident.idleSince = performance.now()
      if (added) {
        enter(resident)
        // Those that were left when there was nothing to want from them.
        resident.inviteDue = true
        invite(resident)
      }
      resident.scheduler.wantsChanged(added?.urgency === 'now')
      resident.webSeeds.work()
      search(resident)
    },
    pieceVerified: (torrent, piece) => residentOf(torrent)?.swarm?.verified(piece),
    pieceLost(torrent, piece) {
      const resident = residentOf(torrent)
      resident?.swarm?.lost(piece)
      if (resident) seeding.noteWhole(resident)
    },
    completed: (torrent) => {
      deps.completed(torrent.metainfo.infoHash)
      const resident = residentOf(torrent)
      if (resident) seeding.noteWhole(resident)
    },
  }

  const soughtFor = ({ torrent, trackers, seeding }: Resident) => ({
    infoHash: torrent.metainfo.infoHash,
    isPrivate: torrent.metainfo.isPrivate,
    trackers: [...trackers],
    isSeed: torrent.isComplete(),
    isKept: seeding,
  })

  function invite(resident: Resident): void {
    if (performance.now() - resident.invitedAt < INVITE_MS) return
    resident.invitedAt = performance.now()
    resident.inviteDue = false
    resident.swarm?.addPeers([...resident.peerHints.values()], 'hint')
  }

  const isQuiet = ({ torrent, swarm }: Resident): boolean =>
    torrent.wants.size === 0 && (swarm?.wires().length ?? 0) === 0

  /** The least needed torrent leaves: one that is not kept, or the seed that nobody asked for the longest. */
  function makeRoom(): void {
    let least: Resident | undefined
    for (const other of active) {
      if (!other.seeding && other.torrent.wants.size === 0) {
        void leave(other)
        return
      }
      if (canSleep(other) && !(least && least.idleSince <= other.idleSince)) least = other
    }
    if (least === undefined) throw new TorrentFull(config.max_active)
    putToSleep(least)
  }

  const canSleep = (resident: Resident): boolean =>
    resident.seeding &&
    resident.torrent.isComplete() &&
    !resident.torrent.isInUse() &&
    isQuiet(resident)

  /** Keeps of a seed what the book says. */
  function putToSleep(resident: Resident): void {
    const { infoHash } = resident.torrent.metainfo
    seeding.putAway(resident)
    byHash.delete(infoHash)
    const closed = close(resident, new TorrentDropped(infoHash), false)
      .catch((error: unknown) => log.warn({ infoHash, err: error }, 'cannot put a seed away'))
      .finally(() => {
        if (closing.get(infoHash) === closed) closing.delete(infoHash)
      })
    closing.set(infoHash, closed)
  }

  async function close(resident: Resident, reason: Error, removeData: boolean): Promise<void> {
    resident.webSeeds.stop()
    await leave(resident)
    await resident.torrent.close(reason, removeData)
  }

  /** Joins the swarm, unless it is there; the least needed torrent makes room. */
  function enter(resident: Resident): void {
    if (resident.swarm || stopping.signal.aborted) return
    if (!host.isRunning()) throw new TorrentNotRunning()
    if (active.size >= config.max_active) makeRoom()
    const { torrent } = resident
    resident.idleSince = performance.now()
    resident.swarm = host.join(
      {
        metainfo: torrent.metainfo,
        have: torrent.have,
        uploads: torrent.uploads,
        failed: () => {
          if (resident.swarm) void leave(resident)
        },
        mayMeet: (from) =>
          !torrent.isComplete() || seeding.mayServe(torrent.metainfo.infoHash, from),
      },
      () => resident.scheduler,
    )
    active.add(resident)
    resident.invitedAt = -INVITE_MS
    invite(resident)
    ticker ??= setInterval(tick, TICK_MS).unref()
  }

  async function leave(resident: Resident): Promise<void> {
    const { swarm } = resident
    if (swarm === undefined) return
    resident.swarm = undefined
    active.delete(resident)
    bridge.forget(resident.torrent.metainfo.infoHash)
    resident.searching?.abort()
    resident.searching = undefined
    const { downloaded, uploaded } = swarm.traffic()
    resident.gone.downloaded += downloaded
    resident.gone.uploaded += uploaded
    await swarm.leave()
  }

  /** Looks for peers while somebody waits for pieces, and not longer. */
  function search(resident: Resident): void {
    const wanted = resident.torrent.wants.size > 0 && resident.swarm !== undefined
    if (!wanted) {
      resident.searching?.abort()
      resident.searching = undefined
      return
    }
    if (resident.searching) return
    const searching = new AbortController()
    resident.searching = searching
    const addFound = (peers: PeerAddress[], source: DialSource) =>
      resident.swarm?.addPeers(peers, source)
    host.discover(soughtFor(resident), addFound, searching.signal)
  }

  function tick(): void {
    ticks++
    const idle: Resident[] = []
    for (const resident of Array.from(active)) {
      seeding.turnAway(resident)
      const { torrent, scheduler, swarm } = resident
      const bridged = {
        infoHash: torrent.metainfo.infoHash,
        have: torrent.have,
        wants: torrent.wants,
        seeding: resident.seeding,
        wires: () => swarm?.wires() ?? [],
      }
      if (bridge.look(bridged)) resident.idleSince = performance.now()
      if (torrent.wants.size > 0) {
        scheduler.fillAll()
        scheduler.rescue()
        resident.webSeeds.work()
        if (resident.inviteDue || ticks % INVITE_TICKS === 0) invite(resident)
      } else if (resident.seeding) {
        if (!isQuiet(resident)) resident.idleSince = performance.now()
        else if (canSleep(resident)) idle.push(resident)
      } else if (performance.now() - resident.idleSince > config.grace) {
        leave(resident).catch((error: unknown) =>
          log.warn({ infoHash: torrent.metainfo.infoHash, err: error }, 'cannot leave a swarm'),
        )
      }
    }
    rest(idle)
  }

  /** Seeds that nobody asked for lately; of many the oldest go sooner. */
  function rest(idle: Resident[]): void {
    const now = performance.now()
    const oldestFirst = idle.toSorted((a, b) => a.idleSince - b.idleSince)
    const surplus = idle.length - MAX_IDLE_SEEDS
    for (const [index, resident] of oldestFirst.entries()) {
      const idleMs = now - resident.idleSince
      if (idleMs > config.grace || (index < surplus && idleMs > MIN_IDLE_MS)) putToSleep(resident)
    }
  }

  async function unfold(metainfo: Metainfo, trusted: boolean): Promise<KnownTorrent> {
    try {
      const torrent = await openTorrent(known, metainfo, trusted)
      await writeFileOnce(torrentInfoPath(layout, metainfo.infoHash), metainfo.info)
      return torrent
    } catch (error) {
      throw new TorrentDisk(metainfo.infoHash, codeOf(error) ?? messageOf(error), { cause: error })
    }
  }

  /** A seed that slept, or that an earlier run left behind, goes on where it was. */
  function rejoin(resident: Resident, seed: Seed, hints: SwarmHints): void {
    resident.seeding = true
    resident.gone = { downloaded: seed.downloaded, uploaded: seed.uploaded }
    addHints(resident, hints)
    try {
      enter(resident)
    } catch (error) {
      // Readers of what is here need no swarm.
      log.debug({ infoHash: seed.infoHash, err: error }, 'no place in the swarm for a seed')
    }
  }

  return {
    get: (infoHash) => byHash.get(infoHash),
    all: () => [...byHash.values()],
    async open(metainfo, trusted) {
      if (stopping.signal.aborted) stopping = new AbortController()
      const { signal } = stopping
      const { infoHash } = metainfo
      await closing.get(infoHash)
      const torrent = await unfold(metainfo, trusted)
      const hints = seeds.get(infoHash) ? await seeds.hints(infoHash) : {}
      if (signal.aborted) {
        await torrent.close(new TorrentNotRunning(), false)
        throw new TorrentNotRunning()
      }
      const resident = createResident(torrent, deps, config)
      const seed = seeds.get(infoHash)
      byHash.set(infoHash, resident)
      if (seed) rejoin(resident, seed, hints)
      if (trusted) await torrent.save()
      resident.checking = torrent.check(signal).then(() => {
        if (byHash.get(infoHash) === resident) seeding.noteWhole(resident)
      })
      resident.checking.catch((error: unknown) =>
        log.warn({ infoHash, err: error }, 'pieces could not be checked'),
      )
      return resident
    },
    async seed(resident, options) {
      const seed = await seeding.begin(resident, options, hintsOf(resident))
      if (seed === undefined || byHash.get(seed.infoHash) !== resident) return
      resident.seeding = true
      enter(resident)
      seeding.noteWhole(resident)
    },
    resume: (seed) => seeding.resume(seed),
    mayServe: (infoHash, from) => seeding.mayServe(infoHash, from),
    canWake: (infoHash, from) =>
      seeds.get(infoHash) !== undefined && seeding.mayServe(infoHash, from),
    given: (infoHash, bytes) => seeding.given(infoHash, bytes),
    visit(resident) {
      enter(resident)
      resident.idleSince = performance.now()
      return resident.swarm
    },
    async drop(infoHash, reason, removeData) {
      const resident = byHash.get(infoHash)
      seeding.end(infoHash)
      bridge.forget(infoHash)
      await closing.get(infoHash)
      if (resident === undefined) {
        if (removeData) await rm(torrentFolder(layout, infoHash), { recursive: true, force: true })
        return
      }
      byHash.delete(infoHash)
      await close(resident, reason, removeData)
    },
    onClientLost() {
      active.clear()
      for (const resident of byHash.values()) {
        resident.swarm = undefined
        resident.searching?.abort()
        resident.searching = undefined
      }
    },
    onClientBack() {
      for (const resident of byHash.values()) {
        if (!resident.seeding && resident.torrent.wants.size === 0) continue
        enter(resident)
        search(resident)
      }
    },
    stats: () => ({
      torrents: seeds.size + Array.from(byHash.keys()).filter((hash) => !seeds.get(hash)).length,
      awake: byHash.size,
      active: active.size,
      seeding: seeds.size,
    }),
    async stop() {
      stopping.abort()
      clearInterval(ticker)
      ticker = undefined
      bridge.stop()
      await Promise.all(closing.values())
      for (const [infoHash, resident] of byHash) {
        seeding.putAway(resident)
        await close(resident, new TorrentDropped(infoHash), false)
      }
      byHash.clear()
      active.clear()
      await seeding.stop()
      await pool.close()
    },
  }
}
