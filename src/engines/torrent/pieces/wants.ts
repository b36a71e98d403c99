/** What readers wait for in one torrent, in the order it should come. */
import type { Urgency } from '../../../base/ports/torrent-engine.ts'
import type { PieceSpan } from './piece-map.ts'
import type { PieceSet } from './piece-set.ts'

export interface Want extends PieceSpan {
  readonly urgency: Urgency
  /** The first piece that is still missing. */
  next: number
}

export interface Wants {
  /** Most urgent first, older before newer. */
  list(): readonly Want[]
  readonly size: number
  includes(piece: number): boolean
  /** Resolves when every piece of the span is there; rejects with the signal's reason or that of `clear`. */
  wait(span: PieceSpan, urgency: Urgency, signal?: AbortSignal): Promise<void>
  /** A piece was verified. */
  arrived(piece: number): void
  clear(reason: Error): void
}

interface Waiting extends Want {
  settle(failure?: unknown): void
}

const RANK: Record<Urgency, number> = { now: 0, soon: 1, background: 2 }

export function createWants(have: PieceSet, onChange: (added?: Want) => void): Wants {
  const waiting: Waiting[] = []

  function insert(want: Waiting): void {
    const at = waiting.findIndex((other) => RANK[other.urgency] > RANK[want.urgency])
    waiting.splice(at < 0 ? waiting.length : at, 0, want)
  }

  function remove(want: Waiting): boolean {
    const at = waiting.indexOf(want)
    if (at >= 0) waiting.splice(at, 1)
    return at >= 0
  }

  return {
    list: () => waiting,
    get size() {
      return waiting.length
    },
    includes: (piece) =>
      waiting.some((want) => piece >= want.next && piece <= want.last && !have.has(piece)),
    async wait(span, urgency, signal) {
      signal?.throwIfAborted()
      let next = span.last + 1
      for (let piece = span.last; piece >= span.first; piece--) {
        if (have.has(piece)) continue
        next = piece
      }
      if (next > span.last) return
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const onAbort = () => {
        if (remove(want)) onChange()
        reject(signal?.reason as Error)
      }
      const want: Waiting = {
        ...span,
        urgency,
        next,
        settle(failure) {
          signal?.removeEventListener('abort', onAbort)
          if (failure === undefined) resolve()
          else reject(failure)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      insert(want)
      try {
        onChange(want)
      } catch (error) {
        remove(want)
        want.settle(error)
      }
      await promise
    },
    arrived(piece) {
      let ended = false
      for (const want of waiting.slice()) {
        if (piece < want.first || piece > want.last) continue
        while (want.next <= want.last && have.has(want.next)) want.next++

        if (want.next <= want.last) continue
        remove(want)
        want.settle()
        ended = true
      }
      if (ended) onChange()
    },
    clear(reason) {
      for (const want of waiting.splice(0)) want.settle(reason)
    },
  }
}
