/** Host of a request to what stands there: a site, this box's own page, or another spelling of either. */
import { isIP } from 'node:net'
import { parseHost, type Name } from '../../base/names/index.ts'
import { UnknownHost } from './errors.ts'

export type Place =
  | { kind: 'site'; name: Name; rootAuthority: string }
  | { kind: 'root'; rootAuthority: string }
  | { kind: 'redirect'; authority: string }
  /** Some other domain, lower case: its link record says which site. */
  | { kind: 'domain'; domain: string; rootAuthority: string }

export interface PlaceOptions {
  tld: string
  /** Redirect names of the former top-level domain `.bt`. */
  redirectBt: boolean
  gatewayDomains: readonly string[]
}

// Hosts come from outside: enough for a household's tabs, small enough to forget floods.
const MAX_REMEMBERED = 4096
// RFC 1035 §2.3.4, in characters as written.
const MAX_HOST = 253

/** Host and `:port` of an authority, brackets kept. */
function splitPort(authority: string): [host: string, port: string] {
  const match = /^(\[[^\]]*\]|[^:]*)(:\d*)?$/.exec(authority)
  return match ? [match[1] ?? '', match[2] === ':' ? '' : (match[2] ?? '')] : [authority, '']
}

const bareAddress = (host: string): string =>
  host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host

const isLoopback = (host: string): boolean =>
  host === 'localhost' || (isIP(host) === 4 && host.startsWith('127.')) || host === '[::1]'

const DOMAIN = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$/

/** Outside the top-level domain: names and addresses of the box itself, and domains of others. */
function otherPlace(authority: string, { tld, gatewayDomains }: PlaceOptions): Place | undefined {
  const [written, port] = splitPort(authority.toLowerCase())
  const host = written.endsWith('.') ? written.slice(0, -1) : written
  // Browsers resolve `*.localhost` to the machine itself, so sites work there with no set-up at all.
  if (isLoopback(host)) return { kind: 'root', rootAuthority: `${tld}.localhost${port}` }
  if (gatewayDomains.includes(host)) return { kind: 'root', rootAuthority: `${tld}.${host}${port}` }
  // Nothing can be put before an address: links lead to plain names, which proxy or DNS bring here.
  if (isIP(bareAddress(host)) !== 0) return { kind: 'root', rootAuthority: tld }
  if (host.length > MAX_HOST || !DOMAIN.test(host)) return undefined
  // Whoever came without proxy and DNS of ours reaches names below a public gateway domain only.
  const [gateway] = gatewayDomains
  const rootAuthority = gateway === undefined ? tld : `${tld}.${gateway}${port}`
  return { kind: 'domain', domain: host, rootAuthority }
}

function readPlace(authority: string, options: PlaceOptions): Place {
  const host = parseHost(authority, { tld: options.tld, compatBt: options.redirectBt })
  if (host.kind === 'redirect') return { kind: 'redirect', authority: host.host }
  if (host.kind === 'none') {
    const other = otherPlace(authority, options)
    if (other) return other
    throw new UnknownHost(authority.slice(0, 100).replace(/[^\x21-\x7e]/g, '?'))
  }
  const [, port] = splitPort(authority)
  const suffix = host.gatewaySuffix === '' ? '' : `.${host.gatewaySuffix}`
  const rootAuthority = `${options.tld}${suffix}${port}`
  return host.kind === 'root'
    ? { kind: 'root', rootAuthority }
    : { kind: 'site', name: host, rootAuthority }
}

/**
 * @returns authority (host with port, any case) to place
 * @throws BadName (400) for a malformed name, UnknownHost (404) for what is no host of ours and no domain
 */
export function createPlaces(options: PlaceOptions): (authority: string) => Place {
  const known = new Map<string, Place>()
  return (authority) => {
    const found = known.get(authority)
    if (found) return found
    const place = readPlace(authority, options)
    if (known.size >= MAX_REMEMBERED) known.clear()
    known.set(authority, place)
    return place
  }
}
