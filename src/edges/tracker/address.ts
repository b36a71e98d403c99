/** Addresses as 16 bytes, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2): one shape for keys, compact peers and tests of nearness. */
import { ipBytes, ipText } from '../../base/ip-address.ts'

export const ADDRESS_BYTES = 16

/** How far a peer at an address can be reached from. */
export const LOOPBACK = 0
export const LINK = 1
export const HOUSE = 2
export const PUBLIC = 3
export type Reach = typeof LOOPBACK | typeof LINK | typeof HOUSE | typeof PUBLIC

const ZERO = 0x30
const DOT = 0x2e

/** Reads `a.b.c.d` into four bytes at `at`; false where it is something else. */
function readIpv4(text: string, bytes: Uint8Array, at: number): boolean {
  let part = 0
  let digits = 0
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === DOT) {
      if (digits === 0 || part === 3) return false
      bytes[at + part++] = value
      digits = 0
      value = 0
      continue
    }
    const digit = code - ZERO
    if (digit < 0 || digit > 9 || ++digits > 3) return false
    value = value * 10 + digit
    if (value > 255) return false
  }
  bytes[at + 3] = value
  return part === 3 && digits > 0
}

/** The 16 bytes of a literal, a zone cut off; undefined for anything else. */
export function addressBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(ADDRESS_BYTES)
  if (readIpv4(text, bytes, 12)) {
    bytes[10] = 255
    bytes[11] = 255
    return bytes
  }
  const read = ipBytes(text.split('%', 1)[0] ?? '')
  return read?.length === ADDRESS_BYTES ? read : undefined
}

/** Whether 16 bytes at `at` are a mapped IPv4 address. */
export function isMapped(bytes: Uint8Array, at = 0): boolean {
  for (let i = 0; i < 10; i++) if (bytes[at + i] !== 0) return false
  return bytes[at + 10] === 255 && bytes[at + 11] === 255
}

/** The text of 16 bytes at `at`. */
export const addressText = (bytes: Uint8Array, at = 0): string =>
  ipText(bytes.subarray(isMapped(bytes, at) ? at + 12 : at, at + ADDRESS_BYTES))

function ipv4Reach(a: number, b: number): Reach {
  if (a === 127) return LOOPBACK
  if (a === 169 && b === 254) return LINK
  const isPrivate =
    a === 10 ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 100 && b >= 64 && b < 128)
  return isPrivate ? HOUSE : PUBLIC
}

function isLoopback6(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 15; i++) if (bytes[at + i] !== 0) return false
  return bytes[at + 15] === 1
}

/** RFC 1918, 3927, 4193, 4291, 6598. */
export function reachOf(bytes: Uint8Array, at = 0): Reach {
  if (isMapped(bytes, at)) return ipv4Reach(bytes[at + 12] ?? 0, bytes[at + 13] ?? 0)
  const [a = 0, b = 0] = [bytes[at], bytes[at + 1]]
  if (a === 0xfe && (b & 0xc0) === 0x80) return LINK
  if ((a & 0xfe) === 0xfc) return HOUSE
  return isLoopback6(bytes, at) ? LOOPBACK : PUBLIC
}

/** Whether a peer that can be reached from `peer` is of use to an asker, who may be one `inHouse` with a public address. */
export function isVisible(peer: Reach, asker: Reach, inHouse: boolean): boolean {
  if (peer === PUBLIC) return true
  if (peer === HOUSE) return inHouse
  // A link-local address without its zone is nobody's but the link's, loopback nobody's but ours.
  return peer === asker
}

/** The same /24 (IPv4) or /64 (IPv6). */
export function isNear(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  const end = isMapped(a, aAt) ? 15 : 8
  for (let i = 0; i < end; i++) if (a[aAt + i] !== b[bAt + i]) return false
  return true
}
