/** Answers in memory, bounded by bytes: what is asked again survives, what was asked once goes first. */
import type { ExtendedError } from '../../base/dns/edns.ts'

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
}

/** What a slot, an entry and a key cost beside their bytes, measured on V8. */
const OVERHEAD = 400

export function createCache(maxBytes: number) {
  const slots = new Map<string, Slot>()
  const stats = { hits: 0, misses: 0, evicted: 0 }
  let bytes = 0
  // The hand of a clock: a slot is passed over once if it was used, and goes the next time.
  let hand = slots.entries()

  function evict(): void {
    while (bytes > maxBytes) {
      const { value, done } = hand.next()
      if (done === true) {
        hand = slots.entries()
        continue
      }
      const [key, slot] = value
      if (slot.isUsed) slot.isUsed = false
      else {
        slots.delete(key)
        bytes -= slot.cost
        stats.evicted++
      }
    }
  }

  return {
    get(key: string): Entry | undefined {
      const slot = slots.get(key)
      if (slot === undefined) {
        stats.misses++
        return undefined
      }
      stats.hits++
      slot.isUsed = true
      return slot.entry
    },
    set(key: string, entry: Entry): void {
      const cost = entry.bytes.length + key.length + OVERHEAD
      // One answer must not push out a house's.
      if (cost > maxBytes / 8) return
      const old = slots.get(key)
      if (old) {
        bytes += cost - old.cost
        old.entry = entry
        old.cost = cost
      } else {
        slots.set(key, { entry, cost, isUsed: false })
        bytes += cost
      }
      evict()
    },
    stats: () => ({ ...stats, entries: slots.size, bytes }),
  }
}

export type Cache = ReturnType<typeof createCache>
