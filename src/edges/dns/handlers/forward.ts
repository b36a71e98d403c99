/** Everything else: from memory, or from other people's servers. */
import { EXTENDED_ERROR, FLAG, RCODE, TYPE } from '../../../base/dns/codes.ts'
import type { Query } from '../../../base/dns/decode-query.ts'
import type { ExtendedError } from '../../../base/dns/edns.ts'
import { extendedErrors } from '../../../base/dns/edns.ts'
import { encodeMessage } from '../../../base/dns/encode-message.ts'
import type { Message, ResourceRecord } from '../../../base/dns/message.ts'
import type { DnsName } from '../../../base/dns/name.ts'
import { soaMinimum } from '../../../base/dns/record-data.ts'
import { codeOf } from '../../../base/errors.ts'
import type { DnsAnswer, DnsUpstream } from '../../../base/ports/dns-upstream.ts'
import { filterAnswers } from '../answer-filter.ts'
import { createCache, type Entry } from '../cache.ts'
import type { DnsConfig } from '../config.ts'
import type { Handler, Kept, Reply } from '../reply.ts'
import { refused } from '../zone.ts'

/** RFC 2308 §5: how long a "no" may be believed. */
const MAX_NEGATIVE_MS = 3_600_000
/** RFC 9520 §3.2: a failure is remembered, or a dead server is asked by every device at once. */
const FAILURE_MS = 5000
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

const STALE: ExtendedError = { code: EXTENDED_ERROR.STALE_ANSWER, text: '' }

export interface ForwardDeps {
  upstream: Pick<DnsUpstream, 'ask'>
  /** Monotonic ms. */
  now: () => number
  /** Domains whose answers may have private addresses, folded; undefined lets all pass. */
  privateZones: readonly DnsName[] | undefined
}

export interface Forward extends Handler {
  stats(): Record<string, number>
  stop(): void
}

const WANTS_DNSSEC = 1
const NO_CHECKING = 2

/** What a question came to. */
interface Outcome {
  entry: Entry
  isStale: boolean
}

/** Names never have a character above 255; type and wishes make one key with them. */
function keyOf({ folded, type, flags, edns }: Query): string {
  const wishes =
    (edns?.dnssecOk === true ? WANTS_DNSSEC : 0) | ((flags & FLAG.CD) === 0 ? 0 : NO_CHECKING)
  return folded + String.fromCharCode(type, wishes)
}

