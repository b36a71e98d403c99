/** Which addresses this room may connect to, and which it has had enough of. */
import { plainAddress, reachOf } from '../../../base/ip-reach.ts'
import type { PeerSource } from '../../../base/ports/torrent-engine.ts'

/** `met` came to our own tracker itself, so that its address is nobody's invention. */
export type DialSource = PeerSource | 'met'

/**
 * Whether to dial a peer that `source` named. The own network is dialled for what the household or
 * its own network says (links, LSD, our tracker), not for what strangers say; loopback never.
 */
export function mayDial(host: string, source: DialSource, allowLocal: boolean): boolean {
  const reach = reachOf(host)
  if (reach === 'public') return true
  if (allowLocal) return reach !== 'reserved'
  return reach === 'private' && (source === 'lsd' || source === 'hint' || source === 'met')
}

const MAX_BANNED = 2000
const BAN_MS = 60 * 60 * 1000

export interface BanList {
  add(host: string): void
  has(host: string): boolean
  readonly size: number
}

export function createBanList(now: () => number): BanList {
  const until = new Map<string, number>()
  return {
    add(host) {
      const oldest = until.keys().next().value
      if (until.size >= MAX_BANNED && oldest !== undefined) until.delete(oldest)
      until.set(plainAddress(host) ?? host, now() + BAN_MS)
    },
    has(host) {
      const plain = plainAddress(host) ?? host
      const end = until.get(plain)
      if (end === undefined) return false
      if (end > now()) return true
      until.delete(plain)
      return false
    },
    get size() {
      return until.size
    },
  }
}
