/** Lets bytes of one direction through at the rates that are set, in turns: nobody overtakes who waits already. */

export type PeerKind = 'tcp' | 'webrtc' | 'webseed'
/** Bytes a second, 0 for no limit; `all` goes for the three kinds together. */
export type Rates = Record<'all' | PeerKind, number>

export const NO_RATES: Rates = { all: 0, tcp: 0, webrtc: 0, webseed: 0 }

// What one may move before it is the next one's turn: a block and its header fit.
const QUANTUM = 32 * 1024
const REFILL_MS = 20
// An idle second is not made up for: others on the line would feel it.
const BURST_SECONDS = 0.25
const MIN_BURST = 2048

export interface Mover {
  readonly kind: PeerKind
  /** Bytes that could move now; 0 once it is over or has to wait for something else. */
  ready(): number
  /** Moves at most `bytes` and says how many. */
  move(bytes: number): number
}

export interface Gate {
  /** No limit applies: nobody has to ask. */
  isFree(kind: PeerKind): boolean
  /** Moves what may move at once, the rest as soon as it may. Ask again for what becomes ready later. */
  ask(mover: Mover): void
  leave(mover: Mover): void
  set(rates: Rates): void
  stop(): void
}

interface Bucket {
  rate: number
  tokens: number
  filledAt: number
}

/** @param now milliseconds that only go forward */
export function createGate(now: () => number, rates: Rates = NO_RATES): Gate {
  const buckets = new Map<'all' | PeerKind, Bucket>()
  const waiting = new Set<Mover>()
  let timer: NodeJS.Timeout | undefined

  const burstOf = (rate: number) => Math.max(rate * BURST_SECONDS, MIN_BURST)

  function set(next: Rates): void {
    refill()
    for (const name of ['all', 'tcp', 'webrtc', 'webseed'] as const) {
      const rate = next[name]
      const bucket = buckets.get(name)
      if (rate <= 0) buckets.delete(name)
      else if (bucket === undefined) buckets.set(name, { rate, tokens: 0, filledAt: now() })
      else {
        bucket.rate = rate
        bucket.tokens = Math.min(bucket.tokens, burstOf(rate))
      }
    }
    serve()
  }

  function refill(): void {
    const at = now()
    for (const bucket of buckets.values()) {
      const earned = (Math.max(at - bucket.filledAt, 0) / 1000) * bucket.rate
      bucket.tokens = Math.min(bucket.tokens + earned, burstOf(bucket.rate))
      bucket.filledAt = at
    }
  }

  function allowed(kind: PeerKind): number {
    const all = buckets.get('all')?.tokens ?? QUANTUM
    const own = buckets.get(kind)?.tokens ?? QUANTUM
    return Math.floor(Math.min(all, own, QUANTUM))
  }

  function charge(kind: PeerKind, bytes: number): void {
    for (const name of ['all', kind] as const) {
      const bucket = buckets.get(name)
      if (bucket) bucket.tokens -= bytes
    }
  }

  /** One turn of everybody who waits; returns whether anything moved. */
  function round(): boolean {
    let moved = 0
    for (const mover of Array.from(waiting)) {
      if (mover.ready() === 0) {
        waiting.delete(mover)
        continue
      }
      const most = allowed(mover.kind)
      if (most < 1) continue
      const bytes = mover.move(most)
      charge(mover.kind, bytes)
      moved += bytes
      waiting.delete(mover)
      if (mover.ready() > 0) waiting.add(mover)
    }
    return moved > 0
  }

  function serve(): void {
    refill()
    while (waiting.size > 0 && round()) {
      // Until the tokens or the bytes are used up.
    }
    if (waiting.size > 0) timer ??= setInterval(serve, REFILL_MS).unref()
    else {
      clearInterval(timer)
      timer = undefined
    }
  }

  set(rates)
  return {
    isFree: (kind) => !buckets.has('all') && !buckets.has(kind),
    ask(mover) {
      if (waiting.has(mover)) return
      const isFirst = waiting.size === 0
      waiting.add(mover)
      if (isFirst) serve()
    },
    leave: (mover) => void waiting.delete(mover),
    set,
    stop() {
      clearInterval(timer)
      timer = undefined
      waiting.clear()
    },
  }
}