export function createForward(
  { upstream, now, privateZones }: ForwardDeps,
  config: Pick<DnsConfig, 'cache_size' | 'max_ttl' | 'stale_for'>,
): Forward {
  const cache = createCache(config.cache_size)
  const pending = new Map<string, Promise<Outcome>>()
  const stopping = new AbortController()
  const stats = { asked: 0, shared: 0, prefetched: 0, stale: 0, blocked: 0 }

  /** How long an answer counts, in ms. Without an SOA a "no" counts for nothing. */
  function lifeOf({ rcode, answers, authority }: Message): number {
    if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return FAILURE_MS
    const ttls = [...answers, ...authority].map((record) => record.ttl * 1000)
    const soa = authority.find((record) => record.type === TYPE.SOA)
    const shortest = ttls.length === 0 ? 0 : Math.min(...ttls)
    if (!answers.some((record) => record.type !== TYPE.CNAME) || rcode === RCODE.NXDOMAIN) {
      const minimum = soa === undefined ? 0 : soaMinimum(soa.data) * 1000
      return Math.min(shortest, minimum, MAX_NEGATIVE_MS)
    }
    return Math.min(shortest, config.max_ttl)
  }

  function entryOf(
    query: Query,
    message: Message,
    more: Pick<Entry, 'isAuthentic' | 'error'>,
  ): Entry {
    const { rcode, answers, authority } = message
    const { bytes, ttlOffsets } = encodeMessage({
      id: 0,
      flags: FLAG.QR | FLAG.RA,
      rcode: rcode > 15 ? RCODE.SERVFAIL : rcode,
      questions: [{ name: query.folded, type: query.type, class: query.class }],
      answers: answers.map(capped),
      authority: authority.map(capped),
      additional: [],
    })
    const storedAt = now()
    const life = lifeOf(message)
    const isFailure = rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN
    return {
      ...more,
      // A view of a large buffer would keep all of it.
      bytes: Uint8Array.from(bytes),
      ttlOffsets,
      storedAt,
      freshUntil: storedAt + life,
      staleUntil: storedAt + life + (isFailure ? 0 : config.stale_for),
      retryAt: 0,
    }
  }

  const capped = (record: ResourceRecord): ResourceRecord => {
    const most = Math.floor(config.max_ttl / 1000)
    return record.ttl > most ? { ...record, ttl: most } : record
  }

  function answered(query: Query, { message, isTrusted }: DnsAnswer): Entry {
    const filtered =
      privateZones === undefined
        ? { answers: message.answers }
        : filterAnswers(query.folded, message.answers, privateZones)
    const blocked = 'error' in filtered ? filtered.error : undefined
    if (blocked) stats.blocked++
    const error = blocked ?? extendedErrors(message.edns)[0]
    // What was taken out cannot be proven any more.
    const isAuthentic = isTrusted && (message.flags & FLAG.AD) !== 0 && blocked === undefined
    return entryOf(query, { ...message, answers: filtered.answers }, { isAuthentic, error })
  }

  function failed(query: Query, failure: unknown): Entry {
    const isSilent = codeOf(failure) === 'BTL_ERR_UPSTREAM_DNS_TIMEOUT'
    const code = isSilent ? EXTENDED_ERROR.NO_REACHABLE_AUTHORITY : EXTENDED_ERROR.NETWORK_ERROR
    const message: Message = {
      id: 0,
      flags: 0,
      rcode: RCODE.SERVFAIL,
      questions: [],
      answers: [],
      authority: [],
      additional: [],
    }
    return entryOf(query, message, { isAuthentic: false, error: { code, text: '' } })
  }

  async function ask(key: string, query: Query): Promise<Outcome> {
    let entry: Entry
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
      entry = answered(query, answer)
    } catch (failure) {
      entry = failed(query, failure)
    }
    const old = cache.get(key)
    if (isFailure(entry) && old !== undefined && !isFailure(old) && now() < old.staleUntil) {
      old.retryAt = now() + STALE_RETRY_MS
      return { entry: old, isStale: now() >= old.freshUntil }
    }
    cache.set(key, entry)
    return { entry, isStale: false }
  }

  /** One question at a time for each key, however many ask (and a forger gets one try). */
  async function askOnce(key: string, query: Query): Promise<Outcome> {
    const running = pending.get(key)
    if (running) {
      stats.shared++
      return running
    }
    stats.asked++
    const fresh = ask(key, query).finally(() => pending.delete(key))
    pending.set(key, fresh)
    return fresh
  }

  function kept({ entry, isStale }: Outcome): Kept {
    const { bytes, ttlOffsets, isAuthentic, error } = entry
    const ageSeconds = Math.floor((now() - entry.storedAt) / 1000)
    const base = { kind: 'kept', bytes, ttlOffsets, isAuthentic, ageSeconds } as const
    if (!isStale) return { ...base, error }
    stats.stale++
    return { ...base, staleTtl: STALE_TTL, error: STALE }
  }

  async function staleOr(key: string, query: Query, entry: Entry): Promise<Reply> {
    const old = { entry, isStale: true }
    if (now() < entry.retryAt) return kept(old)
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<Outcome>((resolve) => {
      timer = setTimeout(resolve, STALE_AFTER_MS, old)
    })
    try {
      return kept(await Promise.race([askOnce(key, query), patience]))
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    name: 'forward',
    answer(asked) {
      const { query } = asked
      // RFC 8767 and cache snooping: who wants no recursion wants to know what the house looked at.
      if ((query.flags & FLAG.RD) === 0) return refused(RCODE.REFUSED)
      const key = keyOf(query)
      const entry = cache.get(key)
      if (entry === undefined) return askOnce(key, query).then(kept)
      const time = now()
      const left = entry.freshUntil - time
      if (left > 0) {
        const life = entry.freshUntil - entry.storedAt
        if (left < life * PREFETCH_SHARE && life > MIN_PREFETCH_MS && !pending.has(key)) {
          stats.prefetched++
          void askOnce(key, query)
        }
        return kept({ entry, isStale: false })
      }
      if (time < entry.staleUntil) return staleOr(key, query, entry)
      return askOnce(key, query).then(kept)
    },
    stats: () => ({ ...stats, ...cache.stats(), pending: pending.size }),
    stop: () => stopping.abort(new Error('the resolver stops')),
  }
}

const isFailure = ({ bytes }: Entry): boolean => {
  const rcode = (bytes[3] ?? 0) & 15
  return rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN
}
