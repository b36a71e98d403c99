/** Which addresses are on the internet: all others are somebody's house, ours, or nobody's. */
import { ipBytes } from '../../base/ip-address.ts'

type Prefix = readonly [bytes: readonly number[], bits: number]

// IANA IPv4 Special-Purpose Address Registry, entries that are not globally reachable; multicast.
const NOT_PUBLIC_4: readonly Prefix[] = [
  [[0], 8],
  [[10], 8],
  [[100, 64], 10],
  [[127], 8],
  [[169, 254], 16],
  [[172, 16], 12],
  [[192, 0, 0], 24],
  [[192, 0, 2], 24],
  // 6to4 relays, deprecated (RFC 7526).
  [[192, 88, 99], 24],
  [[192, 168], 16],
  [[198, 18], 15],
  [[198, 51, 100], 24],
  [[203, 0, 113], 24],
  [[224], 3],
]

// Only global unicast is handed out (IANA IPv6 Address Space): everything else is not public.
const GLOBAL_6: Prefix = [[0x20], 3]
const NOT_PUBLIC_6: readonly Prefix[] = [
  // IETF protocols: Teredo (an IPv4 address in disguise), benchmarking, ORCHID.
  [[0x20, 0x01, 0x00], 23],
  [[0x20, 0x01, 0x0d, 0xb8], 32],
  // 6to4: an IPv4 address in disguise.
  [[0x20, 0x02], 16],
  [[0x3f, 0xff, 0x00], 20],
]
/** NAT64 (RFC 6052): the last four bytes are the IPv4 address that is reached. */
const NAT64: Prefix = [[0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], 96]

function startsWith(bytes: Uint8Array, [prefix, bits]: Prefix): boolean {
  for (let at = 0; at * 8 < bits; at++) {
    const left = Math.min(8, bits - at * 8)
    const mask = (0xff << (8 - left)) & 0xff
    if (((bytes[at] ?? 0) & mask) !== ((prefix[at] ?? 0) & mask)) return false
  }
  return true
}

function isPublic(bytes: Uint8Array): boolean {
  if (bytes.length === 4) return !NOT_PUBLIC_4.some((prefix) => startsWith(bytes, prefix))
  if (startsWith(bytes, NAT64)) return isPublic(bytes.subarray(12))
  return startsWith(bytes, GLOBAL_6) && !NOT_PUBLIC_6.some((prefix) => startsWith(bytes, prefix))
}

/** False for text that is no address at all. */
export function isPublicAddress(text: string): boolean {
  const bytes = ipBytes(text)
  return bytes !== undefined && isPublic(bytes)
}
