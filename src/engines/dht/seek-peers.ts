/** Peers of a torrent: found as the lookup goes on, and announced to the closest nodes. */
import { fromHex } from '../../base/bytes.ts'
import { type InfoHash, target as asTarget } from '../../base/hashes.ts'
import type { PeerAddress, PutOutcome } from '../../base/ports/dht-node.ts'
import { endpointKey, isUsable } from './address.ts'
import type { LookupPart } from './family-node.ts'
import type { PeerStore } from './peer-store.ts'
import { K, type Search } from './search.ts'

const MAX_PEERS_FOUND = 2000
const MAX_OWN_PEERS = 200

export interface PeerSeekerDeps {
  search: Search
  peers: PeerStore
  allowLocal: boolean
}

export function createPeerSeeker(deps: PeerSeekerDeps) {
  const { search } = deps

  return {
    async *peers(infoHash: InfoHash, signal?: AbortSignal): AsyncGenerator<PeerAddress[]> {
      const target = fromHex(infoHash)
      const seen = new Set<string>()
      const batches: PeerAddress[][] = []
      let wake = Promise.withResolvers<void>()
      let over = false
      const stopping = new AbortController()
      const until = signal ? AbortSignal.any([signal, stopping.signal]) : stopping.signal
      const offer = (peers: PeerAddress[]): boolean => {
        const fresh = peers.filter((peer) => {
          const key = endpointKey(peer)
          if (seen.has(key) || !isUsable(peer, deps.allowLocal)) return false
          seen.add(key)
          return true
        })
        if (fresh.length > 0) batches.push(fresh)
        wake.resolve()
        return seen.size >= MAX_PEERS_FOUND
      }
      const question = { method: 'get_peers', target } as const
      const part: LookupPart = {
        target,
        question,
        width: K,
        priority: 'now',
        onAnswer: ({ response }) => offer(response.peers),
        stillWanting: () => seen.size === 0,
      }
      // What others announced to this node is as good as what they announced elsewhere.
      for (const family of [4, 6] as const)
        offer(deps.peers.sample(infoHash, family, MAX_OWN_PEERS))
      const running = search.find(part, until).finally(() => {
        over = true
        wake.resolve()
      })
      try {
        for (;;) {
          if (signal?.aborted) return
          const batch = batches.shift()
          if (batch) yield batch
          else if (over) return
          else {
            await wake.promise
            wake = Promise.withResolvers<void>()
          }
        }
      } finally {
        stopping.abort()
        await running
      }
    },

    async announce(infoHash: InfoHash, port: number, signal?: AbortSignal): Promise<PutOutcome> {
      const target = fromHex(infoHash)
      return search.put(
        asTarget(infoHash),
        {
          find: { method: 'get_peers', target },
          question: (token) => ({
            method: 'announce_peer',
            target,
            token,
            port,
            impliedPort: false,
          }),
          width: K,
          priority: 'background',
        },
        signal,
      )
    },
  }
}
