/**
 * Answers in memory, one behind the other in a ring of bytes. What is looked at for an answer lies
 * together there, so that it costs a processor two or three lines of its cache, and the ring is all
 * that answers ever take. At its end an answer that was asked for again goes round once more, and one
 * that was asked for once makes room.
 */
import { randomInt } from 'node:crypto'
import { HEADER_BYTES } from '../../base/dns/codes.ts'
import type { Query } from '../../base/dns/decode-query.ts'

/** An answer and what is known of it. */
export interface Entry {
  /**
   * From `at` on: the message, without OPT and with its question folded; where the TTLs in it are, two
   * bytes each; the data of an extended error (RFC 8914).
   */
  readonly bytes: Buffer
  readonly at: number
  readonly messageBytes: number
  readonly ttlCount: number
  readonly errorBytes: number
  readonly isAuthentic: boolean
  /** Monotonic ms. */
  readonly storedAt: number
  readonly freshUntil: number
  /** After this it is no good even when nobody can be asked. */
  readonly staleUntil: number
  /** While it is stale: no server is asked before this. */
  readonly retryAt: number
}

/** What stands for a question: the bytes of its name are there, so nothing has to be made of them. */
export type Key = Pick<Query, 'packet' | 'nameEnd'>

/** A record is this head, the bytes of its entry, and what is missing to a multiple of eight. */
const HEAD_BYTES = 64
const WORD = {
  SIZE: 0,
  /** What is asked of the name, or that this is the unused end of the ring. */
  KIND: 1,
  HASH: 2,
  FLAGS: 3,
  MESSAGE_BYTES: 4,
  TTL_COUNT: 5,
  ERROR_BYTES: 6,
} as const
/** Eight bytes each. */
const TIME = { STORED: 4, FRESH: 5, STALE: 6, RETRY: 7 } as const
const AUTHENTIC = 1
/** Asked for since it was put where it is. */
const USED = 2
const UNUSED_END = -1
/** What of the memory is the ring; the rest is for the index: 56 bytes for a record of 100 or more. */
const RING_SHARE = 0.625
/** So many answers go round once more before one goes, whatever it is. */
const MAX_SPARED = 256

/** FNV-1a over the name, whatever its case, from a start that nobody outside knows. */
function hashOf(start: number, { packet, nameEnd }: Key): number {
  let hash = start
  for (let at = HEADER_BYTES; at < nameEnd; at++) {
    // Folds letters, and mixes up some other bytes: they are compared anyway.
    hash = Math.imul(hash ^ ((packet[at] ?? 0) | 0x20), 0x01000193)
  }
  return hash
}

/** Whether the name in `packet` is the folded one of the message at `from`: names say where they end. */
function isSameName(bytes: Buffer, from: number, { packet, nameEnd }: Key): boolean {
  for (let at = HEADER_BYTES; at < nameEnd; at++) {
    const kept = bytes[from + at] ?? 0
    const asked = packet[at] ?? 0
    // RFC 4343: A to Z alone have another case, and lengths of labels are below `A`.
    if (kept !== asked && (asked < 65 || asked > 90 || kept !== asked + 32)) return false
  }
  return true
}

/** An entry in the ring, which is read where it stands: most answers need a part of it. */
class RingEntry implements Entry {
  readonly bytes: Buffer
  readonly at: number
  readonly #words: Int32Array
  readonly #times: Float64Array
  readonly #word: number
  readonly #time: number

  constructor(bytes: Buffer, words: Int32Array, times: Float64Array, place: number) {
    this.bytes = bytes
    this.at = place + HEAD_BYTES
    this.#words = words
    this.#times = times
    this.#word = place >> 2
    this.#time = place >> 3
  }

  get messageBytes(): number {
    return this.#words[this.#word + WORD.MESSAGE_BYTES] ?? 0
  }

  get ttlCount(): number {
    return this.#words[this.#word + WORD.TTL_COUNT] ?? 0
  }

  get errorBytes(): number {
    return this.#words[this.#word + WORD.ERROR_BYTES] ?? 0
  }

