/**
 * Tells DHT, trackers and the own network about seeded torrents, in turns: ten thousand of them must
 * not flood an uplink. Whoever waited longest is next; what was just seeded goes first.
 */
import type { InfoHash } from '../../../base/hashes.ts'
import type { Log } from '../../../base/ports/log.ts'
import type { PeerAddress } from '../../../base/ports/dht-node.ts'
import type { SwarmConfig } from '../config.ts'
import type { Sought } from './discovery.ts'
import { createDueQueue } from './due-queue.ts'
import type { DialSource } from '../wire/peer-policy.ts'
import type { SwarmHost } from '../swarm-host.ts'

// An announce is a lookup of some fifty packets.
const MIN_PAUSE_MS = 250
const MAX_ANNOUNCE_MS = 60_000
const RETRY_MS = 60_000
// Each is a request, and a timer for the next one: they go on at the pace at which they began.
const FIRST_TRACKED = 20
const TRACK_EVERY_MS = 100

interface Turn {
  sought: Sought
  dht: boolean
  /** Ends what is kept at trackers; undefined until its turn. */
  tracked: AbortController | undefined
}

export interface AnnouncerDeps {
  log: Log
  host: Pick<SwarmHost, 'announce' | 'track' | 'present'>
  /** Peers that trackers named meanwhile. */
  found: (infoHash: InfoHash, peers: PeerAddress[], source: DialSource) => void
}

export interface Announcer {
  /**
   * Announces soon and every interval; a second call changes what is announced where.
   * @param again it was announced before this start: it can wait for those that are new
   */
  add(sought: Sought, dht: boolean, again?: boolean): void
  remove(infoHash: InfoHash): void
  stop(): void
}

const isSame = (a: Sought, b: Sought) =>
  a.isSeed === b.isSeed &&
  a.trackers.length === b.trackers.length &&
  a.trackers.every((url, index) => url === b.trackers[index])

export function createAnnouncer(deps: AnnouncerDeps, config: SwarmConfig): Announcer {
  const { log, host, found } = deps
  const turns = new Map<InfoHash, Turn>()
  const due = createDueQueue<InfoHash>()
  const untracked = createDueQueue<InfoHash>()
  let timer: NodeJS.Timeout | undefined
  let tracking: NodeJS.Timeout | undefined
  let running: AbortController | undefined

  function schedule(): void {
    clearTimeout(timer)
    const next = due.next()
    if (running || next === undefined) return
    timer = setTimeout(() => void announceNext(), Math.max(next - performance.now(), 0)).unref()
  }

  async function announceNext(): Promise<void> {
    const infoHash = due.take()
    const turn = infoHash && turns.get(infoHash)
    if (turn === undefined) {
      schedule()
      return
    }
    const { sought } = turn
    const ending = new AbortController()
    running = ending
    const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(MAX_ANNOUNCE_MS)])
    let wait = config.announce_interval
    try {
      const stored = await host.announce(sought, signal)
      if (stored === 0) wait = Math.min(RETRY_MS, wait)
    } catch (error) {
      wait = Math.min(RETRY_MS, wait)
      log.debug({ infoHash: sought.infoHash, err: error }, 'an announce failed')
    }
    // Unless it was taken away or put first meanwhile.
    if (turns.get(sought.infoHash) === turn && !ending.signal.aborted)
      due.put(sought.infoHash, performance.now() + Math.max(wait, MIN_PAUSE_MS))
    running = undefined
    if (!ending.signal.aborted) timer = setTimeout(schedule, MIN_PAUSE_MS).unref()
  }

  /** Begins with the next at its trackers. */
  function track(): void {
    const infoHash = untracked.take()
    const turn = infoHash && turns.get(infoHash)
    if (turn) {
      const { sought } = turn
      turn.tracked = new AbortController()
      host.track(
        sought,
        (peers, source) => found(sought.infoHash, peers, source),
        turn.tracked.signal,
      )
    }
    clearTimeout(tracking)
    tracking = untracked.size > 0 ? setTimeout(track, TRACK_EVERY_MS).unref() : undefined
  }

  function trackSoon(sought: Sought, again: boolean): void {
    if (sought.trackers.length === 0 && config.announce_urls.length === 0) return
    untracked.put(sought.infoHash, again ? performance.now() : 0)
    const begun = turns.size - untracked.size
    if (begun < FIRST_TRACKED) track()
    else tracking ??= setTimeout(track, TRACK_EVERY_MS).unref()
  }

  return {
    add(sought, dht, again = false) {
      const old = turns.get(sought.infoHash)
      const same = old !== undefined && isSame(old.sought, sought)
      // BEP 27: a private torrent is announced to its trackers alone.
      const turn: Turn = {
        sought,
        dht: dht && !sought.isPrivate,
        tracked: same ? old.tracked : undefined,
      }
      turns.set(sought.infoHash, turn)
      if (!same) {
        old?.tracked?.abort()
        trackSoon(sought, again)
      }
      if (!sought.isPrivate) host.present(sought.infoHash, true)
      if (turn.dht) due.put(sought.infoHash, again ? performance.now() : 0)
      else due.remove(sought.infoHash)
      schedule()
    },
    remove(infoHash) {
      const turn = turns.get(infoHash)
      if (turn === undefined) return
      turns.delete(infoHash)
      due.remove(infoHash)
      untracked.remove(infoHash)
      turn.tracked?.abort()
      host.present(infoHash, false)
    },
    stop() {
      clearTimeout(timer)
      clearTimeout(tracking)
      tracking = undefined
      running?.abort()
      running = undefined
      for (const [infoHash, turn] of turns) {
        turn.tracked?.abort()
        host.present(infoHash, false)
      }
      turns.clear()
      due.clear()
      untracked.clear()
    },
  }
}
