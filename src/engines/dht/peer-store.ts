/** Peers that others announced to us, capped and forgotten in time. */
import type { Clock } from '../../base/ports/clock.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import { endpointKey, type Family, familyOf } from './address.ts'

/** Three announces at the usual 15 minutes may be missed once. */
const PEER_TTL_MS = 45 * 60_000

interface StoredPeer {
  address: PeerAddress
  at: number
}

export interface PeerStoreLimits {
  maxTorrents: number
  maxPeersPerTorrent: number
}

export function createPeerStore(limits: PeerStoreLimits, clock: Clock) {
  // Both maps are kept in order of their last announce, so the first entry is the oldest.
  const torrents = new Map<string, Map<string, StoredPeer>>()

  const fresh = (peer: StoredPeer): boolean => Math.abs(clock.now() - peer.at) < PEER_TTL_MS

  function dropExpired(infoHash: string, peers: Map<string, StoredPeer>): void {
    for (const [key, peer] of peers) {
      if (fresh(peer)) break
      peers.delete(key)
    }
    if (peers.size === 0) torrents.delete(infoHash)
  }

  return {
    add(infoHash: string, address: PeerAddress): void {
      const peers = torrents.get(infoHash) ?? new Map<string, StoredPeer>()
      dropExpired(infoHash, peers)
      const key = endpointKey(address)
      peers.delete(key)
      if (peers.size >= limits.maxPeersPerTorrent) peers.delete(peers.keys().next().value ?? '')
      peers.set(key, { address, at: clock.now() })
      torrents.delete(infoHash)
      if (torrents.size >= limits.maxTorrents) torrents.delete(torrents.keys().next().value ?? '')
      torrents.set(infoHash, peers)
    },
    /** Up to `most` peers of the family, beginning at a random one so that all get their turn. */
    sample(infoHash: string, family: Family, most: number): PeerAddress[] {
      const peers = torrents.get(infoHash)
      if (!peers) return []
      dropExpired(infoHash, peers)
      const all = [...peers.values()]
        .map((peer) => peer.address)
        .filter((address) => familyOf(address.host) === family)
      const from = Math.floor(Math.random() * all.length)
      return [...all.slice(from), ...all.slice(0, from)].slice(0, most)
    },
    sweep(): void {
      for (const [infoHash, peers] of torrents) dropExpired(infoHash, peers)
    },
    torrents: () => torrents.size,
    peers: () => [...torrents.values()].reduce((sum, peers) => sum + peers.size, 0),
  }
}

export type PeerStore = ReturnType<typeof createPeerStore>
