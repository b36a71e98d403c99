/** BEP 44 items kept for the network: the rules of put, two hours of life, a cap. */
import { decode } from '../../base/bencode.ts'
import {
  immutableTarget,
  isSignedByOwner,
  MAX_SALT_BYTES,
  MAX_VALUE_BYTES,
  mutableTarget,
} from '../../base/bep44.ts'
import { equalBytes, fromHex, toHex } from '../../base/bytes.ts'
import { publicKey, type Target } from '../../base/hashes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { SignedItem } from '../../base/ports/dht-node.ts'
import { PROTOCOL_FAULT, type WireItem } from './krpc.ts'
import { compareDistance } from './node-id.ts'

/** BEP 44: expired after two hours unless put again. */
export const ITEM_TTL_MS = 2 * 3_600_000

export type StoredItem =
  | { target: Target; at: number; value: Uint8Array; mutable?: undefined }
  | { target: Target; at: number; value: Uint8Array; mutable: SignedItem }

/** BEP 44 error codes of put. */
export interface PutFault {
  code: 203 | 205 | 206 | 207 | 301 | 302
  message: string
}

/** Why bytes cannot be a value: too long, or not canonical bencode. */
export function valueFault(value: Uint8Array): string | undefined {
  if (value.length > MAX_VALUE_BYTES) return `a value of ${value.length} bytes`
  try {
    decode(value, { maxDepth: 16 })
    return undefined
  } catch {
    return 'a value that is not bencode'
  }
}

/** The signed item of wire fields, copied out of the datagram; undefined for an immutable one. */
export function signedOf(wire: WireItem, salt: Uint8Array): SignedItem | undefined {
  if (!wire.key || !wire.signature || wire.seq === undefined) return undefined
  return {
    publicKey: publicKey(toHex(wire.key)),
    salt: Uint8Array.from(salt),
    seq: wire.seq,
    value: Uint8Array.from(wire.value),
    signature: Uint8Array.from(wire.signature),
  }
}

export const wireOf = (item: StoredItem): WireItem =>
  item.mutable
    ? {
        value: item.value,
        key: fromHex(item.mutable.publicKey),
        signature: item.mutable.signature,
        seq: item.mutable.seq,
      }
    : { value: item.value }

/** The target that a put would be stored under; what its token must be bound to. */
export function targetOf(wire: WireItem, salt: Uint8Array): Target {
  return wire.key ? mutableTarget(publicKey(toHex(wire.key)), salt) : immutableTarget(wire.value)
}

/** @param ownId whose neighbourhood is kept when the store is full */
export function createItemStore(maxItems: number, ownId: () => Uint8Array, clock: Clock) {
  const items = new Map<Target, StoredItem>()

  const expired = (item: StoredItem): boolean => Math.abs(clock.now() - item.at) >= ITEM_TTL_MS

  function get(target: Target): StoredItem | undefined {
    const item = items.get(target)
    if (!item || !expired(item)) return item
    items.delete(target)
    return undefined
  }

  function sweep(): void {
    for (const [target, item] of items) if (expired(item)) items.delete(target)
  }

  /** Makes room by dropping the item farthest from us: the network looks for it elsewhere. */
  function evict(): void {
    sweep()
    if (items.size < maxItems) return
    let farthest: Target | undefined
    let farthestBytes: Uint8Array | undefined
    for (const target of items.keys()) {
      const bytes = fromHex(target)
      if (!farthestBytes || compareDistance(ownId(), bytes, farthestBytes) > 0) {
        farthest = target
        farthestBytes = bytes
      }
    }
    if (farthest) items.delete(farthest)
  }

  function keep(item: StoredItem): void {
    if (!items.has(item.target) && items.size >= maxItems) evict()
    items.set(item.target, item)
  }

  /** Rules for a newer item over a stored one (BEP 44, sections on cas and seq). */
  function supersedes(
    stored: SignedItem,
    item: SignedItem,
    cas: number | undefined,
  ): PutFault | undefined {
    const same = stored.seq === item.seq && equalBytes(stored.value, item.value)
    if (cas !== undefined && cas !== stored.seq && !same)
      return { code: 301, message: 'cas does not match, read again' }
    if (item.seq < stored.seq || (item.seq === stored.seq && !same))
      return { code: 302, message: 'seq is not newer' }
    return undefined
  }

  return {
    get,
    sweep,
    /** Stores what a verified token allows to be stored, or says why not. */
    put(wire: WireItem, salt: Uint8Array, cas?: number): PutFault | undefined {
      if (wire.value.length > MAX_VALUE_BYTES) return { code: 205, message: 'v is too big' }
      if (salt.length > MAX_SALT_BYTES) return { code: 207, message: 'salt is too big' }
      const item = signedOf(wire, salt)
      const target = targetOf(wire, salt)
      const at = clock.now()
      if (!item) {
        keep({ target, at, value: Uint8Array.from(wire.value) })
        return undefined
      }
      if (item.seq < 0) return { code: PROTOCOL_FAULT, message: 'seq is negative' }
      if (!isSignedByOwner(item)) return { code: 206, message: 'invalid signature' }
      const stored = get(target)?.mutable
      const fault = stored && supersedes(stored, item, cas)
      if (!fault) keep({ target, at, value: item.value, mutable: item })
      return fault
    },
    /** Puts back what was saved by an earlier run and is still valid. */
    restore(item: StoredItem): void {
      const holds = item.mutable
        ? isSignedByOwner(item.mutable)
        : immutableTarget(item.value) === item.target
      if (holds && !expired(item) && items.size < maxItems) items.set(item.target, item)
    },
    all: (): StoredItem[] => [...items.values()],
    size: () => items.size,
  }
}

export type ItemStore = ReturnType<typeof createItemStore>
