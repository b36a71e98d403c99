/** Which block is asked for next: the most urgent reader's first missing bytes before anything else. */
import { createPartialPiece, type PartialPiece } from './partial-piece.ts'
import type { PieceMap } from './piece-map.ts'
import type { PieceSet } from './piece-set.ts'
import type { Want, Wants } from './wants.ts'

// Beyond these a reader's piece is looked at when those before it have come.
const WINDOW = 512
const RANDOM_PROBES = 48
const CANDIDATES = 6
const MAX_PARTIAL_BYTES = 64 * 1024 * 1024
const MIN_PARTIALS = 4

export interface PickerDeps<Source> {
  map: PieceMap
  have: PieceSet
  wants: Wants
  /** Being hashed from disk or written: neither missing nor there. */
  isBusy: (piece: number) => boolean
  /** How many sources have the piece; for whole downloads, which take the rare first. */
  copies: (piece: number) => number
  isSame: (a: Source, b: Source) => boolean
}

export interface PiecePicker<Source> {
  /** A piece with a block that nobody was asked for. */
  pick(source: Source, offers: (piece: number) => boolean): PartialPiece<Source> | undefined
  /** Whether the source has anything that is wanted and missing. */
  isUseful(offers: (piece: number) => boolean): boolean
  /** Pieces on their way. */
  partials: ReadonlyMap<number, PartialPiece<Source>>
  remove(piece: number): void
  /** The piece came bad from several sources: one alone sends it next time. */
  askOnlyOne(piece: number): void
}

export function createPiecePicker<Source>(deps: PickerDeps<Source>): PiecePicker<Source> {
  const { map, have, wants, isBusy, copies, isSame } = deps
  const partials = new Map<number, PartialPiece<Source>>()
  const single = new Set<number>()
  const maxPartials = Math.max(MIN_PARTIALS, Math.floor(MAX_PARTIAL_BYTES / map.pieceLength(0)))

  const isMissing = (piece: number) => !have.has(piece) && !isBusy(piece)

  function usable(piece: number, source: Source): PartialPiece<Source> | undefined {
    const partial = partials.get(piece)
    if (partial === undefined) {
      if (partials.size >= maxPartials) return undefined
      const fresh = createPartialPiece<Source>(piece, map.pieceLength(piece))
      if (single.has(piece)) fresh.only = source
      partials.set(piece, fresh)
      return fresh
    }
    if (partial.only !== undefined && !isSame(partial.only, source)) return undefined
    return partial.free() >= 0 ? partial : undefined
  }

  function inOrder(want: Want, source: Source, offers: (piece: number) => boolean) {
    let looked = 0
    for (let piece = want.next; piece <= want.last && looked < WINDOW; piece++) {
      if (!isMissing(piece)) continue
      looked++
      if (!offers(piece)) continue
      const partial = usable(piece, source)
      if (partial) return partial
    }
    return undefined
  }

  /** Of pieces begun already, else of a few found by chance the rarest: good for the swarm and cheap. */
  function rarest(want: Want, source: Source, offers: (piece: number) => boolean) {
    for (const partial of partials.values()) {
      const { index } = partial
      if (index < want.next || index > want.last || !offers(index) || partial.free() < 0) continue
      const begun = usable(index, source)
      if (begun) return begun
    }
    if (partials.size >= maxPartials) return undefined
    let best = -1
    let fewest = Number.POSITIVE_INFINITY
    let found = 0
    for (let probe = 0; probe < RANDOM_PROBES && found < CANDIDATES; probe++) {
      const piece = want.next + Math.floor(Math.random() * (want.last - want.next + 1))
      if (!isMissing(piece) || partials.has(piece) || !offers(piece)) continue
      found++
      const count = copies(piece)
      if (count < fewest) {
        fewest = count
        best = piece
      }
    }
    return best >= 0 ? usable(best, source) : inOrder(want, source, offers)
  }

  return {
    partials,
    pick(source, offers) {
      for (const want of wants.list()) {
        const partial =
          want.urgency === 'background'
            ? rarest(want, source, offers)
            : inOrder(want, source, offers)
        if (partial) return partial
      }
      return undefined
    },
    isUseful(offers) {
      for (const want of wants.list()) {
        let looked = 0
        for (let piece = want.next; piece <= want.last; piece++) {
          if (have.has(piece)) continue
          if (offers(piece) || ++looked > WINDOW * 8) return true
        }
      }
      return false
    },
    remove(piece) {
      partials.delete(piece)
      single.delete(piece)
    },
    askOnlyOne(piece) {
      partials.delete(piece)
      single.add(piece)
    },
  }
}
