/** A torrent in memory with what fetches its pieces: the readers' wants meet peers and web seeds here. */
import { trackerUrls, webSeedUrls } from '../../base/hint-urls.ts'
import { formatPeerAddress } from '../../base/peer-address.ts'
import type { Log } from '../../base/ports/log.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import type { SwarmHints } from '../../base/ports/torrent-engine.ts'
import type { SwarmConfig } from './config.ts'
import type { KnownTorrent } from './pieces/known-torrent.ts'
import { reachOf } from '../../base/ip-reach.ts'
import { createScheduler, isWebSource, type Scheduler, type Source } from './pieces/scheduler.ts'
import type { Swarm } from './swarm.ts'
import type { SwarmHost } from './swarm-host.ts'
import { createWebSeeds, type WebSeeds } from './pieces/web-seeds.ts'

const MAX_HINTS = 100

export interface Resident {
  readonly torrent: KnownTorrent
  readonly webSeeds: WebSeeds
  peerHints: Map<string, PeerAddress>
  trackers: Set<string>
  seeding: boolean
  swarm: Swarm | undefined
  scheduler: Scheduler
  /** Ends the search for peers. */
  searching: AbortController | undefined
  /** Milliseconds (monotonic) since nobody wants it; of a seed, since nobody is there. */
  idleSince: number
  /** Milliseconds (monotonic) since the peers of links were last dialled. */
  invitedAt: number
  inviteDue: boolean
  /** Traffic of earlier visits to the swarm. */
  gone: { downloaded: number; uploaded: number }
  checking: Promise<void>
}

/** Traffic from the first visit to the swarm on. */
export function trafficOf({ gone, swarm }: Resident): { downloaded: number; uploaded: number } {
  const now = swarm?.traffic() ?? { downloaded: 0, uploaded: 0 }
  return {
    downloaded: gone.downloaded + now.downloaded,
    uploaded: gone.uploaded + now.uploaded,
  }
}

/** More places to look; those it knows are kept. */
export function addHints(
  resident: Resident,
  { peers = [], trackers = [], webSeeds = [] }: SwarmHints,
): void {
  const fresh = peers.slice(0, MAX_HINTS)
  for (const peer of fresh) {
    if (resident.peerHints.size < MAX_HINTS) resident.peerHints.set(formatPeerAddress(peer), peer)
  }
  for (const url of trackerUrls(trackers)) {
    if (resident.trackers.size < MAX_HINTS) resident.trackers.add(url)
  }
  resident.webSeeds.add(webSeedUrls(webSeeds))
  resident.swarm?.addPeers(fresh, 'hint')
}

export const hintsOf = (resident: Resident): SwarmHints => ({
  peers: [...resident.peerHints.values()],
  trackers: [...resident.trackers],
  webSeeds: resident.webSeeds.urls(),
})

export function createResident(
  torrent: KnownTorrent,
  { log, host }: { log: Log; host: SwarmHost },
  config: Pick<SwarmConfig, 'web_seeds' | 'allow_local'>,
): Resident {
  const { metainfo, map, have, wants } = torrent

  function blame(source: Source): void {
    if (isWebSource(source)) {
      resident.webSeeds.blame(source)
      return
    }
    const address = source.remoteAddress
    // One address of our own box may be many programs.
    if (address !== undefined && reachOf(address) !== 'loopback') host.bans.add(address)
    log.info({ infoHash: metainfo.infoHash, peer: address }, 'a peer that sent bad pieces was left')
    resident.swarm?.disconnect(source)
  }

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
    blame,
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
    swarm: undefined,
    searching: undefined,
    idleSince: performance.now(),
    invitedAt: Number.NEGATIVE_INFINITY,
    inviteDue: false,
    gone: { downloaded: 0, uploaded: 0 },
    checking: Promise.resolve(),
  }
  return resident
}
