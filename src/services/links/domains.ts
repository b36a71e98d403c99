/** Which hosts may have a link record, so that no other is ever asked about. */
import { type DnsName, nameOfLabels } from '../../base/dns/name.ts'

/** RFC 6761, 6762, 7686, 9476; `arpa` has names of addresses. */
const NEVER_PUBLIC = ['localhost', 'local', 'onion', 'invalid', 'test', 'alt', 'arpa']
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/
// WHATWG URL "ends in a number": such a host is an address, whatever its spelling.
const NUMBER = /^(\d+|0x[0-9a-f]*)$/
const LINK_LABEL = '_btlink'

export interface Domains {
  /** Lower case, without trailing dot; undefined for what is no domain of several labels. */
  canonical(host: string): string | undefined
  /** Whether it may be asked of the public DNS. @param domain canonical */
  isPublic(domain: string): boolean
}

/** @param domain canonical */
export const recordName = (domain: string): DnsName | undefined =>
  nameOfLabels([LINK_LABEL, ...domain.split('.')])

/** @param local further domains that stay in the house */
export function createDomains(tld: string, local: readonly string[]): Domains {
  const closed = [tld, ...NEVER_PUBLIC, ...local.map((text) => text.toLowerCase())]
  return {
    canonical(host) {
      // ASCII only: the Kelvin sign is no `k`.
      const lower = host.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase())
      const domain = lower.endsWith('.') ? lower.slice(0, -1) : lower
      const labels = domain.split('.')
      const last = labels.at(-1) ?? ''
      if (labels.length < 2 || labels[0] === LINK_LABEL || NUMBER.test(last)) return undefined
      if (!labels.every((label) => LABEL.test(label))) return undefined
      return recordName(domain) === undefined ? undefined : domain
    },
    isPublic: (domain) => !closed.some((zone) => domain === zone || domain.endsWith(`.${zone}`)),
  }
}
