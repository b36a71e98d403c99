/** Ordinary domains to their sites: the household's own records, memory, then one question for each domain. */
import { codeOf, messageOf } from '../../base/errors.ts'
import { reachOf } from '../../base/ip-reach.ts'
import { type LinkTarget, readLinkRecords } from '../../base/names/index.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Health } from '../../base/ports/component.ts'
import type { DnsUpstream } from '../../base/ports/dns-upstream.ts'
import type { Link, LinkRecords } from '../../base/ports/link-records.ts'
import type { Log } from '../../base/ports/log.ts'
import type { SwarmHints } from '../../base/ports/torrent-engine.ts'
import { createSingleFlight } from '../../base/single-flight.ts'
import { askRecords, type Records } from './ask-records.ts'
import { createDomains, recordName } from './domains.ts'
import { LinksUnreachable } from './errors.ts'
import { createMemory, type Entry } from './memory.ts'
import { readWritten } from './written.ts'

export interface LinksDeps {
  upstream: Pick<DnsUpstream, 'ask'>
  /** One that nobody sets. */
  clock: Clock
  log: Log
}

export interface LinksOptions {
  /** The top-level domain of content names. */
  tld: string
  /** `dns.link_records`: the household's own word, which nobody is asked about. */
  link_records: readonly string[]
  /** `dns.local_domains`: never asked of the internet. */
  local_domains: readonly string[]
  /** `swarm.allow_local`: believe addresses of the own network in records of strangers. */
  allow_local: boolean
}

/** A record is not asked for more often, nor believed longer. */
const MIN_KEPT_MS = 30_000
const MAX_KEPT_MS = 3_600_000
const FAILURE_MS = 60_000
/** While no server can be asked, what one said within this time stands (RFC 8767). */
const STALE_MS = 86_400_000
/** A browser waits for its page meanwhile. */
const PATIENCE_MS = 4000
const FAILURES_TO_TELL = 5
/** Over in a moment: too many questions at once, or a resolver role that starts again. */
const PASSING: readonly (string | undefined)[] = [
  'BTL_ERR_UPSTREAM_DNS_FULL',
  'BTL_ERR_RPC_UNAVAILABLE',
]

/** Rejects when the signal aborts: the resolver of another role goes on regardless. */
const until = async (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })

export function createLinks(
  { upstream, clock, log }: LinksDeps,
  { tld, link_records, local_domains, allow_local }: LinksOptions,
): LinkRecords {
  const domains = createDomains(tld, local_domains)
  const written = readWritten(link_records, domains, tld)
  const memory = createMemory()
  const flights = createSingleFlight<Entry>()
  const counts = { asked: 0, found: 0, none: 0, unsound: 0, failed: 0, stale: 0 }
  let failuresInARow = 0

  /** A stranger must not make this box call on its neighbours. */
  function strangersHints(hints: SwarmHints): SwarmHints {
    const peers = hints.peers?.filter(({ host }) => {
      const reach = reachOf(host)
      return reach === 'public' || (allow_local && reach !== 'reserved')
    })
    return peers === undefined ? hints : { ...hints, peers }
  }

  function targetOf(domain: string, { texts, count }: Records): LinkTarget | undefined {
    const target = readLinkRecords(
      texts.map((text) => [text]),
      tld,
    )
    if (target) return { ...target, hints: strangersHints(target.hints) }
    if (count > 0) {
      counts.unsound++
      log.info({ domain, records: count }, 'no link record of this domain names a site')
    }
    return undefined
  }

  function answered(domain: string, records: Records): Entry {
    const target = targetOf(domain, records)
    if (target) counts.found++
    else counts.none++
    failuresInARow = 0
    const keptMs = Math.min(MAX_KEPT_MS, Math.max(MIN_KEPT_MS, records.ttlSeconds * 1000))
    const readAt = clock.now()
    return { target, readAt, until: readAt + keptMs }
  }

  /** @throws LinksUnreachable where nothing older is known */
  function failed(domain: string, cause: unknown): Entry {
    counts.failed++
    failuresInARow++
    const at = clock.now()
    const old = memory.get(domain)
    if (old?.target && at < old.readAt + STALE_MS) {
      counts.stale++
      return { ...old, until: at + FAILURE_MS }
    }
    const failure = new LinksUnreachable(domain, messageOf(cause), { cause })
    log.debug({ domain, reason: messageOf(cause) }, 'a link record could not be asked for')
    return { target: undefined, readAt: at, until: at + FAILURE_MS, failure }
  }

  async function look(domain: string, signal: AbortSignal): Promise<Entry> {
    const name = recordName(domain)
    if (name === undefined) return { target: undefined, readAt: 0, until: 0 }
    counts.asked++
    const patience = AbortSignal.timeout(PATIENCE_MS)
    const either = AbortSignal.any([signal, patience])
    try {
      const asking = askRecords(upstream, name, (target) => domains.isPublic(target), either)
      const records = await Promise.race([asking, until(either)])
      const entry = answered(domain, records)
      memory.set(domain, entry)
      return entry
    } catch (error) {
      // Nobody waits any more: that says nothing about the domain.
      signal.throwIfAborted()
      const entry = failed(domain, patience.aborted ? new Error('nobody answered in time') : error)
      if (!PASSING.includes(codeOf(error))) memory.set(domain, entry)
      return entry
    }
  }

  function linkOf({ target, until, failure }: Entry): Link | undefined {
    if (failure) throw failure
    if (!target) return undefined
    return { ...target, secondsLeft: Math.max(0, Math.round((until - clock.now()) / 1000)) }
  }

  function ours(domain: string): Link | undefined {
    const target = written.get(domain)
    return target && { ...target, secondsLeft: MAX_KEPT_MS / 1000 }
  }

  return {
    name: 'links',
    start: () => Promise.resolve(),
    stop() {
      flights.stop()
      memory.clear()
      return Promise.resolve()
    },
    health: (): Health =>
      failuresInARow < FAILURES_TO_TELL
        ? { status: 'ok', score: 100 }
        : { status: 'degraded', score: 60, detail: 'no DNS server answers for link records' },
    async find(host, signal) {
      const domain = domains.canonical(host)
      if (domain === undefined) return undefined
      const own = ours(domain)
      if (own || !domains.isPublic(domain)) return own
      const entry = memory.get(domain)
      if (entry && clock.now() < entry.until) return linkOf(entry)
      return linkOf(await flights.run(domain, (given) => look(domain, given), signal))
    },
    known(host) {
      const domain = domains.canonical(host)
      if (domain === undefined) return undefined
      const own = ours(domain)
      if (own || !domains.isPublic(domain)) return own
      const entry = memory.get(domain)
      return entry?.target ? linkOf(entry) : undefined
    },
    stats: () => ({ ...counts, domains: memory.size, bytes: memory.bytes, written: written.size }),
  }
}
