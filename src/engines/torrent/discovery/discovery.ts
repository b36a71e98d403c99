/** Finds peers of a torrent while somebody wants it: DHT, trackers and the own network, each at its own pace. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { InfoHash } from '../../../base/hashes.ts'
import type { DhtNode, PeerAddress } from '../../../base/ports/dht-node.ts'
import type { Log } from '../../../base/ports/log.ts'
import type { DialSource } from '../wire/peer-policy.ts'

const FIRST_AGAIN_MS = 5000
const LAST_AGAIN_MS = 5 * 60_000

export interface Sought {
  infoHash: InfoHash
  isPrivate: boolean
  trackers: readonly string[]
  /** All of it is here: others may come, nobody is needed. */
  isSeed?: boolean
  /** It stays here: the trackers that the owner configured hear of it too. */
  isKept?: boolean
}

interface Seek {
  seek(infoHash: InfoHash, signal: AbortSignal): AsyncIterable<PeerAddress[]>
}

type Found = (peers: PeerAddress[], source: DialSource) => void

export interface DiscoveryDeps {
  dht: Pick<DhtNode, 'peers'>
  log: Log
  /** Peers a tracker names, and how long until it may be asked again; see trackers.ts. */
  trackers: {
    announce(sought: Sought, signal: AbortSignal): AsyncIterable<PeerAddress[]>
  }
  /** Those that lead to browsers. */
  wsTrackers: {
    want(sought: Sought, signal: AbortSignal): void
    seed(sought: Sought, signal: AbortSignal): void
  }
  lsd: Seek
  /** Those that came to our own tracker. */
  met: Seek
}

export interface Discovery {
  /** Keeps a seeded torrent at its trackers and on the own network until `signal`; never throws. */
  keep(sought: Sought, found: Found, signal: AbortSignal): void
  /** Calls back until `signal` aborts; never throws. */
  run(sought: Sought, found: Found, signal: AbortSignal): void
}

export function createDiscovery(deps: DiscoveryDeps): Discovery {
  const { dht, log, trackers, wsTrackers, lsd, met } = deps

  /** Asks again and again, less and less often: a torrent nobody has must not keep the network busy. */
  async function repeat(signal: AbortSignal, once: () => Promise<void>): Promise<void> {
    for (let wait = FIRST_AGAIN_MS; !signal.aborted; wait = Math.min(wait * 2, LAST_AGAIN_MS)) {
      try {
        await once()
        await sleep(wait, undefined, { signal, ref: false })
      } catch (error) {
        if (signal.aborted) return
        log.debug({ err: error }, 'a search for peers failed')
        await sleep(wait, undefined, { signal, ref: false }).catch(() => {})
      }
    }
  }

  async function take(
    batches: AsyncIterable<PeerAddress[]>,
    found: (peers: PeerAddress[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      for await (const peers of batches) {
        if (signal.aborted) return
        found(peers)
      }
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error }, 'a search for peers ended')
    }
  }

  function everywhere(sought: Sought, found: Found, signal: AbortSignal): void {
    const { infoHash, isPrivate } = sought
    void take(trackers.announce(sought, signal), (peers) => found(peers, 'tracker'), signal)
    // BEP 27: peers of a private torrent come from its trackers alone. Who has everything seeks nobody.
    if (!isPrivate && sought.isSeed !== true)
      void take(lsd.seek(infoHash, signal), (peers) => found(peers, 'lsd'), signal)
  }

  return {
    keep(sought, found, signal) {
      everywhere({ ...sought, isKept: true }, found, signal)
      wsTrackers.seed(sought, signal)
    },
    run(sought, found, signal) {
      everywhere(sought, found, signal)
      wsTrackers.want(sought, signal)
      if (sought.isPrivate) return
      void take(met.seek(sought.infoHash, signal), (peers) => found(peers, 'met'), signal)
      void repeat(signal, async () => {
        for await (const peers of dht.peers(sought.infoHash, signal)) found(peers, 'dht')
      })
    },
  }
}
