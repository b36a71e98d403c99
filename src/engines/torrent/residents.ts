/** The torrents the engine keeps in mind: who joins the swarm, who leaves it again, and who is announced. */
import { codeOf, messageOf } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { StoreLayout } from '../../base/layout.ts'
import { torrentInfoPath } from '../../base/layout.ts'
import type { Metainfo } from '../../base/metainfo/metainfo.ts'
import type { Log } from '../../base/ports/log.ts'
import type { Stats } from '../../base/ports/component.ts'
import type { SwarmHints } from '../../base/ports/torrent-engine.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import { trackerUrls, webSeedUrls } from '../../base/hint-urls.ts'
import { formatPeerAddress } from '../../base/peer-address.ts'
import { writeFileOnce } from './write-once.ts'
import { createAnnouncer } from './announcer.ts'
import { createBridge } from './bridge.ts'
import type { SwarmConfig } from './config.ts'
import { TorrentDisk, TorrentDropped, TorrentFull, TorrentNotRunning } from './errors.ts'
import { createFilePool } from './file-pool.ts'
import { type KnownDeps, type KnownTorrent, openTorrent } from './known-torrent.ts'
import { createScheduler, isWebSource, type Scheduler } from './scheduler.ts'
import type { Swarm } from './swarm.ts'
import { type DialSource, reachOf } from './peer-policy.ts'
import type { SwarmHost } from './swarm-host.ts'
import { createPieceCache } from './upload-store.ts'
import { createWebSeeds, type WebSeeds } from './web-seeds.ts'

const MAX_HINTS = 100
const TICK_MS = 1000
// webtorrent forgets peers that failed a few times.
const INVITE_TICKS = 15
const INVITE_MS = 1000

export interface Resident {
  readonly torrent: KnownTorrent
  readonly webSeeds: WebSeeds
  peerHints: Map<string, PeerAddress>
  trackers: Set<string>
  seeding: boolean
  announceDht: boolean
  swarm: Swarm | undefined
  scheduler: Scheduler
  /** Ends the search for peers. */
  searching: AbortController | undefined
  /** Milliseconds (monotonic) since nobody wants it. */
  idleSince: number
  /** Milliseconds (monotonic) since the peers of links were last dialled. */
  invitedAt: number
  inviteDue: boolean
  /** Traffic of earlier visits to the swarm. */
  gone: { downloaded: number; uploaded: number }
  checking: Promise<void>
}

export interface ResidentsDeps {
  layout: StoreLayout
  log: Log
  host: SwarmHost
  completed: (infoHash: InfoHash) => void
}

export interface Residents {
  get(infoHash: InfoHash): Resident | undefined
  all(): Resident[]
  open(metainfo: Metainfo, known: boolean): Promise<Resident>
  addHints(resident: Resident, hints: SwarmHints): void
  hintsOf(resident: Resident): SwarmHints
  seed(resident: Resident, announceDht: boolean): void
  /** Joins the swarm, or stays there for another while: a peer came. */
  visit(resident: Resident): Swarm | undefined
  drop(infoHash: InfoHash, reason: Error, removeData: boolean): Promise<void>
  onClientLost(): void
  onClientBack(): void
  stats(): Stats
  stop(): Promise<void>
}

