/** Budgets: what one address may cost us, and what our upkeep may cost the household's router. */
import type { Clock } from '../../base/ports/clock.ts'

interface Bucket {
  tokens: number
  at: number
}

export interface Rate {
  perSecond: number
  burst: number
}

function refill(bucket: Bucket, rate: Rate, now: number): void {
  // A clock set back gives nothing and takes nothing.
  const elapsed = Math.max(0, now - bucket.at)
  bucket.tokens = Math.min(rate.burst, bucket.tokens + (elapsed * rate.perSecond) / 1000)
  bucket.at = now
}

/** Says whether one more packet of `key` fits its rate. Knows at most `maxKeys`, forgetting the oldest. */
export function createRateLimiter(rate: Rate, maxKeys: number, clock: Clock) {
  const buckets = new Map<string, Bucket>()
  return {
    take(key: string): boolean {
      const now = clock.now()
      let bucket = buckets.get(key)
      if (!bucket) {
        if (buckets.size >= maxKeys) buckets.delete(buckets.keys().next().value ?? '')
        bucket = { tokens: rate.burst, at: now }
        buckets.set(key, bucket)
      }
      refill(bucket, rate, now)
      if (bucket.tokens < 1) return false
      bucket.tokens--
      return true
    },
    size: () => buckets.size,
  }
}

/** Remembers keys for a while; at most `maxKeys`, forgetting the oldest. */
export function createRecentSet(ttlMs: number, maxKeys: number, clock: Clock) {
  const seen = new Map<string, number>()
  return {
    add(key: string): void {
      seen.delete(key)
      if (seen.size >= maxKeys) seen.delete(seen.keys().next().value ?? '')
      seen.set(key, clock.now())
    },
    has(key: string): boolean {
      const at = seen.get(key)
      return at !== undefined && Math.abs(clock.now() - at) < ttlMs
    },
    size: () => seen.size,
  }
}

export type RecentSet = ReturnType<typeof createRecentSet>

/** NAT tables of household routers hold each endpoint for minutes: at most so many new ones a minute. */
const ENDPOINTS_PER_MINUTE = 300
const MAX_WAITING = 4096
const TICK_MS = 40

/** The queue that upkeep, announces and other patient traffic pass through. */
export function createBackgroundBudget(rate: Rate, clock: Clock) {
  const bucket: Bucket = { tokens: rate.burst, at: clock.now() }
  const minute = { startedAt: clock.now(), endpoints: new Set<string>() }
  const waiting: { endpoint: string; go: (allowed: boolean) => void }[] = []
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  function take(endpoint: string): boolean {
    const now = clock.now()
    refill(bucket, rate, now)
    if (Math.abs(now - minute.startedAt) >= 60_000) {
      minute.startedAt = now
      minute.endpoints.clear()
    }
    const known = minute.endpoints.has(endpoint)
    if (bucket.tokens < 1 || (!known && minute.endpoints.size >= ENDPOINTS_PER_MINUTE)) return false
    bucket.tokens--
    minute.endpoints.add(endpoint)
    return true
  }

  function pump(): void {
    timer = undefined
    while (waiting[0] && take(waiting[0].endpoint)) waiting.shift()?.go(true)
    if (waiting.length > 0) timer = setTimeout(pump, TICK_MS)
  }

  return {
    /** Resolves to true when the packet may leave; to false when there is no hope of it. */
    async turn(endpoint: string): Promise<boolean> {
      if (stopped || waiting.length >= MAX_WAITING) return false
      if (waiting.length === 0 && take(endpoint)) return true
      return new Promise((go) => {
        waiting.push({ endpoint, go })
        timer ??= setTimeout(pump, TICK_MS)
      })
    },
    waiting: () => waiting.length,
    stop(): void {
      stopped = true
      clearTimeout(timer)
      for (const entry of waiting.splice(0)) entry.go(false)
    },
  }
}

export type BackgroundBudget = ReturnType<typeof createBackgroundBudget>
