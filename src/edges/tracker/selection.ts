/**
 * Which peers an asker gets, the best first: those of its own network, those that announced lately,
 * those whose uploads grow; for the rest chance, as everybody meeting everybody keeps a swarm whole.
 */
import { isNear, isVisible, PUBLIC, reachOf } from './address.ts'
import type { Asker } from './askers.ts'
import type { Group } from './group.ts'
import { GREW, PARTIAL, type PeerTable, SEED } from './peer-table.ts'
import type { Swarm } from './swarms.ts'

export interface Wish {
  asker: Asker
  peerId: Uint8Array
  /** The asker's own slot, or -1. */
  slot: number
  /** Whether the asker only gives: then others who only give are of no use. */
  givesOnly: boolean
  numwant: number
  families: 4 | 6 | 'both'
}

/** Where picked slots go: `room` places of `out` after the first `from`. */
interface Places {
  out: Int32Array
  from: number
  room: number
}

/** Of a larger swarm only so many are looked at, from a random place on. */
const MIN_CANDIDATES = 128
const MAX_CANDIDATES = 2048
const NEAR = 4
const FRESH = 2
const GROWS = 1
const SCORES = 8

/** @param freshSeconds a peer silent for longer may well be gone */
export function createSelection(table: PeerTable, now: () => number, freshSeconds: number) {
  const candidates = new Int32Array(MAX_CANDIDATES)
  const scores = new Uint8Array(MAX_CANDIDATES)
  const starts = new Uint32Array(SCORES)

  function isOffered(slot: number, { asker, peerId, slot: own, givesOnly }: Wish): boolean {
    if (slot === own) return false
    if (givesOnly && (table.flags(slot) & (SEED | PARTIAL)) !== 0) return false
    return !table.hasPeerId(slot, peerId) && isReachable(slot, asker)
  }

  function isReachable(slot: number, asker: Asker): boolean {
    if (asker.reach === PUBLIC && !asker.inHouse) return true
    const reach = reachOf(table.bytes(), table.addressAt(slot))
    return isVisible(reach, asker.reach, asker.inHouse)
  }

  function scoreOf(slot: number, asker: Asker, freshAfter: number): number {
    let score = (table.flags(slot) & GREW) !== 0 ? GROWS : 0
    if (table.seenAt(slot) >= freshAfter) score += FRESH
    return isNear(table.bytes(), table.addressAt(slot), asker.bytes, 0) ? score + NEAR : score
  }

  /** Seeds and leechers in turn, from a random place on, so that neither crowds out the other. */
  function collect(group: Group, wish: Wish, limit: number): number {
    const { slots, seeds } = group
    const rest = slots.length - seeds
    const seedStart = Math.floor(Math.random() * seeds)
    const restStart = Math.floor(Math.random() * rest)
    let count = 0
    let seed = wish.givesOnly ? seeds : 0
    let other = 0
    const take = (slot: number | undefined): void => {
      if (slot !== undefined && isOffered(slot, wish)) candidates[count++] = slot
    }
    while (count < limit && (seed < seeds || other < rest)) {
      if (seed < seeds) take(slots[(seedStart + seed++) % seeds])
      if (other < rest && count < limit) take(slots[seeds + ((restStart + other++) % rest)])
    }
    return count
  }

  /** Sorts by score, keeping the order within one: counted, as there are eight scores. */
  function rank(count: number, asker: Asker, into: Places): number {
    const { out, from, room } = into
    const freshAfter = now() - freshSeconds
    starts.fill(0)
    for (let i = 0; i < count; i++) {
      const score = scoreOf(candidates[i] ?? 0, asker, freshAfter)
      scores[i] = score
      starts[score] = (starts[score] ?? 0) + 1
    }
    let place = 0
    for (let score = SCORES - 1; score >= 0; score--) {
      const size = starts[score] ?? 0
      starts[score] = place
      place += size
    }
    for (let i = 0; i < count; i++) {
      const score = scores[i] ?? 0
      const at = starts[score] ?? 0
      starts[score] = at + 1
      if (at < room) out[from + at] = candidates[i] ?? 0
    }
    return Math.min(count, room)
  }

  return {
    /**
     * Writes slots to `out`, at most `numwant`.
     * @returns how many
     */
    pick(swarm: Swarm, wish: Wish, out: Int32Array): number {
      const { asker, families } = wish
      // Those of the house first, then those the asker certainly can reach.
      const order = asker.v4
        ? [swarm.house4, swarm.house6, swarm.public4, swarm.public6]
        : [swarm.house6, swarm.house4, swarm.public6, swarm.public4]
      let count = 0
      for (let i = asker.inHouse ? 0 : 2; i < 4; i++) {
        const group = order[i]
        const isFour = asker.v4 === (i % 2 === 0)
        if (group === undefined || (families !== 'both' && (families === 4) !== isFour)) continue
        const room = Math.min(wish.numwant, out.length) - count
        if (room <= 0) break
        const found = collect(
          group,
          wish,
          Math.min(MAX_CANDIDATES, Math.max(MIN_CANDIDATES, room * 2)),
        )
        count += rank(found, asker, { out, from: count, room })
      }
      return count
    },
  }
}

export type Selection = ReturnType<typeof createSelection>
