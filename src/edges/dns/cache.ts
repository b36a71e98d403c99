/** Answers in memory, bounded by bytes: what is asked again survives, what was asked once goes first. */
import type { ExtendedError } from '../../base/dns/edns.ts'
import type { DnsName } from '../../base/dns/name.ts'

export interface Entry {
  /** As `Kept` wants them. */
  bytes: Uint8Array
  ttlOffsets: readonly number[]
  isAuthentic: boolean
  error: ExtendedError | undefined
  /** Monotonic ms. */
  storedAt: number
  freshUntil: number
  /** After this it is no good even when nobody can be asked. */
  staleUntil: number
  /** While it is stale: no server is asked before this. */
  retryAt: number
}

interface Slot {
  entry: Entry
  cost: number
  /** Asked for since the hand came by. */
  isUsed: boolean
  kind: number
  shelf: Shelf
  name: DnsName
}

/** The answers of one kind by name. */
type Shelf = Map<DnsName, Slot>

/** What a slot, an entry and a name cost beside their bytes: measured on V8 with 200,000 names. */
const OVERHEAD = 780

export function createCache(maxBytes: number) {
  // By kind and then by name: joining both into one key would cost more than looking twice.
  const shelves = new Map<number, Shelf>()
  const ring: Slot[] = []
  const stats = { hits: 0, misses: 0, evicted: 0 }
  let bytes = 0
  let hand = 0

  /** A clock: a slot is passed over once if it was used since, and goes the next time. */
  function evict(): void {
    while (bytes > maxBytes) {
      if (hand >= ring.length) hand = 0
      const slot = ring[hand]
      if (slot === undefined) return
      if (slot.isUsed) {
        slot.isUsed = false
        hand++
        continue
      }
      slot.shelf.delete(slot.name)
      if (slot.shelf.size === 0) shelves.delete(slot.kind)
      bytes -= slot.cost
      stats.evicted++
      const last = ring.pop()
      if (last !== undefined && last !== slot) ring[hand] = last
    }
  }

  return {
    /** @param kind a number for what is asked of a name */
    get(kind: number, name: DnsName): Entry | undefined {
      const slot = shelves.get(kind)?.get(name)
      if (slot === undefined) {
        stats.misses++
        return undefined
      }
      stats.hits++
      slot.isUsed = true
      return slot.entry
    },
    set(kind: number, name: DnsName, entry: Entry): void {
      const cost = entry.bytes.length + name.length + OVERHEAD
      // One answer must not push out a house's.
      if (cost > maxBytes / 8) return
      let shelf = shelves.get(kind)
      if (shelf === undefined) {
        shelf = new Map()
        shelves.set(kind, shelf)
      }
      const old = shelf.get(name)
      if (old) {
        bytes += cost - old.cost
        old.entry = entry
        old.cost = cost
      } else {
        const slot = { entry, cost, isUsed: false, kind, shelf, name }
        shelf.set(name, slot)
        ring.push(slot)
        bytes += cost
      }
      evict()
    },
    stats: () => ({ ...stats, entries: ring.length, bytes }),
  }
}
