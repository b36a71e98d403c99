/** Which hosts may get a certificate: those written down, and sites under gateway domains where that is wanted. */
import { isIP } from 'node:net'
import { isBtlError, printable } from '../../base/errors.ts'
import { parseHost } from '../../base/names/index.ts'
import type { AcmeOptions } from './config.ts'
import { BadSetting } from './errors.ts'

/** One certificate, there or not. */
export interface Wanted {
  /** The first of its hosts; what its file is called. */
  name: string
  /** Subject alternative names. */
  hosts: readonly string[]
  /** `configured` ones are ordered by themselves, `content` ones when somebody asks. */
  kind: 'configured' | 'content'
}

export interface Hosts {
  /** @param host as in SNI; case and one trailing dot do not matter */
  find(host: string): Wanted | undefined
  readonly configured: readonly Wanted[]
}

// A file name has 255 characters, of which we need some.
const MAX_HOST = 230
const MAX_CERTIFICATES = 100
const MAX_NAMES = 20
// RFC 1123 §2.1; no underscore, which no public authority takes (CA/Browser Forum, ballot SC12).
const DOMAIN = /^(?:[0-9a-z](?:[0-9a-z-]{0,61}[0-9a-z])?\.)+[a-z](?:[0-9a-z-]{0,61}[0-9a-z])?$/
// RFC 2606, 6761, 6762, 8375, 9476 and ICANN's .internal: nobody can prove that they are theirs.
const PRIVATE = /\.(?:alt|example|home\.arpa|internal|invalid|lan|local|localhost|onion|test)$/

const canonical = (host: string): string => {
  const lower = host.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase())
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}

const isDomain = (host: string): boolean =>
  host.length <= MAX_HOST && DOMAIN.test(host) && isIP(host) === 0

/** @param mayBePrivate for an authority of one's own, which may know such names */
function readEntry(entry: string, tld: string, mayBePrivate: boolean): Wanted {
  const fail = (fault: string): never => {
    throw new BadSetting('hosts', printable(entry), fault)
  }
  const hosts = entry.split(' ').filter((host) => host !== '')
  if (hosts.length > MAX_NAMES) fail(`has more than ${MAX_NAMES} names`)
  for (const host of hosts) {
    if (host.includes('*')) fail('has a wildcard, which cannot be proved over HTTP')
    if (!isDomain(host)) fail('is not a domain in lower case')
    if (host.endsWith(`.${tld}`)) fail(`is within .${tld}, which no public authority knows`)
    if (!mayBePrivate && PRIVATE.test(host)) fail('is a name that no public authority knows')
  }
  const [name] = hosts
  return name === undefined ? fail('names no host') : { name, hosts, kind: 'configured' }
}

/** @throws BadSetting */
export function createHosts(options: AcmeOptions): Hosts {
  const { tld } = options
  if (options.hosts.length > MAX_CERTIFICATES) {
    throw new BadSetting('hosts', options.hosts.length, `are more than ${MAX_CERTIFICATES}`)
  }
  const configured = options.hosts.map((entry) =>
    readEntry(entry, tld, options.authority_ca !== ''),
  )
  const byHost = new Map<string, Wanted>()
  for (const wanted of configured) {
    for (const host of wanted.hosts) {
      if (byHost.has(host)) throw new BadSetting('hosts', host, 'is there twice')
      byHost.set(host, wanted)
    }
  }
  const domains = new Set(options.content_names ? options.gateway_domains.map(canonical) : [])

  function isContentName(host: string): boolean {
    try {
      const found = parseHost(host, { tld })
      if (found.kind === 'none' || found.kind === 'root' || found.kind === 'redirect') return false
      return domains.has(found.gatewaySuffix)
    } catch (error) {
      if (isBtlError(error)) return false
      throw error
    }
  }

  return {
    configured,
    find(asked) {
      if (asked.length > MAX_HOST + 1) return undefined
      const host = canonical(asked)
      const known = byHost.get(host)
      if (known || domains.size === 0) return known
      if (!isDomain(host) || !isContentName(host)) return undefined
      return { name: host, hosts: [host], kind: 'content' }
    },
  }
}
