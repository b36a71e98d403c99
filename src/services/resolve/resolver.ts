/**
 * Names to infohashes. A known name is answered from state.db and revalidated against the DHT with
 * little patience; an unknown one waits for the lookup; when nobody answers, the last known record
 * stands (marked stale), so that the house keeps reading while the internet is down.
 */
import { infoHashOfValue, immutableTarget, isSignedByOwner, nameKey } from '../../base/bep44.ts'
import type { PublicKey, Target } from '../../base/hashes.ts'
import { toHex } from '../../base/bytes.ts'
import { messageOf } from '../../base/errors.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Component, Stats } from '../../base/ports/component.ts'
import type { LinkResolver, Resolution } from '../../base/ports/content.ts'
import type { DhtNode, GetOutcome, SignedItem } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'
import type { SiteStore, SiteVersion } from '../../base/ports/store.ts'
import type { ResolveConfig } from './config.ts'
import { BadRecord, NotFound, NotLocal, Timeout, Unreachable } from './errors.ts'
import { createRecentFailures } from './recent-failures.ts'
import { createSingleFlight } from '../../base/single-flight.ts'

export interface ResolverDeps {
  dht: Pick<DhtNode, 'getMutable' | 'getImmutable'>
  sites: SiteStore
  clock: Clock
  log: Log
}

export type Resolver = LinkResolver & Component & { stats(): Stats }

// An offline house must not wait the whole patience for every picture of a page.
const UNREACHABLE_PAUSE_MS = 5000
// One write an hour a site is enough to know what was visited lately, and spares the SD card.
const VISIT_WRITE_INTERVAL_MS = 3_600_000

const describe = (key: PublicKey, salt: Uint8Array): string =>
  salt.length === 0 ? key : `${key} with salt ${toHex(salt)}`

