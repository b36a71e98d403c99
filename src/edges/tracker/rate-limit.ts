/** How often one payer (see askers.ts) may ask; knows a bounded number of them, forgetting those that are silent longest. */

export interface Rate {
  /** 0 for any number. */
  perSecond: number
  burst: number
}

export interface Bucket {
  tokens: number
  at: number
}

/** What is in it now. */
const filled = (bucket: Bucket, { perSecond, burst }: Rate, now: number): number =>
  // A clock set back gives nothing and takes nothing.
  Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) * perSecond) / 1000)

export const isFull = (bucket: Bucket, rate: Rate, now: number): boolean =>
  rate.perSecond === 0 || filled(bucket, rate, now) >= rate.burst

/** Takes one out, where there is one. */
export function take(bucket: Bucket, rate: Rate, now: number): boolean {
  if (rate.perSecond === 0) return true
  bucket.tokens = filled(bucket, rate, now)
  bucket.at = now
  if (bucket.tokens < 1) return false
  bucket.tokens--
  return true
}

/** Of each generation. */
const MAX_PAYERS = 8192

/**
 * @param perSecond 0 for any number
 * @param nowMs milliseconds that never go back
 */
export function createRateLimit(perSecond: number, burst: number, nowMs: () => number) {
  const rate = { perSecond, burst }
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
      if (rate.perSecond === 0) return true
      const now = nowMs()
      return take(bucketOf(payer, now), rate, now)
    },
    payers: () => recent.size + before.size,
  }
}

export type RateLimit = ReturnType<typeof createRateLimit>
