/** How many sockets there may be, and how much one socket and one address may say. */
import type { Clock } from '../../base/ports/clock.ts'
import { addressBytes, addressText, isMapped, PUBLIC, reachOf } from './address.ts'
import { type Bucket, isFull, type Rate, take } from './rate-limit.ts'

/** What is known of an address while it has sockets, or spent more than it was given since. */
export interface AddressRecord {
  readonly key: string
  sockets: number
  /** Torrents its sockets are in. */
  members: number
  bucket: Bucket
}

/** Whoever has one public IPv6 address has a /64 of them; in the house each device is one. */
export function addressKey(address: string): string {
  const bytes = addressBytes(address)
  if (bytes === undefined) return address
  if (isMapped(bytes) || reachOf(bytes) !== PUBLIC) return addressText(bytes)
  return `${addressText(bytes.fill(0, 8))}/64`
}

export function createSocketGuard(
  limits: { maxSockets: number; maxSocketsPerAddress: number; address: Rate; socket: Rate },
  clock: Clock,
) {
  const addresses = new Map<string, AddressRecord>()
  const maxAddresses = limits.maxSockets * 2 + 16
  let sockets = 0

  const fresh = (rate: Rate): Bucket => ({ tokens: rate.burst, at: clock.now() })

  /** Forgets addresses without sockets whose budget would be full again. */
  function forget(): void {
    const now = clock.now()
    for (const record of addresses.values()) {
      if (record.sockets > 0) continue
      if (isFull(record.bucket, limits.address, now)) addresses.delete(record.key)
    }
  }

  return {
    /** @returns the address's record; or where there is no room: for this address, or for any */
    admit(address: string): AddressRecord | 'address' | 'full' {
      const key = addressKey(address)
      let record = addresses.get(key)
      if ((record?.sockets ?? 0) >= limits.maxSocketsPerAddress) return 'address'
      if (sockets >= limits.maxSockets) return 'full'
      if (record === undefined) {
        if (addresses.size >= maxAddresses) forget()
        if (addresses.size >= maxAddresses) return 'full'
        record = { key, sockets: 0, members: 0, bucket: fresh(limits.address) }
        addresses.set(key, record)
      }
      if (!take(record.bucket, limits.address, clock.now())) return 'address'
      record.sockets++
      sockets++
      return record
    },

    leave(record: AddressRecord): void {
      record.sockets--
      sockets--
    },

    socketBucket: () => fresh(limits.socket),

    /** Whether a socket may say one thing more. */
    mayTalk(bucket: Bucket, record: AddressRecord): boolean {
      const now = clock.now()
      return take(bucket, limits.socket, now) && take(record.bucket, limits.address, now)
    },

    forget,
    size: () => ({ sockets, addresses: addresses.size }),
  }
}

export type SocketGuard = ReturnType<typeof createSocketGuard>
