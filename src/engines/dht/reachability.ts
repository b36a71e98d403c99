/**
 * Whether strangers can reach us, and so whether to be kept as a node by others (BEP 43). Nobody tells
 * us, so we look: a query from an address we never wrote to proves an open way in.
 */
import type { Clock } from '../../base/ports/clock.ts'

/** How long we let ourselves be known before silence counts as proof. */
const PROBE_MS = 15 * 60_000
/** After that long as read-only we try again: people do open ports. */
const RETRY_MS = 6 * 3_600_000
const STALE_MS = 60 * 60_000
/** Below this the silence says nothing: hardly anybody knows us. */
const MIN_NODES = 16

export function createReachability(
  mode: 'auto' | 'on' | 'off',
  clock: Clock,
  wasReadOnly: boolean,
) {
  let readOnly = mode === 'on' || (mode === 'auto' && wasReadOnly)
  let since = clock.now()
  let reachedAt: number | undefined

  return {
    readOnly: () => readOnly,
    /** A query came from an address that we had not written to. */
    reached(): void {
      reachedAt = clock.now()
      if (mode === 'auto' && readOnly) {
        readOnly = false
        since = reachedAt
      }
    },
    /** Looks at the clock; called by the upkeep. */
    review(nodes: number): void {
      if (mode !== 'auto') return
      const now = clock.now()
      const limit = readOnly ? RETRY_MS : reachedAt === undefined ? PROBE_MS : STALE_MS
      const from = readOnly ? since : Math.max(since, reachedAt ?? 0)
      if (now - from < limit || (!readOnly && nodes < MIN_NODES)) return
      readOnly = !readOnly
      since = now
      if (!readOnly) reachedAt = undefined
    },
  }
}

export type Reachability = ReturnType<typeof createReachability>
