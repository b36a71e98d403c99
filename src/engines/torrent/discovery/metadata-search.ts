/** Asks several peers for an info dict at once, as they are found, until one has given it. */
import type { Duplex } from 'node:stream'
import type { InfoHash } from '../../../base/hashes.ts'
import { formatPeerAddress } from '../../../base/peer-address.ts'
import type { PeerAddress } from '../../../base/ports/dht-node.ts'
import { fetchFromPeer, fetchOver } from './metadata-peer.ts'

const PARALLEL = 6
const MAX_PEERS = 300
const RETRY_MS = 2000
const MAX_TRIES = 3
// Browsers, which come by themselves.
const MAX_TAKEN = 6

export interface MetadataSearch {
  /** More peers to ask. */
  offer(peers: readonly PeerAddress[]): void
  hasPlace(): boolean
  /** Asks over a connection that is open; closed where there is no place for it. */
  take(connection: Duplex): void
  /** Resolves with the dict; rejects with the signal's reason only. */
  readonly found: Promise<Uint8Array>
}

/** @param accept checks and may refuse what a peer gave; its peer counts as bad */
export function searchMetadata(
  infoHash: InfoHash,
  peerId: Uint8Array,
  accept: (info: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): MetadataSearch {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const ended = new AbortController()
  const either = AbortSignal.any([signal, ended.signal])
  const tries = new Map<string, number>()
  const queue: PeerAddress[] = []
  const timers = new Set<NodeJS.Timeout>()
  let running = 0
  let taken = 0

  function end(): void {
    ended.abort()
    for (const timer of timers) clearTimeout(timer)
  }

  async function ask(fetching: Promise<Uint8Array>, failed: () => void): Promise<void> {
    try {
      const info = await fetching
      // The bytes are the torrent's, so every other peer would give the same.
      await accept(info)
      resolve(info)
      end()
    } catch (error) {
      if (either.aborted) return
      if (error instanceof RefusedMetadata) {
        reject(error.cause)
        end()
        return
      }
      failed()
    }
  }

  /** A peer that was busy, or had not got the dict itself, may have it a little later. */
  function later(peer: PeerAddress): void {
    const key = formatPeerAddress(peer)
    const tried = (tries.get(key) ?? 0) + 1
    tries.set(key, tried)
    if (tried >= MAX_TRIES) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      queue.push(peer)
      pump()
    }, RETRY_MS * tried)
    timers.add(timer)
  }

  function pump(): void {
    while (running < PARALLEL && !either.aborted) {
      const peer = queue.shift()
      if (peer === undefined) return
      running++
      const fetching = fetchFromPeer(peer, infoHash, peerId, either)
      void ask(fetching, () => later(peer)).finally(() => {
        running--
        pump()
      })
    }
  }

  signal.addEventListener(
    'abort',
    () => {
      end()
      reject(signal.reason as Error)
    },
    { once: true },
  )
  promise.catch(() => {})

  const hasPlace = () => taken < MAX_TAKEN && !either.aborted

  return {
    found: promise,
    hasPlace,
    take(connection) {
      if (!hasPlace()) {
        connection.destroy()
        return
      }
      taken++
      void ask(fetchOver(connection, infoHash, peerId, either), () => {}).finally(() => taken--)
    },
    offer(peers) {
      for (const peer of peers) {
        const key = formatPeerAddress(peer)
        if (tries.has(key) || tries.size >= MAX_PEERS) continue
        tries.set(key, 0)
        queue.push(peer)
      }
      pump()
    },
  }
}

/** The dict has the right hash and is still no torrent: nobody can give a better one. */
export class RefusedMetadata extends Error {}
