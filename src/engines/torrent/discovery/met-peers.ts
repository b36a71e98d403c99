/** Peers that announced themselves at our own tracker, kept for whoever wants their torrent later. */
import type { InfoHash } from '../../../base/hashes.ts'
import type { PeerAddress } from '../../../base/ports/dht-node.ts'
import { formatPeerAddress } from '../../../base/peer-address.ts'
import { createBroadcast, type Broadcast } from '../broadcast.ts'

const MAX_TORRENTS = 500
const MAX_PEERS = 16
// Peers announce themselves every 30 minutes.
const MAX_AGE_MS = 60 * 60_000

interface Met {
  peer: PeerAddress
  at: number
}

export interface MetPeers {
  add(infoHash: InfoHash, peers: readonly PeerAddress[]): void
  /** Those known already, then new ones until `signal`. */
  seek(infoHash: InfoHash, signal: AbortSignal): AsyncGenerator<PeerAddress[], void>
}

export function createMetPeers(now: () => number): MetPeers {
  const known = new Map<InfoHash, Map<string, Met>>()
  const seekers = new Map<InfoHash, Set<Broadcast<PeerAddress>>>()

  function remember(infoHash: InfoHash, peers: readonly PeerAddress[]): void {
    const met = known.get(infoHash) ?? new Map<string, Met>()
    known.delete(infoHash)
    known.set(infoHash, met)
    for (const peer of peers) {
      const key = formatPeerAddress(peer)
      met.delete(key)
      met.set(key, { peer, at: now() })
      const oldest = met.keys().next().value
      if (met.size > MAX_PEERS && oldest !== undefined) met.delete(oldest)
    }
    const oldest = known.keys().next().value
    if (known.size > MAX_TORRENTS && oldest !== undefined) known.delete(oldest)
  }

  return {
    add(infoHash, peers) {
      remember(infoHash, peers)
      for (const seeker of seekers.get(infoHash) ?? []) for (const peer of peers) seeker.emit(peer)
    },
    async *seek(infoHash, signal) {
      const seeker = createBroadcast<PeerAddress>(MAX_PEERS)
      const reading = seeker.subscribe(signal)
      const others = seekers.get(infoHash) ?? new Set()
      seekers.set(infoHash, others.add(seeker))
      try {
        const met = [...(known.get(infoHash)?.values() ?? [])]
        const fresh = met.filter(({ at }) => now() - at < MAX_AGE_MS).map(({ peer }) => peer)
        if (fresh.length > 0) yield fresh
        yield* reading
      } finally {
        others.delete(seeker)
        if (others.size === 0 && seekers.get(infoHash) === others) seekers.delete(infoHash)
      }
    },
  }
}
