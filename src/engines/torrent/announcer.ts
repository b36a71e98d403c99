/** Tells DHT and trackers about seeded torrents, one after the other: a thousand of them must not flood an uplink. */
import type { InfoHash } from '../../base/hashes.ts'
import type { Log } from '../../base/ports/log.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import type { SwarmConfig } from './config.ts'
import type { Sought } from './discovery.ts'
import type { DialSource } from './peer-policy.ts'
import type { SwarmHost } from './swarm-host.ts'

// An announce is a lookup of some fifty packets.
const MIN_PAUSE_MS = 250
const MAX_ANNOUNCE_MS = 60_000
const RETRY_MS = 60_000

interface Turn {
  sought: Sought
  dht: boolean
  dueAt: number
  /** Ends what is kept at trackers. */
  tracked: AbortController
}

export interface AnnouncerDeps {
  log: Log
  host: Pick<SwarmHost, 'announce' | 'track'>
  /** Peers that trackers and the own network named meanwhile. */
  found: (infoHash: InfoHash, peers: PeerAddress[], source: DialSource) => void
}

export interface Announcer {
  /** Announces now and every interval; a second call changes what is announced where. */
  add(sought: Sought, dht: boolean): void
  remove(infoHash: InfoHash): void
  stop(): void
}

export function createAnnouncer(deps: AnnouncerDeps, config: SwarmConfig): Announcer {
  const { log, host, found } = deps
  const turns = new Map<InfoHash, Turn>()
  let timer: NodeJS.Timeout | undefined
  let running: AbortController | undefined

  function schedule(): void {
    clearTimeout(timer)
    if (running) return
    let next = Number.POSITIVE_INFINITY
    for (const turn of turns.values()) if (turn.dht) next = Math.min(next, turn.dueAt)
    if (next === Number.POSITIVE_INFINITY) return
    const wait = Math.max(next - performance.now(), 0)
    timer = setTimeout(() => void announceNext(), wait)
    timer.unref()
  }

  async function announceNext(): Promise<void> {
    const due = [...turns.values()]
      .filter((turn) => turn.dht && turn.dueAt <= performance.now())
      .toSorted((a, b) => a.dueAt - b.dueAt)[0]
    if (due === undefined) {
      schedule()
      return
    }
    const ending = new AbortController()
    running = ending
    const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(MAX_ANNOUNCE_MS)])
    let wait = config.announce_interval
    try {
      const stored = await host.announce(due.sought, signal)
      if (stored === 0) wait = Math.min(RETRY_MS, wait)
    } catch (error) {
      wait = Math.min(RETRY_MS, wait)
      log.debug({ infoHash: due.sought.infoHash, err: error }, 'an announce failed')
    }
    due.dueAt = performance.now() + Math.max(wait, MIN_PAUSE_MS)
    running = undefined
    if (!ending.signal.aborted) timer = setTimeout(schedule, MIN_PAUSE_MS).unref()
  }

  return {
    add(sought, dht) {
      const old = turns.get(sought.infoHash)
      const same =
        old !== undefined &&
        old.sought.trackers.length === sought.trackers.length &&
        old.sought.isSeed === sought.isSeed
      const tracked = same ? old.tracked : new AbortController()
      if (!same) {
        old?.tracked.abort()
        host.track(sought, (peers, source) => found(sought.infoHash, peers, source), tracked.signal)
      }
      // BEP 27: a private torrent is announced to its trackers alone.
      const turn = { sought, dht: dht && !sought.isPrivate, dueAt: performance.now(), tracked }
      turns.set(sought.infoHash, turn)
      schedule()
    },
    remove(infoHash) {
      turns.get(infoHash)?.tracked.abort()
      turns.delete(infoHash)
    },
    stop() {
      clearTimeout(timer)
      running?.abort()
      running = undefined
      for (const turn of turns.values()) turn.tracked.abort()
      turns.clear()
    },
  }
}
