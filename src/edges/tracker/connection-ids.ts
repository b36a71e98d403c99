/**
 * Connection ids (BEP 15) without memory: a keyed hash of the address and the current 64 seconds.
 * Whoever can say it has received a packet of ours at that address.
 */
import { createHmac } from 'node:crypto'

const EPOCH_BITS = 6
/** Of this and the two epochs before: at least the two minutes that BEP 15 asks for. */
const EPOCHS = 3
const MAX_KNOWN = 8192

interface Known {
  epoch: number
  /** High and low halves of the ids of this epoch and those before. */
  halves: Uint32Array
  /** How many of them are worked out: most clients need the first only. */
  worked: number
}

/** @param key random bytes, new with every start */
export function createConnectionIds(key: Uint8Array, seconds: () => number) {
  const known = new Map<string, Known>()

  function work(host: string, entry: Known): void {
    const mac = createHmac('sha256', key)
      .update(`${entry.epoch - entry.worked} ${host}`)
      .digest()
    entry.halves[entry.worked * 2] = mac.readUInt32BE(0)
    entry.halves[entry.worked * 2 + 1] = mac.readUInt32BE(4)
    entry.worked++
  }

  function entryFor(host: string): Known {
    const epoch = seconds() >>> EPOCH_BITS
    const old = known.get(host)
    if (old?.epoch === epoch) return old
    const entry = { epoch, halves: new Uint32Array(EPOCHS * 2), worked: 0 }
    work(host, entry)
    // Whoever sends from made-up addresses only makes us work out more of them.
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(host, entry)
    return entry
  }

  return {
    /** The id to give out now, in two halves, which come first. */
    current: (host: string): Uint32Array => entryFor(host).halves,
    accepts(host: string, high: number, low: number): boolean {
      const entry = entryFor(host)
      for (let back = 0; back < EPOCHS; back++) {
        if (back === entry.worked) work(host, entry)
        if (entry.halves[back * 2] === high && entry.halves[back * 2 + 1] === low) return true
      }
      return false
    },
  }
}

export type ConnectionIds = ReturnType<typeof createConnectionIds>
