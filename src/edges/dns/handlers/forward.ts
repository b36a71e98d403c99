/** Everything else: from memory, or from other people's servers. */
import { FLAG, RCODE } from '../../../base/dns/codes.ts'
import type { Query } from '../../../base/dns/decode-query.ts'
import type { DnsUpstream } from '../../../base/ports/dns-upstream.ts'
import { codeOf } from '../../../base/errors.ts'
import { createCache, detached, type Entry } from '../cache.ts'
import type { DnsConfig } from '../config.ts'
import { createEntries, type EntriesDeps, isFailure } from '../entries.ts'
import type { Handler, Kept, Reply } from '../reply.ts'
import { refused } from '../zone.ts'

/**
 * RFC 8767 §5: whoever waited this long gets the old answer, with this TTL in seconds. The RFC has 1.8
 * s; sooner here, since an answer over UDP is not sent at all a moment later.
 */
const STALE_AFTER_MS = 1500
const STALE_TTL = 30
const STALE_RETRY_MS = 30_000
/** The share of its time that an answer has left when it is asked for again in advance. */
const PREFETCH_SHARE = 0.1
const MIN_PREFETCH_MS = 10_000

export interface ForwardDeps extends EntriesDeps {
  upstream: Pick<DnsUpstream, 'ask'>
}

export interface Forward extends Handler {
  /**
   * The answer that is in memory and fresh, to be sent at once: it is a view of the cache. Only names
   * that every other handler let pass get there, so it may be asked first.
   */
  remembered(query: Query, time?: number): Kept | undefined
  stats(): Record<string, number>
  stop(): void
}

/** What a question came to. */
interface Outcome {
  entry: Entry
  isStale: boolean
}

/** Type, and whether proofs are wanted and checks are not: what makes two questions for a name two. */
const kindOf = ({ type, flags, edns }: Query): number =>
  (type << 2) | (edns?.dnssecOk === true ? 1 : 0) | ((flags & FLAG.CD) === 0 ? 0 : 2)

export function createForward(
  deps: ForwardDeps,
  config: Pick<DnsConfig, 'cache_size' | 'max_ttl' | 'stale_for'>,
): Forward {
  const { upstream, now } = deps
  const cache = createCache(config.cache_size)
  const entries = createEntries(deps, config)
  const pending = new Map<string, Promise<Outcome>>()
  const stopping = new AbortController()
  const stats = { asked: 0, shared: 0, prefetched: 0, stale: 0 }

  function known(query: Query): Entry | undefined {
    const entry = cache.peek(kindOf(query), query)
    return entry && detached(entry)
  }

  async function ask(query: Query): Promise<Outcome> {
    const kind = kindOf(query)
    let entry: Entry
    let mayKeep = true
    try {
      const answer = await upstream.ask(
        {
          name: query.folded,
          type: query.type,
          class: query.class,
          dnssecOk: query.edns?.dnssecOk === true,
          checkingDisabled: (query.flags & FLAG.CD) !== 0,
        },
        stopping.signal,
      )
      entry = entries.answered(query, answer)
    } catch (failure) {
      entry = entries.failed(query, failure)
      // Over in a moment, and no word about this name.
      mayKeep = codeOf(failure) !== 'BTL_ERR_UPSTREAM_DNS_FULL'
    }
    const old = known(query)
    if (isFailure(entry) && old !== undefined && !isFailure(old) && now() < old.staleUntil) {
      cache.rest(kind, query, now() + STALE_RETRY_MS)
      return { entry: old, isStale: now() >= old.freshUntil }
    }
    if (mayKeep) cache.set(kind, query, entry)
    return { entry, isStale: false }
  }

  /** One question at a time for each kind and name, however many ask (and a forger gets one try). */
  async function askOnce(query: Query): Promise<Outcome> {
    const key = `${kindOf(query)} ${query.folded}`
    const running = pending.get(key)
    if (running) {
      stats.shared++
      return running
    }
    stats.asked++
    const fresh = ask(query).finally(() => pending.delete(key))
    pending.set(key, fresh)
    return fresh
  }

  function kept({ entry, isStale }: Outcome, time = now()): Kept {
    if (isStale) stats.stale++
    return {
      kind: 'kept',
      entry,
      ageSeconds: Math.floor((time - entry.storedAt) / 1000),
      staleTtl: isStale ? STALE_TTL : undefined,
    }
  }

  async function staleOr(query: Query, entry: Entry): Promise<Reply> {
    const old = { entry, isStale: true }
    if (now() < entry.retryAt) return kept(old)
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<Outcome>((resolve) => {
      timer = setTimeout(resolve, STALE_AFTER_MS, old)
    })
    try {
      return kept(await Promise.race([askOnce(query), patience]))
    } finally {
      clearTimeout(timer)
    }
  }

  const isDue = (entry: Entry, time: number): boolean => {
    const life = entry.freshUntil - entry.storedAt
    return life > MIN_PREFETCH_MS && entry.freshUntil - time < life * PREFETCH_SHARE
  }

  return {
    name: 'forward',
    remembered(query, time = now()) {
      // Cache snooping: who wants no recursion wants to know what the house looked at.
      if ((query.flags & FLAG.RD) === 0) return undefined
      const entry = cache.peek(kindOf(query), query)
      if (entry === undefined || time >= entry.freshUntil) return undefined
      if (isDue(entry, time)) {
        stats.prefetched++
        void askOnce(query)
      }
      return kept({ entry, isStale: false }, time)
    },
    answer({ query }) {
      if ((query.flags & FLAG.RD) === 0) return refused(RCODE.REFUSED)
      const entry = known(query)
      const time = now()
      // It may have come while other handlers thought about it.
      if (entry !== undefined && time < entry.freshUntil) {
        return kept({ entry, isStale: false }, time)
      }
      if (entry !== undefined && time < entry.staleUntil) return staleOr(query, entry)
      return askOnce(query).then((outcome) => kept(outcome))
    },
    stats: () => ({ ...stats, ...entries.stats, ...cache.stats(), pending: pending.size }),
    stop: () => stopping.abort(new Error('the resolver stops')),
  }
}
