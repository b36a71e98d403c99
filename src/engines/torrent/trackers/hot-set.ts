/** Of all seeded torrents those that are announced to WebSocket trackers now: who is asked for, then each in turn. */
import type { InfoHash } from '../../../base/hashes.ts'

// The rest of the places go round.
const BUSY_SHARE = 0.75

export interface HotSet<Seed> {
  add(infoHash: InfoHash, seed: Seed): void
  remove(infoHash: InfoHash): void
  /** Gives the next ones their turn. */
  turn(): void
  isHot(infoHash: InfoHash): boolean
}

export interface HotSetDeps<Seed> {
  /** Peers are there, or were a moment ago. */
  isBusy: (infoHash: InfoHash) => boolean
  begin: (infoHash: InfoHash, seed: Seed) => void
  end: (infoHash: InfoHash, seed: Seed) => void
}

export function createHotSet<Seed>(deps: HotSetDeps<Seed>, places: number): HotSet<Seed> {
  /** In the order of turns: who waited longest is first. */
  const all = new Map<InfoHash, Seed>()
  const hot = new Map<InfoHash, Seed>()

  function begin(infoHash: InfoHash, seed: Seed): void {
    hot.set(infoHash, seed)
    deps.begin(infoHash, seed)
  }

  function end(infoHash: InfoHash): void {
    const seed = hot.get(infoHash)
    if (seed === undefined) return
    hot.delete(infoHash)
    deps.end(infoHash, seed)
  }

  function chosen(): Map<InfoHash, Seed> {
    const next = new Map<InfoHash, Seed>()
    const most = Math.floor(places * BUSY_SHARE)
    for (const [infoHash, seed] of all) {
      if (next.size >= most) break
      if (deps.isBusy(infoHash)) next.set(infoHash, seed)
    }
    for (const [infoHash, seed] of all) {
      if (next.size >= places) break
      if (next.has(infoHash) || hot.has(infoHash)) continue
      next.set(infoHash, seed)
    }
    for (const [infoHash, seed] of next) {
      all.delete(infoHash)
      all.set(infoHash, seed)
    }
    return next
  }

  return {
    add(infoHash, seed) {
      if (hot.has(infoHash)) end(infoHash)
      all.set(infoHash, seed)
      if (hot.size < places) begin(infoHash, seed)
    },
    remove(infoHash) {
      all.delete(infoHash)
      end(infoHash)
    },
    turn() {
      if (all.size <= hot.size) return
      const next = chosen()
      for (const infoHash of hot.keys()) if (!next.has(infoHash)) end(infoHash)
      for (const [infoHash, seed] of next) if (!hot.has(infoHash)) begin(infoHash, seed)
      // Fewer were waiting than there are places.
      for (const [infoHash, seed] of all) {
        if (hot.size >= places) break
        if (!hot.has(infoHash)) begin(infoHash, seed)
      }
    },
    isHot: (infoHash) => hot.has(infoHash),
  }
}
