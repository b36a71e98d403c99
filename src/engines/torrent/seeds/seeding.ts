/** Seeded torrents: who is announced, what was given to whom, and when a limit ends the offer. */
import type { InfoHash } from '../../../base/hashes.ts'
import type { PeerAddress } from '../../../base/ports/dht-node.ts'
import type { Log } from '../../../base/ports/log.ts'
import type { SeedOptions, SwarmHints } from '../../../base/ports/torrent-engine.ts'
import { createAnnouncer } from '../discovery/announcer.ts'
import type { SwarmConfig } from '../config.ts'
import { type DialSource, mayDial } from '../wire/peer-policy.ts'
import { type Resident, trafficOf } from '../resident.ts'
import { type Seed, type SeedBook, soughtOf } from './seed-book.ts'
import type { SwarmHost } from '../swarm-host.ts'

const SAVE_EVERY_MS = 10 * 60_000
const JUDGE_EVERY_MS = 60_000
// A tracker names peers to each of ten thousand seeds in turn: few are woken for that.
const WAKE_FOR_FOUND_MS = 1000
const LAST_BLOCKS_MS = 1000

export interface SeedingDeps {
  log: Log
  host: SwarmHost
  seeds: SeedBook
  /** What is in memory of a torrent. */
  get: (infoHash: InfoHash) => Resident | undefined
  all: () => Iterable<Resident>
  /** As the engine's `find`: what sleeps is opened again. */
  wake: (infoHash: InfoHash) => Promise<Resident | undefined>
}

export interface Seeding {
  /** Enters it in the book and announces it; resolves when that will outlive a restart. */
  begin(resident: Resident, options: SeedOptions, hints: SwarmHints): Promise<Seed | undefined>
  /** Announces a seed that an earlier run left behind; it sleeps until somebody asks. */
  resume(seed: Seed): void
  end(infoHash: InfoHash): void
  /** Leaves strangers where a limit was just reached; call about once a second. */
  turnAway(resident: Resident): void
  /** Looks whether a seed became whole, or is no longer. */
  noteWhole(resident: Resident): void
  /** Whether a peer of that address may have it. */
  mayServe(infoHash: InfoHash, host: string | undefined): boolean
  /** Bytes of payload went to a stranger. */
  given(infoHash: InfoHash, bytes: number): void
  /** Brings the book up to date before the torrent leaves the memory. */
  putAway(resident: Resident): void
  stop(): Promise<void>
}

