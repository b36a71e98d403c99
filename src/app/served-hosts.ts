/** Hosts that are this box's business, whoever asks by whatever way. */
import { isIP } from 'node:net'
import type { LinkRecords } from '../base/ports/link-records.ts'

/** Names of the box below the top-level domain that are no names of content. */
export const boxHosts = (tld: string): string[] =>
  ['setup', 'check', 'my', 'proxy'].map((label) => `${label}.${tld}`)

/**
 * Whether the gateway answers for a host: everything under the top-level domain, sound or not, so that
 * it can say what is wrong, also below its own names and `localhost`.
 * @returns a function of a host in lower case, without port and trailing dot
 */
export function createServedHosts(tld: string, gatewayDomains: readonly string[]) {
  const domains = gatewayDomains.map((domain) => domain.toLowerCase())
  const roots = [tld, ...['localhost', ...domains].map((domain) => `${tld}.${domain}`)]
  const own = new Set(domains)
  return (host: string): boolean =>
    own.has(host) ||
    roots.some(
      (root) =>
        host.endsWith(root) && (host.length === root.length || host.at(-root.length - 1) === '.'),
    )
}

/** Whether a host is the box itself, by one of its names or by address, and none of the sites on it. */
export function createBoxNames(tld: string, gatewayDomains: readonly string[]) {
  const roots = ['localhost', ...gatewayDomains.map((domain) => domain.toLowerCase())]
  const own = new Set([tld, ...boxHosts(tld), ...roots, ...roots.map((root) => `${tld}.${root}`)])
  return (host: string): boolean => own.has(host) || isIP(host) !== 0
}

export interface LinkedHosts {
  links: Pick<LinkRecords, 'find'>
  /** Whether a root of ours vouches for the host. */
  isTrusted: (host: string) => boolean
}

/**
 * The same, and domains that have a site. Spoken to in TLS only those that a root of ours vouches for:
 * the others go on to their real host, where they have one.
 */
export function withLinks(
  isOwn: (host: string) => boolean,
  { links, isTrusted }: LinkedHosts,
): (host: string, speech: 'plain' | 'tls', signal: AbortSignal) => boolean | Promise<boolean> {
  return (host, speech, signal) => {
    if (isOwn(host)) return true
    if (speech === 'tls' && !isTrusted(host)) return false
    // While nobody can say, it is an ordinary site.
    return links.find(host, signal).then(
      (link) => link !== undefined,
      () => false,
    )
  }
}
