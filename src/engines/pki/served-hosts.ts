/** Which hosts get a certificate, from which root, and with which names in it. */
import { isIP } from 'node:net'
import { isBtlError, messageOf, printable } from '../../base/errors.ts'
import { type BtlinkHost, hostOf, parseHost } from '../../base/names/index.ts'
import type { Realm } from '../../base/ports/cert-issuer.ts'
import type { PkiOptions } from './config.ts'
import { BadSetting, ForeignName } from './errors.ts'

// RFC 1035 §2.3.4, in characters as written.
const MAX_HOST = 253
const DOMAIN =
  /^(?=.{1,253}$)[0-9a-z_](?:[0-9a-z_-]{0,61}[0-9a-z_])?(?:\.[0-9a-z_](?:[0-9a-z_-]{0,61}[0-9a-z_])?)*$/

export interface ServedHost {
  realm: Realm
  /** Lower case, without trailing dot. */
  host: string
  /** Subject alternative names, `host` first. */
  names: readonly string[]
}

export interface ServedHosts {
  /** @throws ForeignName (421) */
  find(host: string): ServedHost
  /** The subtrees a new root of that realm is limited to; empty where there is to be none. */
  permitted(realm: Realm): readonly string[]
}

/** A host is the subtree's apex or below it. */
export const isWithin = (host: string, subtree: string): boolean =>
  host === subtree || host.endsWith(`.${subtree}`)

/** Lower case without trailing dot. ASCII only: the Kelvin sign is no `k`. */
export function canonicalHost(host: string): string {
  const lower = host.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase())
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}

/** @throws BadSetting for what no root may vouch for */
export function checkDomain(key: 'box_names' | 'link_domains', domain: string, tld: string): void {
  const fail = (fault: string) => {
    throw new BadSetting(key, printable(domain), fault)
  }
  if (!DOMAIN.test(domain) || isIP(domain) !== 0) fail('is not a domain in lower case')
  if (isWithin(domain, tld)) fail(`is within .${tld}, which needs no entry`)
  // The root would vouch for a whole top-level domain.
  if (!domain.includes('.')) fail('is a top-level domain')
}

/**
 * @param linkDomains as they are now
 * @throws BadSetting
 */
export function createServedHosts(
  options: PkiOptions,
  linkDomains: () => readonly string[],
): ServedHosts {
  const { tld, box_names: boxNames } = options
  for (const domain of boxNames) checkDomain('box_names', domain, tld)
  for (const domain of options.link_domains) checkDomain('link_domains', domain, tld)
  const reserved = new Set(options.reserved_hosts)

  function namesOf(host: string): string[] {
    let found: BtlinkHost
    try {
      found = parseHost(host, { tld })
    } catch (error) {
      if (!isBtlError(error)) throw error
      throw new ForeignName(printable(host, 100), messageOf(error), { cause: error })
    }
    if (found.kind !== 'key') return [host]
    // Other salts of the key: a browser may take them over the same connection. The wildcard has a
    // key to its right; `*.btlink` would be refused by most clients.
    const bare = hostOf({ ...found, salt: new Uint8Array(0) }, tld)
    return [host, `*.${bare}`]
  }

  return {
    find(asked) {
      const refuse = (fault: string) => new ForeignName(printable(asked, 100), fault)
      if (asked.length > MAX_HOST + 1) throw refuse(`it is longer than ${MAX_HOST} characters`)
      const host = canonicalHost(asked)
      if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) {
        throw refuse('the root certificate excludes addresses, use a name')
      }
      // Letters and dots alone: no port, nothing that ends a string early.
      if (!/^[0-9a-z_.-]+$/.test(host)) throw refuse('it is not a host name')
      if (reserved.has(host)) return { realm: 'names', host, names: [host] }
      if (isWithin(host, tld)) return { realm: 'names', host, names: namesOf(host) }
      if (boxNames.includes(host)) return { realm: 'names', host, names: [host] }
      if (DOMAIN.test(host) && linkDomains().some((domain) => isWithin(host, domain))) {
        return { realm: 'links', host, names: [host] }
      }
      throw refuse(`it is not under .${tld}`)
    },
    permitted: (realm) => (realm === 'names' ? [tld, ...boxNames] : linkDomains()),
  }
}
