/** Addresses as they travel in KRPC: compact bytes (BEP 5, BEP 32), text, and which of them to trust. */
import { toHex } from '../../base/bytes.ts'
import { ipBytes, ipText } from '../../base/ip-address.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'

export type Family = 4 | 6

/** Bytes of a compact peer: address and port. */
export const PEER_BYTES: Record<Family, number> = { 4: 6, 6: 18 }

export const familyOf = (host: string): Family => (host.includes(':') ? 6 : 4)

/** The 4 or 16 bytes of an address literal, or undefined where it is none; a zone is cut off. */
export const hostBytes = (host: string): Uint8Array | undefined =>
  ipBytes(host.split('%', 1)[0] ?? '')

/** The one spelling of an address literal; undefined where it is none. */
export function canonicalHost(host: string): string | undefined {
  const bytes = hostBytes(host)
  return bytes === undefined ? undefined : ipText(bytes)
}

export const endpointKey = (address: PeerAddress): string => `${address.host}|${address.port}`

/** BEP 5 (6 bytes) or BEP 32 (18 bytes). `host` must be a literal. */
export function packPeer(address: PeerAddress): Uint8Array {
  const host = hostBytes(address.host) ?? new Uint8Array(4)
  const packed = new Uint8Array(host.length + 2)
  packed.set(host)
  packed[host.length] = address.port >> 8
  packed[host.length + 1] = address.port & 255
  return packed
}

export function unpackPeer(packed: Uint8Array): PeerAddress | undefined {
  if (packed.length !== PEER_BYTES[4] && packed.length !== PEER_BYTES[6]) return undefined
  const end = packed.length - 2
  return {
    host: ipText(packed.subarray(0, end)),
    port: ((packed[end] ?? 0) << 8) | (packed[end + 1] ?? 0),
  }
}

const privateV4 = (a: number, b: number): boolean =>
  a === 127 ||
  a === 10 ||
  (a === 172 && b >= 16 && b < 32) ||
  (a === 192 && b === 168) ||
  (a === 169 && b === 254) ||
  (a === 100 && b >= 64 && b < 128)

/** Loopback, private, link-local and shared space: not on the open internet. */
export function isLocal(host: string): boolean {
  const bytes = hostBytes(host)
  if (bytes === undefined) return false
  const [a = 0, b = 0] = bytes
  if (bytes.length === 4) return privateV4(a, b)
  if ((a & 0xfe) === 0xfc || (a === 0xfe && (b & 0xc0) === 0x80)) return true
  return toHex(bytes) === `${'0'.repeat(31)}1`
}

/** Whether a packet may be sent there at all: a unicast address, a port, and local only where allowed. */
export function isUsable(address: PeerAddress, allowLocal: boolean): boolean {
  if (!(address.port > 0 && address.port < 65536)) return false
  const bytes = hostBytes(address.host)
  if (bytes === undefined) return false
  const [a = 0] = bytes
  if (bytes.length === 4 ? a === 0 || a >= 224 : a === 0xff) return false
  // Loopback counts as local; the unspecified, mapped and translated addresses start with zeros too.
  if (bytes.length === 16 && a === 0 && !isLocal(address.host)) return false
  return allowLocal || !isLocal(address.host)
}

/** Who pays for a packet: the host, for IPv6 its /64. Local nodes share hosts, so there the port counts too. */
export function payerKey(address: PeerAddress): string {
  if (isLocal(address.host)) return endpointKey(address)
  const bytes = hostBytes(address.host)
  return bytes?.length === 16 ? toHex(bytes.subarray(0, 8)) : address.host
}

/** `host:port` or `[host]:port`, the host a name or a literal. */
export function parseHostPort(written: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(written.trim())
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || port < 1 || port > 65535 ? undefined : { host, port }
}