export function createSeeding(deps: SeedingDeps, config: SwarmConfig): Seeding {
  const { log, host, seeds } = deps
  const announcer = createAnnouncer({ log, host, found }, config)
  const limitedAt = new Map<InfoHash, number>()
  let foundAt = Number.NEGATIVE_INFINITY
  let timers: NodeJS.Timeout[] = []

  function saveSoon(seed: Seed): void {
    seeds.save(seed).catch((error: unknown) => {
      log.warn({ infoHash: seed.infoHash, err: error }, 'a seed could not be noted')
    })
  }

  function announce(seed: Seed, again = false): void {
    if (seed.limited === undefined) announcer.add(soughtOf(seed), seed.announceDht, again)
  }

  const mayServe = (infoHash: InfoHash, from: string | undefined): boolean =>
    seeds.get(infoHash)?.limited === undefined || host.bandwidth.isExempt(from)

  /** Ends the offer of a seed that reached a limit; the house still gets it. */
  function judge(seed: Seed): void {
    if (!seeds.judge(seed)) return
    const { infoHash, limited, given } = seed
    if (limited === undefined) {
      limitedAt.delete(infoHash)
      announce(seed)
      return
    }
    announcer.remove(infoHash)
    limitedAt.set(infoHash, performance.now())
    log.info({ infoHash, limit: limited, given }, 'a seed reached its limit and is offered no more')
  }

  function found(infoHash: InfoHash, peers: PeerAddress[], source: DialSource): void {
    const swarm = deps.get(infoHash)?.swarm
    if (swarm) {
      swarm.addPeers(peers, source)
      return
    }
    // A box that nobody can call has to call those who look for it.
    const now = performance.now()
    const some = peers.filter((peer) => mayDial(peer.host, source, config.allow_local))
    if (some.length === 0 || now - foundAt < WAKE_FOR_FOUND_MS) return
    foundAt = now
    deps.wake(infoHash).then(
      (resident) => resident?.swarm?.addPeers(some, source),
      (error: unknown) => log.debug({ infoHash, err: error }, 'a seed could not be woken'),
    )
  }

  function count(resident: Resident): void {
    const seed = seeds.get(resident.torrent.metainfo.infoHash)
    if (!resident.seeding || seed === undefined) return
    const { downloaded, uploaded } = trafficOf(resident)
    if (downloaded === seed.downloaded && uploaded === seed.uploaded) return
    seed.downloaded = downloaded
    seed.uploaded = uploaded
    seed.unsaved = true
  }

  function keepBooks(): void {
    if (timers.length > 0) return
    const judgeAll = () => Array.from(seeds.all()).forEach(judge)
    const saveAll = () => {
      for (const resident of deps.all()) count(resident)
      void seeds.saveChanged()
    }
    timers = [
      setInterval(judgeAll, JUDGE_EVERY_MS).unref(),
      setInterval(saveAll, SAVE_EVERY_MS).unref(),
    ]
  }

  return {
    async begin(resident, { announceDht = true, own }, hints) {
      keepBooks()
      const { metainfo } = resident.torrent
      const seed = seeds.enter(metainfo.infoHash, {
        announceDht,
        isPrivate: metainfo.isPrivate,
        trackers: [...resident.trackers],
        wholeBytes: resident.torrent.isComplete() ? metainfo.totalLength : undefined,
        ...(own === undefined ? {} : { own }),
        ...trafficOf(resident),
      })
      await seeds.save(seed, hints)
      // Dropped meanwhile.
      if (seeds.get(metainfo.infoHash) !== seed) return undefined
      judge(seed)
      announce(seed)
      return seed
    },
    resume(seed) {
      keepBooks()
      announce(seed, true)
    },
    end(infoHash) {
      limitedAt.delete(infoHash)
      announcer.remove(infoHash)
    },
    turnAway({ torrent, swarm }) {
      const { infoHash } = torrent.metainfo
      const since = limitedAt.get(infoHash)
      // Until then the last blocks are on their way.
      if (since === undefined || performance.now() - since < LAST_BLOCKS_MS) return
      limitedAt.delete(infoHash)
      for (const wire of swarm?.wires().slice() ?? [])
        if (!mayServe(infoHash, wire.remoteAddress)) swarm?.disconnect(wire)
    },
    noteWhole(resident) {
      const { metainfo } = resident.torrent
      const seed = seeds.get(metainfo.infoHash)
      if (!resident.seeding || seed === undefined) return
      const whole = resident.torrent.isComplete() ? metainfo.totalLength : undefined
      if (seed.wholeBytes === whole) return
      if (whole === undefined) {
        const { infoHash } = metainfo
        log.warn({ infoHash }, 'files of a seed were changed or deleted: it is whole no longer')
      }
      seed.wholeBytes = whole
      judge(seed)
      announce(seed)
      saveSoon(seed)
    },
    mayServe,
    given(infoHash, bytes) {
      const seed = seeds.get(infoHash)
      if (seed?.wholeBytes === undefined) return
      seed.given += bytes
      seed.unsaved = true
      if (config.seed_ratio > 0) judge(seed)
    },
    putAway(resident) {
      count(resident)
      const seed = seeds.get(resident.torrent.metainfo.infoHash)
      if (seed?.unsaved === true) saveSoon(seed)
    },
    async stop() {
      for (const timer of timers) clearInterval(timer)
      timers = []
      limitedAt.clear()
      announcer.stop()
      await seeds.saveChanged()
    },
  }
}
