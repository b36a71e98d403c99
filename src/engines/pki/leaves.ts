/** Leaves in memory: at most so many, made at most so fast, made anew well before they end. */
import type { Leaf } from '../../base/ports/cert-issuer.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Authority } from './authority.ts'
import type { PkiConfig } from './config.ts'
import { ForeignName, TooFast } from './errors.ts'
import { createLeafMaker, type DatedLeaf, type LeafKey, type LeafMaker } from './leaf-maker.ts'
import { isWithin, type ServedHost } from './served-hosts.ts'
import { soundTime } from '../../base/sound-time.ts'

export interface Leaves {
  /** The leaf of a host in canonical spelling, where there is one in force. */
  cached(host: string): Leaf | undefined
  /** @throws TooFast, ForeignName */
  make(served: ServedHost, authority: Authority): Leaf
  /** For clients that name no host; not counted against the rate. */
  fallback(names: readonly string[], authority: Authority): Leaf
  /** Takes one from the budget. @throws TooFast */
  spend(): void
  clear(): void
  stats(): { made: number; cached: number; reused: number; overRate: number }
}

/** @throws ForeignName where the root was made before a name was configured */
export function checkPermitted(served: Omit<ServedHost, 'realm'>, authority: Authority): void {
  if (authority.permitted.some((subtree) => isWithin(served.host, subtree))) return
  const fault = 'the root certificate was made without it, "btlinkd ca rotate" makes another'
  throw new ForeignName(served.host, fault)
}

export function createLeaves(
  config: Pick<PkiConfig, 'leaf_lifetime' | 'max_leaves' | 'leaves_per_second' | 'leaf_burst'>,
  key: LeafKey,
  clock: Clock,
): Leaves {
  /** Least recently used first. */
  const leaves = new Map<string, DatedLeaf>()
  let standard: DatedLeaf | undefined
  let makers = new WeakMap<Authority, LeafMaker>()
  const bucket = { tokens: config.leaf_burst, at: clock.now() }
  const counts = { made: 0, reused: 0, overRate: 0 }

  function makerOf(authority: Authority): LeafMaker {
    const known = makers.get(authority)
    if (known) return known
    const maker = createLeafMaker(authority, key, config.leaf_lifetime)
    makers.set(authority, maker)
    return maker
  }

  function spend(): void {
    const now = clock.now()
    // A clock set back gives nothing and takes nothing.
    const grown = (Math.max(0, now - bucket.at) * config.leaves_per_second) / 1000
    bucket.tokens = Math.min(config.leaf_burst, bucket.tokens + grown)
    bucket.at = now
    if (bucket.tokens < 1) {
      counts.overRate++
      throw new TooFast(config.leaves_per_second)
    }
    bucket.tokens--
  }

  function isGood(leaf: DatedLeaf): boolean {
    const { now } = soundTime(clock)
    // A leaf made before the clock was set right may begin in what is now the future.
    return now >= leaf.notBefore && now < leaf.renewAt
  }

  function cached(host: string): Leaf | undefined {
    const leaf = leaves.get(host)
    if (!leaf) return undefined
    leaves.delete(host)
    if (!isGood(leaf)) return undefined
    leaves.set(host, leaf)
    counts.reused++
    return leaf
  }

  return {
    cached,
    make(served, authority) {
      const { host, names } = served
      // Whoever waited for the authority with us may have been first.
      const known = cached(host)
      if (known) return known
      checkPermitted(served, authority)
      spend()
      const leaf = makerOf(authority)(names, soundTime(clock))
      counts.made++
      if (leaves.size >= config.max_leaves) leaves.delete(leaves.keys().next().value ?? '')
      leaves.set(host, leaf)
      return leaf
    },
    fallback(names, authority) {
      if (standard && isGood(standard)) return standard
      standard = makerOf(authority)(names, soundTime(clock))
      counts.made++
      return standard
    },
    spend,
    clear() {
      leaves.clear()
      standard = undefined
      makers = new WeakMap()
    },
    stats: () => ({ ...counts, cached: leaves.size }),
  }
}
