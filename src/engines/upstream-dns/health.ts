/**
 * Whether a server is worth asking. After a few failures in a row it is left alone for a while, longer
 * each time; then one question of ours, not of the house, finds out whether it is back.
 */

/** One lost packet is no outage. */
const FAILURES_TO_REST = 3
const MAX_REST_MS = 60_000

export type Now = () => number

export function createHealth(retryAfterMs: number, now: Now) {
  let inARow = 0
  let restMs = retryAfterMs
  let downUntil: number | undefined
  let isProbing = false
  let roundTripMs: number | undefined
  const counts = { answered: 0, failed: 0 }

  return {
    counts,
    roundTripMs: () => roundTripMs,
    isUp: () => downUntil === undefined,
    succeeded(tookMs: number): void {
      counts.answered++
      inARow = 0
      restMs = retryAfterMs
      downUntil = undefined
      // The weight of RFC 6298 for round trips of TCP.
      roundTripMs = roundTripMs === undefined ? tookMs : roundTripMs + (tookMs - roundTripMs) / 8
    },
    failed(): void {
      counts.failed++
      inARow++
      if (inARow < FAILURES_TO_REST) return
      downUntil = now() + restMs
      restMs = Math.min(MAX_REST_MS, restMs * 2)
    },
    /** True once for each rest that is over: whoever hears it must probe and then call `probed`. */
    takesProbe(): boolean {
      if (downUntil === undefined || isProbing || now() < downUntil) return false
      isProbing = true
      return true
    },
    probed(): void {
      isProbing = false
    },
  }
}

export type ServerHealth = ReturnType<typeof createHealth>
