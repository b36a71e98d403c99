/** How often one payer (see askers.ts) may ask; knows a bounded number of them, forgetting those that are silent longest. */

interface Bucket {
  tokens: number
  at: number
}

/** Of each generation. */
const MAX_PAYERS = 8192

/**
 * @param perSecond 0 for any number
 * @param nowMs milliseconds that never go back
 */
export function createRateLimit(perSecond: number, burst: number, nowMs: () => number) {
  let recent = new Map<number, Bucket>()
  // Two generations, as taking the oldest out of one map is slow: it walks over all that were there.
  let before = new Map<number, Bucket>()

  function bucketOf(payer: number, now: number): Bucket {
    const known = recent.get(payer)
    if (known) return known
    const bucket = before.get(payer) ?? { tokens: burst, at: now }
    if (recent.size >= MAX_PAYERS) {
      before = recent
      recent = new Map()
    }
    recent.set(payer, bucket)
    return bucket
  }

  return {
    takes(payer: number): boolean {
      if (perSecond === 0) return true
      const now = nowMs()
      const bucket = bucketOf(payer, now)
      bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) * perSecond) / 1000)
      bucket.at = now
      if (bucket.tokens < 1) return false
      bucket.tokens--
      return true
    },
    payers: () => recent.size + before.size,
  }
}

export type RateLimit = ReturnType<typeof createRateLimit>
