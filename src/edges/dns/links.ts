/** Which ordinary domains have a site: their `_btlink` TXT record says so, and is remembered for a while. */
import { CLASS, TYPE } from '../../base/dns/codes.ts'
import { type DnsName, foldName, labelsOfName, nameOfLabels } from '../../base/dns/name.ts'
import { readTxt } from '../../base/dns/record-data.ts'
import { utf8Text } from '../../base/bytes.ts'
import { readLinkRecords } from '../../base/names/index.ts'
import type { DnsUpstream } from '../../base/ports/dns-upstream.ts'

/** A record is not asked for more often, nor believed longer. */
const MIN_KEPT_MS = 30_000
const MAX_KEPT_MS = 3_600_000
const FAILURE_MS = 60_000
const MAX_DOMAINS = 2000
const LINK_LABEL = '_btlink'

export interface LinksDeps {
  upstream: Pick<DnsUpstream, 'ask'>
  /** Monotonic ms. */
  now: () => number
  tld: string
  /** Domains with a site by the household's own word, folded. */
  written: readonly DnsName[]
}

interface Known {
  hasSite: boolean
  until: number
}

export function createLinks({ upstream, now, tld, written }: LinksDeps) {
  const ours = new Set(written)
  const known = new Map<DnsName, Known>()
  const pending = new Map<DnsName, Promise<boolean>>()

  function remember(domain: DnsName, hasSite: boolean, forMs: number): boolean {
    known.delete(domain)
    const [oldest] = known.keys()
    if (known.size >= MAX_DOMAINS && oldest !== undefined) known.delete(oldest)
    known.set(domain, { hasSite, until: now() + forMs })
    return hasSite
  }

  async function ask(domain: DnsName): Promise<boolean> {
    const name = nameOfLabels([LINK_LABEL, ...labelsOfName(domain)])
    if (name === undefined) return false
    try {
      const { message } = await upstream.ask({ name, type: TYPE.TXT, class: CLASS.IN })
      const texts = message.answers.filter((record) => record.type === TYPE.TXT)
      const strings = texts.map(({ data }) => readTxt(data).map((part) => utf8Text(part) ?? ''))
      const ttlMs = Math.min(MAX_KEPT_MS / 1000, ...texts.map(({ ttl }) => ttl)) * 1000
      const hasSite = readLinkRecords(strings, tld) !== undefined
      return remember(domain, hasSite, Math.max(MIN_KEPT_MS, ttlMs))
    } catch {
      return remember(domain, false, FAILURE_MS)
    }
  }

  return {
    /** @param domain folded */
    async hasSite(domain: DnsName): Promise<boolean> {
      if (ours.has(domain)) return true
      const entry = known.get(domain)
      if (entry !== undefined && now() < entry.until) return entry.hasSite
      const running = pending.get(domain)
      if (running) return running
      const fresh = ask(domain).finally(() => pending.delete(domain))
      pending.set(domain, fresh)
      return fresh
    },
    size: () => known.size,
  }
}

export type Links = ReturnType<typeof createLinks>

/** The domains that entries of `link_records` are about, folded. */
export const domainsOf = (names: Iterable<DnsName>): DnsName[] =>
  [...names].flatMap((name) => {
    const [first, ...rest] = labelsOfName(foldName(name))
    return first === LINK_LABEL ? (nameOfLabels(rest) ?? []) : []
  })
