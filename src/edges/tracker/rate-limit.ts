/** How often one payer (see askers.ts) may ask; knows a bounded number of them, forgetting the oldest. */

interface Bucket {
  tokens: number
  at: number
}

const MAX_PAYERS = 16_384

/**
 * @param perSecond 0 for any number
 * @param nowMs milliseconds that never go back
 */
export function createRateLimit(perSecond: number, burst: number, nowMs: () => number) {
  const buckets = new Map<number, Bucket>()
  return {
    /** @param cost tokens; what is dearer than the burst is taken from a full bucket */
    takes(payer: number, cost = 1): boolean {
      if (perSecond === 0) return true
      const now = nowMs()
      let bucket = buckets.get(payer)
      if (bucket === undefined) {
        if (buckets.size >= MAX_PAYERS) buckets.delete(buckets.keys().next().value ?? 0)
        bucket = { tokens: burst, at: now }
        buckets.set(payer, bucket)
      }
      bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) * perSecond) / 1000)
      bucket.at = now
      if (bucket.tokens < Math.min(cost, burst)) return false
      bucket.tokens -= cost
      return true
    },
    payers: () => buckets.size,
  }
}

export type RateLimit = ReturnType<typeof createRateLimit>
