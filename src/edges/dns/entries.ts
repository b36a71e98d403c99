/** What is kept of an answer, for how long, and what is taken out of it first. */
import { EMPTY } from '../../base/bytes.ts'
import { EXTENDED_ERROR, FLAG, RCODE, TYPE } from '../../base/dns/codes.ts'
import type { Query } from '../../base/dns/decode-query.ts'
import { type ExtendedError, extendedErrorOption, extendedErrors } from '../../base/dns/edns.ts'
import { encodeMessage } from '../../base/dns/encode-message.ts'
import type { Message, ResourceRecord } from '../../base/dns/message.ts'
import type { DnsName } from '../../base/dns/name.ts'
import { soaMinimum } from '../../base/dns/record-data.ts'
import { codeOf } from '../../base/errors.ts'
import type { DnsAnswer } from '../../base/ports/dns-upstream.ts'
import { filterAnswers } from './answer-filter.ts'
import type { Entry } from './cache.ts'
import type { DnsConfig } from './config.ts'

/** RFC 2308 §5: how long a "no" may be believed. */
const MAX_NEGATIVE_MS = 3_600_000
/** RFC 9520 §3.2: a failure is remembered, or a dead server is asked by every device at once. */
const FAILURE_MS = 5000

const NOTHING: Message = {
  id: 0,
  flags: 0,
  rcode: RCODE.SERVFAIL,
  questions: [],
  answers: [],
  authority: [],
  additional: [],
}

export interface EntriesDeps {
  /** Monotonic ms. */
  now: () => number
  /** Domains whose answers may have private addresses, folded; undefined lets all pass. */
  privateZones: readonly DnsName[] | undefined
}

export function createEntries(
  { now, privateZones }: EntriesDeps,
  config: Pick<DnsConfig, 'max_ttl' | 'stale_for'>,
) {
  const stats = { blocked: 0 }

  /** How long an answer counts, in ms. Without an SOA a "no" counts for nothing. */
  function lifeOf({ rcode, answers, authority }: Message): number {
    if (isFailureCode(rcode)) return FAILURE_MS
    const ttls = [...answers, ...authority].map((record) => record.ttl * 1000)
    const shortest = ttls.length === 0 ? 0 : Math.min(...ttls)
    const isYes = rcode === RCODE.NOERROR && answers.some(({ type }) => type !== TYPE.CNAME)
    if (isYes) return Math.min(shortest, config.max_ttl)
    const soa = authority.find((record) => record.type === TYPE.SOA)
    const minimum = soa === undefined ? 0 : soaMinimum(soa.data) * 1000
    return Math.min(shortest, minimum, MAX_NEGATIVE_MS)
  }

  const capped = (record: ResourceRecord): ResourceRecord => {
    const most = Math.floor(config.max_ttl / 1000)
    return record.ttl > most ? { ...record, ttl: most } : record
  }

  function entryOf(
    { folded, type, class: klass }: Query,
    message: Message,
    more: { isAuthentic: boolean; error: ExtendedError | undefined },
  ): Entry {
    const { rcode } = message
    const encoded = encodeMessage({
      ...NOTHING,
      flags: FLAG.QR | FLAG.RA,
      rcode: rcode > 15 ? RCODE.SERVFAIL : rcode,
      questions: [{ name: folded, type, class: klass }],
      answers: message.answers.map(capped),
      authority: message.authority.map(capped),
    })
    const ttls = Uint8Array.from(encoded.ttlOffsets.flatMap((at) => [at >> 8, at & 255]))
    const error = more.error === undefined ? EMPTY : extendedErrorOption(more.error).data
    const storedAt = now()
    const freshUntil = storedAt + lifeOf(message)
    return {
      bytes: Buffer.concat([encoded.bytes, ttls, error]),
      at: 0,
      messageBytes: encoded.bytes.length,
      ttlCount: encoded.ttlOffsets.length,
      errorBytes: error.length,
      isAuthentic: more.isAuthentic,
      storedAt,
      freshUntil,
      staleUntil: freshUntil + (isFailureCode(rcode) ? 0 : config.stale_for),
      retryAt: 0,
    }
  }

  return {
    stats,
    answered(query: Query, { message, isTrusted }: DnsAnswer): Entry {
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
    },
    /** For what the upstream threw. */
    failed(query: Query, failure: unknown): Entry {
      const isSilent = codeOf(failure) === 'BTL_ERR_UPSTREAM_DNS_TIMEOUT'
      const code = isSilent ? EXTENDED_ERROR.NO_REACHABLE_AUTHORITY : EXTENDED_ERROR.NETWORK_ERROR
      return entryOf(query, NOTHING, { isAuthentic: false, error: { code, text: '' } })
    },
  }
}

const isFailureCode = (rcode: number): boolean =>
  rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN

export const isFailure = ({ bytes, at }: Entry): boolean => isFailureCode((bytes[at + 3] ?? 0) & 15)