  get isAuthentic(): boolean {
    return ((this.#words[this.#word + WORD.FLAGS] ?? 0) & AUTHENTIC) !== 0
  }

  get storedAt(): number {
    return this.#times[this.#time + TIME.STORED] ?? 0
  }

  get freshUntil(): number {
    return this.#times[this.#time + TIME.FRESH] ?? 0
  }

  get staleUntil(): number {
    return this.#times[this.#time + TIME.STALE] ?? 0
  }

  get retryAt(): number {
    return this.#times[this.#time + TIME.RETRY] ?? 0
  }
}

/** How many bytes of an entry there are. */
const bodyBytes = ({ messageBytes, ttlCount, errorBytes }: Entry): number =>
  messageBytes + 2 * ttlCount + errorBytes

/** The entry by itself, for whoever waits with it: the ring moves on. */
export const detached = (entry: Entry): Entry => ({
  bytes: Buffer.from(entry.bytes.subarray(entry.at, entry.at + bodyBytes(entry))),
  at: 0,
  messageBytes: entry.messageBytes,
  ttlCount: entry.ttlCount,
  errorBytes: entry.errorBytes,
  isAuthentic: entry.isAuthentic,
  storedAt: entry.storedAt,
  freshUntil: entry.freshUntil,
  staleUntil: entry.staleUntil,
  retryAt: entry.retryAt,
})

export function createCache(maxBytes: number) {
  const capacity = Math.floor((maxBytes * RING_SHARE) / 8) * 8
  // Pages of it that no answer came to yet are no memory.
  const memory = new ArrayBuffer(capacity)
  const bytes = Buffer.from(memory)
  const words = new Int32Array(memory)
  const times = new Float64Array(memory)
  // A map by hash and one look at the bytes, where a map by name would make a string of each question.
  // Of two questions with one hash the later one is kept.
  const places = new Map<number, number>()
  const seed = randomInt(2 ** 32)
  const stats = { hits: 0, misses: 0, evicted: 0 }
  /** Where the next record goes, the oldest one is, and what lies between them. */
  let head = 0
  let tail = 0
  let used = 0

  /** Where the record of a question is. */
  function placeOf(kind: number, key: Key): number | undefined {
    const place = places.get(hashOf(seed ^ kind, key))
    if (place === undefined || words[(place >> 2) + WORD.KIND] !== kind) return undefined
    return isSameName(bytes, place + HEAD_BYTES, key) ? place : undefined
  }

  /** Frees the oldest record, or moves it to the head if it may be spared. */
  function passTail(maySpare: boolean): void {
    const place = tail
    const size = words[(place >> 2) + WORD.SIZE] ?? 0
    const hash = words[(place >> 2) + WORD.HASH] ?? 0
    const flags = words[(place >> 2) + WORD.FLAGS] ?? 0
    tail = place + size === capacity ? 0 : place + size
    used -= size
    const isUnusedEnd = words[(place >> 2) + WORD.KIND] === UNUSED_END
    if (isUnusedEnd || places.get(hash) !== place) return
    if (maySpare && (flags & USED) !== 0) {
      // The head is at or before it: what was just freed is room enough.
      words[(place >> 2) + WORD.FLAGS] = flags & ~USED
      bytes.copyWithin(head, place, place + size)
      places.set(hash, head)
      advance(size)
    } else {
      places.delete(hash)
      stats.evicted++
    }
  }

  function advance(size: number): void {
    head = head + size === capacity ? 0 : head + size
    used += size
  }

  /** Makes so many bytes free at the head. */
  function makeRoom(size: number): void {
    for (let spared = 0; ; spared++) {
      const isWrapped = used > 0 && head <= tail
      const free = (isWrapped ? tail : capacity) - head
      if (free >= size) return
      if (!isWrapped) {
        // What is left at the end is too small: the ring goes on at its start.
        words[(head >> 2) + WORD.SIZE] = free
        words[(head >> 2) + WORD.KIND] = UNUSED_END
        advance(free)
      } else passTail(spared < MAX_SPARED)
    }
  }

  return {
    /** What is kept, as a view that the next `set` may write over; see `detached`. */
    peek(kind: number, key: Key): Entry | undefined {
      const place = placeOf(kind, key)
      if (place === undefined) {
        stats.misses++
        return undefined
      }
      stats.hits++
      words[(place >> 2) + WORD.FLAGS] = (words[(place >> 2) + WORD.FLAGS] ?? 0) | USED
      return new RingEntry(bytes, words, times, place)
    },
    /** @param kind a number for what is asked of a name */
    set(kind: number, key: Key, entry: Entry): void {
      const body = bodyBytes(entry)
      const size = Math.ceil((HEAD_BYTES + body) / 8) * 8
      // One answer must not push out a house's.
      if (size > capacity / 8) return
      makeRoom(size)
      const at = head >> 2
      const hash = hashOf(seed ^ kind, key)
      words[at + WORD.SIZE] = size
      words[at + WORD.KIND] = kind
      words[at + WORD.HASH] = hash
      words[at + WORD.FLAGS] = entry.isAuthentic ? AUTHENTIC : 0
      words[at + WORD.MESSAGE_BYTES] = entry.messageBytes
      words[at + WORD.TTL_COUNT] = entry.ttlCount
      words[at + WORD.ERROR_BYTES] = entry.errorBytes
      times[(head >> 3) + TIME.STORED] = entry.storedAt
      times[(head >> 3) + TIME.FRESH] = entry.freshUntil
      times[(head >> 3) + TIME.STALE] = entry.staleUntil
      times[(head >> 3) + TIME.RETRY] = entry.retryAt
      entry.bytes.copy(bytes, head + HEAD_BYTES, entry.at, entry.at + body)
      places.set(hash, head)
      advance(size)
    },
    /** Puts off asking again for what is stale. */
    rest(kind: number, key: Key, until: number): void {
      const place = placeOf(kind, key)
      if (place !== undefined) times[(place >> 3) + TIME.RETRY] = until
    },
    stats: () => ({ ...stats, entries: places.size, bytes: used }),
  }
}
