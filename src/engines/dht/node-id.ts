/** Node ids: XOR distance (BEP 5) and the binding of an id to an address (BEP 42). */

import { hostBytes, isLocal } from './address.ts'

export const ID_BYTES = 20
/** Fills with that many random bytes; injected so that tests repeat. */
export type RandomBytes = (length: number) => Uint8Array

/** Negative where `a` is closer to `target` than `b`. */
export function compareDistance(target: Uint8Array, a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < ID_BYTES; at++) {
    const t = target[at] ?? 0
    const difference = ((a[at] ?? 0) ^ t) - ((b[at] ?? 0) ^ t)
    if (difference !== 0) return difference
  }
  return 0
}

/** How many leading bits two ids share, 0 to 160. */
export function sharedBits(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < ID_BYTES; at++) {
    const difference = (a[at] ?? 0) ^ (b[at] ?? 0)
    if (difference !== 0) return at * 8 + Math.clz32(difference) - 24
  }
  return ID_BYTES * 8
}

/** A random id that shares exactly `bits` leading bits with `id`: a target inside that bucket. */
export function idInBucket(id: Uint8Array, bits: number, random: RandomBytes): Uint8Array {
  const made = Uint8Array.from(random(ID_BYTES))
  for (let bit = 0; bit <= bits && bit < ID_BYTES * 8; bit++) {
    const at = bit >> 3
    const mask = 0x80 >> (bit & 7)
    const wanted = ((id[at] ?? 0) & mask) ^ (bit === bits ? mask : 0)
    made[at] = ((made[at] ?? 0) & ~mask) | wanted
  }
  return made
}

const CRC32C_POLYNOMIAL = 0x82f63b78
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CRC32C_POLYNOMIAL : crc >>> 1
  return crc >>> 0
})

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

// BEP 42: which bits of the address an id depends on.
const MASK4 = [0x03, 0x0f, 0x3f, 0xff]
const MASK6 = [0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff]

function prefixFor(host: Uint8Array, seed: number): number {
  const mask = host.length === 4 ? MASK4 : MASK6
  const masked = Uint8Array.from(mask, (bits, at) => (host[at] ?? 0) & bits)
  masked[0] = (masked[0] ?? 0) | ((seed & 7) << 5)
  return crc32c(masked)
}

/** A random id bound to the address (BEP 42); the last byte may be given to repeat the vectors. */
export function secureId(host: string, random: RandomBytes, seed?: number): Uint8Array {
  const id = Uint8Array.from(random(ID_BYTES))
  const bytes = hostBytes(host)
  if (bytes === undefined) return id
  if (seed !== undefined) id[19] = seed
  const crc = prefixFor(bytes, id[19] ?? 0)
  id[0] = crc >>> 24
  id[1] = (crc >>> 16) & 255
  id[2] = ((crc >>> 8) & 0xf8) | ((id[2] ?? 0) & 7)
  return id
}

/** Whether the id belongs to the address (BEP 42). Local addresses are exempt. */
export function isSecureId(id: Uint8Array, host: string): boolean {
  if (isLocal(host)) return true
  const bytes = hostBytes(host)
  if (bytes === undefined) return false
  const crc = prefixFor(bytes, id[19] ?? 0)
  return (
    id[0] === crc >>> 24 &&
    id[1] === ((crc >>> 16) & 255) &&
    ((id[2] ?? 0) & 0xf8) === ((crc >>> 8) & 0xf8)
  )
}
