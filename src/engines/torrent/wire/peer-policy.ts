/** Which addresses this room may connect to, and which it has had enough of. */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import type { PeerSource } from '../../../base/ports/torrent-engine.ts'

export type Reach = 'public' | 'private' | 'loopback' | 'reserved'

function listOf(v4: [string, number][], v6: [string, number][]): BlockList {
  const list = new BlockList()
  for (const [net, prefix] of v4) list.addSubnet(net, prefix, 'ipv4')
  for (const [net, prefix] of v6) list.addSubnet(net, prefix, 'ipv6')
  return list
}

const LOOPBACK = listOf([['127.0.0.0', 8]], [['::1', 128]])
// RFC 1918, RFC 3927, RFC 4193, RFC 4291: the household's own network.
const PRIVATE = listOf(
  [
    ['10.0.0.0', 8],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
    ['169.254.0.0', 16],
  ],
  [
    ['fc00::', 7],
    ['fe80::', 10],
  ],
)
// IANA special-purpose registries: nobody's peer; NAT64, 6to4 and Teredo carry IPv4 addresses inside.
const RESERVED = listOf(
  [
    ['0.0.0.0', 8],
    ['100.64.0.0', 10],
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.88.99.0', 24],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
    ['224.0.0.0', 3],
  ],
  [
    ['::', 96],
    ['64:ff9b::', 96],
    ['64:ff9b:1::', 48],
    ['100::', 64],
    ['2001::', 32],
    ['2001:db8::', 32],
    ['2002::', 16],
    ['fec0::', 10],
    ['ff00::', 8],
  ],
)
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** An address literal without the IPv4-in-IPv6 wrapping; undefined where it is none. */
export function plainAddress(host: string): string | undefined {
  const bare = host.split('%', 1)[0] ?? ''
  const mapped = MAPPED.exec(bare)?.[1]
  if (mapped !== undefined) return isIPv4(mapped) ? mapped : undefined
  if (isIP(bare) === 0) return undefined
  // `::ffff:7f00:1` is the same address in other words.
  if (isIPv6(bare) && new URL(`http://[${bare}]`).hostname.startsWith('[::ffff:')) {
    const [high = '', low = ''] = new URL(`http://[${bare}]`).hostname.slice(8, -1).split(':')
    const word = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
    return word.flatMap((half) => [half >> 8, half & 255]).join('.')
  }
  return bare
}

/** @param host an address literal */
export function reachOf(host: string): Reach {
  const plain = plainAddress(host)
  if (plain === undefined) return 'reserved'
  const family = isIPv4(plain) ? 'ipv4' : 'ipv6'
  if (LOOPBACK.check(plain, family)) return 'loopback'
  if (PRIVATE.check(plain, family)) return 'private'
  return RESERVED.check(plain, family) ? 'reserved' : 'public'
}

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
