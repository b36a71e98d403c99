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
}

/** @param key random bytes, new with every start */
export function createConnectionIds(key: Uint8Array, seconds: () => number) {
  const known = new Map<string, Known>()

  function halvesFor(host: string): Uint32Array {
    const epoch = seconds() >>> EPOCH_BITS
    const old = known.get(host)
    if (old?.epoch === epoch) return old.halves
    const halves = new Uint32Array(EPOCHS * 2)
    for (let back = 0; back < EPOCHS; back++) {
      const mac = createHmac('sha256', key)
        .update(`${epoch - back} ${host}`)
        .digest()
      halves[back * 2] = mac.readUInt32BE(0)
      halves[back * 2 + 1] = mac.readUInt32BE(4)
    }
    // Whoever sends from made-up addresses only makes us work out more of them.
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(host, { epoch, halves })
    return halves
  }

  return {
    /** The id to give out now, in two halves; a view that stays as it is. */
    current: (host: string): Uint32Array => halvesFor(host),
    accepts(host: string, high: number, low: number): boolean {
      const halves = halvesFor(host)
      for (let i = 0; i < halves.length; i += 2) {
        if (halves[i] === high && halves[i + 1] === low) return true
      }
      return false
    },
  }
}

export type ConnectionIds = ReturnType<typeof createConnectionIds>
