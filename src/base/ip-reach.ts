/** How far an address can be reached from: the house, this machine, everybody, nobody. */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'

export type Reach = 'public' | 'private' | 'loopback' | 'reserved'

function listOf(v4: [string, number][], v6: [string, number][]): BlockList {
  const list = new BlockList()
  for (const [net, prefix] of v4) list.addSubnet(net, prefix, 'ipv4')
  for (const [net, prefix] of v6) list.addSubnet(net, prefix, 'ipv6')
  return list
}

const LOOPBACK = listOf([['127.0.0.0', 8]], [['::1', 128]])
// RFC 1918, 3927, 6598 (a provider's NAT, and overlays like Tailscale), 4193, 4291: the household's own network.
const PRIVATE = listOf(
  [
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
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

/** Loopback and the household's own networks; false for what is no address. */
export function isHouse(host: string): boolean {
  const reach = reachOf(host)
  return reach === 'loopback' || reach === 'private'
}