export function createResolver(deps: ResolverDeps, config: ResolveConfig): Resolver {
  const { dht, sites, clock, log } = deps
  const records = createSingleFlight<SiteVersion>()
  const items = createSingleFlight<Uint8Array>()
  const failures = createRecentFailures(clock, config.max_cached_names)
  const immutables = new Map<Target, Uint8Array>()
  const stats = { lookups: 0, lookups_failed: 0, served_stale: 0, rejected_values: 0 }

  async function lookUp<Item>(
    what: string,
    get: (signal: AbortSignal) => Promise<GetOutcome<Item>>,
    signal: AbortSignal,
  ): Promise<GetOutcome<Item>> {
    const deadline = AbortSignal.timeout(config.lookup_timeout)
    stats.lookups++
    try {
      const outcome = await get(AbortSignal.any([signal, deadline]))
      stats.rejected_values += outcome.rejected
      return outcome
    } catch (error) {
      stats.lookups_failed++
      if (deadline.aborted) throw new Timeout(what, config.lookup_timeout / 1000)
      throw error
    }
  }

  /** The newest record that box and network know, kept in state.db. */
  async function refresh(
    key: PublicKey,
    salt: Uint8Array,
    signal: AbortSignal,
  ): Promise<SiteVersion> {
    const what = describe(key, salt)
    const outcome = await lookUp(what, (given) => dht.getMutable(key, salt, given), signal)
    const known = sites.latest(key, salt)
    if (outcome.answered === 0) throw new Unreachable(what)
    const item = outcome.item
    if (item && (!known || item.seq > known.seq)) return keep(item, what)
    if (!known) throw new NotFound(what, outcome.answered)
    const confirmedAt = clock.now()
    sites.confirmed(key, salt, known.seq, confirmedAt)
    return { ...known, confirmedAt }
  }

  function keep(item: SignedItem, what: string): SiteVersion {
    // The swarm role speaks with strangers; what it says is checked again on this side.
    if (!isSignedByOwner(item)) throw new BadRecord(what)
    const infoHash = infoHashOfValue(item.value)
    if (!infoHash) throw new BadRecord(what)
    const now = clock.now()
    const version = { ...item, infoHash, firstSeenAt: now, confirmedAt: now }
    sites.remember(version)
    return version
  }

  function answer(version: SiteVersion, freshness: Resolution['freshness']): Resolution {
    if (freshness === 'stale') stats.served_stale++
    const ageSeconds = Math.max(0, Math.floor((clock.now() - version.confirmedAt) / 1000))
    return { infoHash: version.infoHash, seq: version.seq, freshness, ageSeconds, version }
  }

  function noteVisit(key: PublicKey, salt: Uint8Array): void {
    const last = sites.site(key, salt)?.lastVisitedAt ?? 0
    const now = clock.now()
    if (Math.abs(now - last) < VISIT_WRITE_INTERVAL_MS) return
    try {
      sites.visited(key, salt, now)
    } catch (error) {
      // A full disk must not keep back a page that is on it.
      log.debug({ error: messageOf(error) }, 'a visit was not noted')
    }
  }

  /** The failure, which the next who ask within its time are told; not that of one who left. */
  function noted(id: string, error: unknown, signal?: AbortSignal): unknown {
    if (!signal?.aborted) {
      const isMissing = error instanceof NotFound
      failures.remember(id, error, isMissing ? config.missing_cache : UNREACHABLE_PAUSE_MS)
    }
    return error
  }

  async function refreshShared(
    key: PublicKey,
    salt: Uint8Array,
    signal?: AbortSignal,
  ): Promise<SiteVersion> {
    const id = nameKey(key, salt)
    try {
      const version = await records.run(id, (given) => refresh(key, salt, given), signal)
      failures.forget(id)
      return version
    } catch (error) {
      throw noted(id, error, signal)
    }
  }

  /** A newer version if it comes in time, else the known one; the lookup goes on either way. */
  async function revalidate(known: SiteVersion, signal?: AbortSignal): Promise<Resolution> {
    const refreshing = refreshShared(known.publicKey, known.salt)
    refreshing.catch((error: unknown) =>
      log.debug({ error: messageOf(error) }, 'revalidation failed'),
    )
    const patience = AbortSignal.timeout(config.revalidate_patience)
    const waited = signal ? AbortSignal.any([signal, patience]) : patience
    try {
      const gaveUp = new Promise<undefined>((resolve) => {
        waited.addEventListener('abort', () => resolve(undefined), { once: true })
      })
      const version = await Promise.race([refreshing, gaveUp])
      signal?.throwIfAborted()
      return version ? answer(version, 'fresh') : answer(known, 'stale')
    } catch (error) {
      if (signal?.aborted) throw error
      return answer(sites.latest(known.publicKey, known.salt) ?? known, 'stale')
    }
  }

  async function fetchImmutable(id: Target, signal: AbortSignal): Promise<Uint8Array> {
    const outcome = await lookUp(id, (given) => dht.getImmutable(id, given), signal)
    if (outcome.item && immutableTarget(outcome.item) === id) {
      const oldest =
        immutables.size >= config.max_cached_names ? immutables.keys().next().value : undefined
      if (oldest) immutables.delete(oldest)
      immutables.set(id, outcome.item)
      return outcome.item
    }
    if (outcome.answered === 0) throw new Unreachable(id)
    throw new NotFound(id, outcome.answered)
  }

  return {
    name: 'resolve',
    async resolve(key, salt, options = {}, signal) {
      const known = sites.latest(key, salt)
      const age = known ? clock.now() - known.confirmedAt : Number.POSITIVE_INFINITY
      if (known) noteVisit(key, salt)
      // A clock that jumped back makes a negative age: such a record is asked again, not trusted forever.
      const isFresh = age >= 0 && age < config.record_cache
      if (known && isFresh && !options.fresh) return answer(known, 'fresh')
      if (options.localOnly) {
        if (!known) throw new NotLocal(describe(key, salt))
        return answer(known, 'stale')
      }
      const failure = options.fresh ? undefined : failures.recall(nameKey(key, salt))
      if (known && !options.fresh)
        return failure ? answer(known, 'stale') : revalidate(known, signal)
      if (failure) throw failure
      try {
        const version = await refreshShared(key, salt, signal)
        noteVisit(key, salt)
        return answer(version, 'fresh')
      } catch (error) {
        if (known && !signal?.aborted) return answer(known, 'stale')
        throw error
      }
    },
    async immutable(id, options = {}, signal) {
      const cached = immutables.get(id)
      if (cached) return cached
      if (options.localOnly) throw new NotLocal(id)
      const failure = failures.recall(id)
      if (failure) throw failure
      try {
        return await items.run(id, (given) => fetchImmutable(id, given), signal)
      } catch (error) {
        throw noted(id, error, signal)
      }
    },
    versions: (key, salt) => sites.versions(key, salt),
    async start() {},
    async stop() {
      records.stop()
      items.stop()
    },
    health() {
      return { status: 'ok', score: 100 }
    },
    stats: () => ({ ...stats }),
  }
}