export function createResidents(deps: ResidentsDeps, config: SwarmConfig): Residents {
  const { layout, log, host } = deps
  const byHash = new Map<InfoHash, Resident>()
  const pool = createFilePool()
  const cache = createPieceCache()
  const announcer = createAnnouncer(
    {
      log,
      host,
      found: (infoHash, peers, source) => byHash.get(infoHash)?.swarm?.addPeers(peers, source),
    },
    config,
  )
  const bridge = createBridge(config.bridge)
  let stopping = new AbortController()
  let ticker: NodeJS.Timeout | undefined
  let ticks = 0

  const residentOf = (torrent: KnownTorrent) => byHash.get(torrent.metainfo.infoHash)
  const active = () => [...byHash.values()].filter((resident) => resident.swarm !== undefined)

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
    pieceLost: (torrent, piece) => residentOf(torrent)?.swarm?.lost(piece),
    completed: (torrent) => {
      deps.completed(torrent.metainfo.infoHash)
      const resident = residentOf(torrent)
      if (resident?.seeding === true) announcer.add(soughtOf(resident), resident.announceDht)
    },
  }

  const soughtOf = (resident: Resident) => ({
    infoHash: resident.torrent.metainfo.infoHash,
    isPrivate: resident.torrent.metainfo.isPrivate,
    trackers: [...resident.trackers],
    isSeed: resident.torrent.isComplete(),
  })

  function invite(resident: Resident): void {
    if (performance.now() - resident.invitedAt < INVITE_MS) return
    resident.invitedAt = performance.now()
    resident.inviteDue = false
    resident.swarm?.addPeers([...resident.peerHints.values()], 'hint')
  }

  /** Joins the swarm, unless it is there; the least needed torrent makes room. */
  function enter(resident: Resident): void {
    if (resident.swarm || stopping.signal.aborted) return
    if (!host.isRunning()) throw new TorrentNotRunning()
    if (active().length >= config.max_active) {
      const idle = active().find((other) => !other.seeding && other.torrent.wants.size === 0)
      if (idle === undefined) throw new TorrentFull(config.max_active)
      void leave(idle)
    }
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
      },
      () => resident.scheduler,
    )
    resident.invitedAt = -INVITE_MS
    invite(resident)
    ticker ??= setInterval(tick, TICK_MS).unref()
  }

  async function leave(resident: Resident): Promise<void> {
    const { swarm } = resident
    if (swarm === undefined) return
    resident.swarm = undefined
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
    const found = (peers: PeerAddress[], source: DialSource) =>
      resident.swarm?.addPeers(peers, source)
    host.discover(soughtOf(resident), found, searching.signal)
  }

  function tick(): void {
    ticks++
    for (const resident of active()) {
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
      } else if (!resident.seeding && performance.now() - resident.idleSince > config.grace) {
        leave(resident).catch((error: unknown) =>
          log.warn({ infoHash: torrent.metainfo.infoHash, err: error }, 'cannot leave a swarm'),
        )
      }
    }
  }

  function blame(resident: Resident, source: Parameters<Scheduler['fill']>[0]): void {
    const address = source.remoteAddress
    // One address of our own box may be many programs.
    if (address !== undefined && reachOf(address) !== 'loopback') host.bans.add(address)
    log.info(
      { infoHash: resident.torrent.metainfo.infoHash, peer: address },
      'a peer that sent bad pieces was left',
    )
    resident.swarm?.disconnect(source)
  }

  function furnish(torrent: KnownTorrent): Resident {
    const { metainfo, map, have, wants } = torrent
    const scheduler: Scheduler = createScheduler({
      metainfo,
      map,
      have,
      wants,
      wires: () => resident.swarm?.wires() ?? [],
      isDoubtful: (piece) => torrent.isDoubtful(piece),
      write: async (piece, bytes) => torrent.write(piece, bytes),
      verified: (piece) => torrent.arrived(piece),
      diskFailed: (error) => torrent.diskFailed(error),
      blame(source) {
        if (isWebSource(source)) resident.webSeeds.blame(source)
        else blame(resident, source)
      },
    })
    const resident: Resident = {
      torrent,
      scheduler,
      webSeeds: createWebSeeds(
        {
          metainfo,
          map,
          log,
          scheduler,
          isWanted: () => wants.size > 0,
          paced: (bytes, from, signal) => host.bandwidth.paced('webseed', bytes, from, signal),
        },
        { enabled: config.web_seeds, allowLocal: config.allow_local },
      ),
      peerHints: new Map(),
      trackers: new Set(),
      seeding: false,
      announceDht: true,
      swarm: undefined,
      searching: undefined,
      idleSince: performance.now(),
      invitedAt: -INVITE_MS,
      inviteDue: false,
      gone: { downloaded: 0, uploaded: 0 },
      checking: Promise.resolve(),
    }
    return resident
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

  return {
    get: (infoHash) => byHash.get(infoHash),
    all: () => [...byHash.values()],
    async open(metainfo, trusted) {
      if (stopping.signal.aborted) stopping = new AbortController()
      const torrent = await unfold(metainfo, trusted)
      const resident = furnish(torrent)
      byHash.set(metainfo.infoHash, resident)
      if (trusted) await torrent.save()
      resident.checking = torrent.check(stopping.signal)
      resident.checking.catch((error: unknown) =>
        log.warn({ infoHash: metainfo.infoHash, err: error }, 'pieces could not be checked'),
      )
      return resident
    },
    addHints(resident, { peers = [], trackers = [], webSeeds = [] }) {
      const fresh = peers.slice(0, MAX_HINTS)
      for (const peer of fresh) {
        if (resident.peerHints.size < MAX_HINTS)
          resident.peerHints.set(formatPeerAddress(peer), peer)
      }
      for (const url of trackerUrls(trackers)) {
        if (resident.trackers.size < MAX_HINTS) resident.trackers.add(url)
      }
      resident.webSeeds.add(webSeedUrls(webSeeds))
      resident.swarm?.addPeers(fresh, 'hint')
    },
    hintsOf: (resident) => ({
      peers: [...resident.peerHints.values()],
      trackers: [...resident.trackers],
      webSeeds: resident.webSeeds.urls(),
    }),
    seed(resident, announceDht) {
      resident.seeding = true
      resident.announceDht = announceDht
      enter(resident)
      announcer.add(soughtOf(resident), announceDht)
    },
    visit(resident) {
      enter(resident)
      resident.idleSince = performance.now()
      return resident.swarm
    },
    async drop(infoHash, reason, removeData) {
      const resident = byHash.get(infoHash)
      announcer.remove(infoHash)
      bridge.forget(infoHash)
      if (resident === undefined) return
      byHash.delete(infoHash)
      resident.webSeeds.stop()
      await leave(resident)
      await resident.torrent.close(reason, removeData)
    },
    onClientLost() {
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
      torrents: byHash.size,
      active: active().length,
      seeding: [...byHash.values()].filter((resident) => resident.seeding).length,
    }),
    async stop() {
      stopping.abort()
      clearInterval(ticker)
      ticker = undefined
      announcer.stop()
      bridge.stop()
      for (const [infoHash, resident] of byHash) {
        resident.webSeeds.stop()
        await leave(resident)
        await resident.torrent.close(new TorrentDropped(infoHash), false)
      }
      byHash.clear()
      await pool.close()
    },
  }
}
