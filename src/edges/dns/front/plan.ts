/** What a resolver in front of this one has to know, whichever it is: read from our own configuration. */
import { type DnsName, foldName, isWithin, textOfName } from '../../../base/dns/name.ts'
import { printable } from '../../../base/errors.ts'
import { ipBytes } from '../../../base/ip-address.ts'
import type { DnsConfig } from '../config.ts'
import { DnsBadFront } from '../errors.ts'
import { createLocalRecords } from '../handlers/local-records.ts'
import { SPECIAL_NAMES } from '../handlers/special-names.ts'
import { createNetworks, HOUSE } from '../networks.ts'
import { parseFront } from '../transfer/front-talk.ts'
import { nameOf } from '../zone.ts'

/** A server of the ordinary DNS. */
export interface FrontServer {
  /** As it was written. */
  text: string
  transport: 'udp' | 'tcp' | 'tls' | 'https'
  address: string | undefined
  /** What its certificate says. */
  name: string | undefined
  port: number
}

export interface FrontInput {
  tld: string
  config: DnsConfig
  /** Whom it asks; none: it finds out by itself. */
  servers: readonly FrontServer[]
  /** Domains with servers of their own. */
  routes: readonly { zone: DnsName; servers: readonly FrontServer[] }[]
  /** Networks this machine is directly connected to, as `address/length`. */
  networks: readonly string[]
}

export interface FrontPlan {
  /** Where it answers. */
  address: string
  port: number
  tld: string
  /** Of the household's own words. */
  policyZone: string
  /** Where we answer. */
  authority: { address: string; port: number }
  /** Who is answered. */
  networks: readonly string[]
  /** Domains that are ours to answer: of content and of the house. */
  ours: readonly string[]
  /** Names of the household outside of them. */
  written: readonly string[]
  /** Of these, those that the standards keep from the DNS. */
  writtenAndSpecial: readonly string[]
  servers: readonly FrontServer[]
  routes: readonly { zone: string; servers: readonly FrontServer[] }[]
  /** Domains whose answers may have private addresses. */
  mayBePrivate: readonly string[]
}

/** What stands unescaped in the files of all of them. */
const PLAIN = /^[a-z0-9_*-]+(?:\.[a-z0-9_-]+)*$/

/** @throws DnsBadFront for names that no file can have */
function plain(name: DnsName): string {
  const text = textOfName(foldName(name))
  if (!PLAIN.test(text)) throw new DnsBadFront(printable(text), 'cannot be written for a front')
  return text
}

const house = createNetworks(HOUSE)

/** A house's IPv6 from its provider is public, and not the less the house. */
function isPublic(network: string): boolean {
  const bytes = ipBytes(network.split('/', 1)[0] ?? '')
  return bytes !== undefined && !house.has(bytes)
}

const isLoopback = (text: string) => text === '::1' || text.startsWith('127.')

/** Where the front reaches us: over loopback where we are there. */
function authorityOf({ listen, port }: DnsConfig): { address: string; port: number } {
  const loopback = listen.find(isLoopback)
  const address = loopback ?? (listen.includes('auto') ? '127.0.0.1' : listen[0])
  if (address === undefined || port === 0) {
    throw new DnsBadFront(`${address ?? ''}@${port}`, 'is no place where a front can ask us')
  }
  return { address, port }
}

/** @throws DnsBadFront, DnsBadRecord */
export function planFront({ tld, config, servers, routes, networks }: FrontInput): FrontPlan {
  const [first] = config.front
  if (first === undefined) {
    throw new DnsBadFront('', 'is empty: say where the resolver in front answers, as 127.0.0.1@53')
  }
  const { address, port } = parseFront(first)
  const authority = authorityOf(config)
  if (port === authority.port) {
    throw new DnsBadFront(first, `has the port of dns.port: one of them cannot start`)
  }
  const routed = new Set(routes.map(({ zone }) => zone))
  const domains = config.local_domains
    .map((text) => foldName(nameOf(text)))
    .filter((domain) => !routed.has(domain))
  const ours = [nameOf(tld), nameOf('wpad'), ...domains]
  const local = createLocalRecords(config.records, config.link_records, nameOf(tld))
  const written = [...local.names()].filter(
    (name) => !ours.some((domain) => isWithin(name, domain)),
  )
  const special = SPECIAL_NAMES.map((text) => foldName(nameOf(text)))
  const isSpecial = (name: DnsName) => special.some((domain) => isWithin(name, domain))
  // A server on this machine that is the front itself is no server of the front.
  const others = servers.filter((one) => one.address !== address || one.port !== port)
  return {
    address,
    port,
    tld,
    policyZone: `rpz.${tld}`,
    authority,
    networks: [...HOUSE, ...networks.filter(isPublic), ...config.allow],
    ours: ours.map(plain),
    written: written.map(plain),
    writtenAndSpecial: written.filter(isSpecial).map(plain),
    servers: others,
    routes: routes.map((route) => ({ ...route, zone: plain(route.zone) })),
    mayBePrivate: [
      ...new Set([
        ...ours.map(plain),
        ...routes.map(({ zone }) => plain(zone)),
        ...config.allow_private.map((text) => plain(nameOf(text))),
      ]),
    ],
  }
}
