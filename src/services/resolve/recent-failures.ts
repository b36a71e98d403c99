/** Remembers for a short while what just failed, so that a page with fifty pictures asks once. */
import type { Clock } from '../../base/ports/clock.ts'

export interface RecentFailures {
  remember(key: string, error: unknown, forMs: number): void
  /** The failure, while it is recent. */
  recall(key: string): Error | undefined
  forget(key: string): void
}

export function createRecentFailures(clock: Clock, capacity: number): RecentFailures {
  const failures = new Map<string, { error: Error; until: number; since: number }>()
  return {
    remember(key, error, forMs) {
      if (!(error instanceof Error) || forMs <= 0) return
      failures.delete(key)
      const oldest = failures.size >= capacity ? failures.keys().next().value : undefined
      if (oldest !== undefined) failures.delete(oldest)
      const since = clock.now()
      failures.set(key, { error, since, until: since + forMs })
    },
    recall(key) {
      const failure = failures.get(key)
      if (!failure) return undefined
      const now = clock.now()
      // A clock set back must not keep a failure alive.
      if (now < failure.until && now >= failure.since) return failure.error
      failures.delete(key)
      return undefined
    },
    forget: (key) => void failures.delete(key),
  }
}
