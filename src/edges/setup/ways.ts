/** Where this box is found, in the words a visitor can type: addresses, ports, URLs. */
import type { NetworkInterfaceInfo } from 'node:os'
import { isHouse } from '../../base/ip-reach.ts'
import type { HouseDns } from '../../base/ports/house-dns.ts'
import { familyOf, type Visit } from './visit.ts'

export interface WayDeps {
  /** Bound port of proxy and gateway. */
  httpPort(): number
  /** Bound port for TLS, 0 while there is none. */
  httpsPort(): number
  /** Where the house's resolver answers; nothing while there is none. */
  dns: HouseDns['listening']
  interfaces: () => NodeJS.Dict<NetworkInterfaceInfo[]>
}

export interface Ways {
  /** The address to give to other devices; undefined on a machine without a network. */
  address: string | undefined
  /** All of this box, the private ones first; never loopback or link-local. None for strangers. */
  addresses: readonly string[]
  httpPort: number
  httpsPort: number
  /** 0 while the box answers no DNS. */
  dnsPort: number
  /** `http://192.168.1.5:42080`: where everything is found without any set-up. */
  base: string
  /** `192.168.1.5`, `[fd00::5]`, or the host of the gateway. */
  proxyHost: string
  /** What to give to a phone. */
  setupUrl: string
  pacUrl: string
  /** What the names end in that `named` makes. */
  nameRoot: string
  /** `https://check.btlink:44369`: a page of ours by its name, in the way this visitor reaches names. */
  named(page: string, scheme: 'http' | 'https'): string
}

export const bracketed = (address: string): string =>
  familyOf(address) === 6 ? `[${address}]` : address

function addressesOf(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): string[] {
  const all = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter(({ address, internal }) => !internal && !/^(fe[89ab]|169\.254\.)/i.test(address))
    .map(({ address }) => address)
  const rank = (address: string) => (isHouse(address) ? 0 : 2) + (familyOf(address) === 4 ? 0 : 1)
  return [...new Set(all)].toSorted((a, b) => rank(a) - rank(b))
}

async function dnsPortAt(dns: WayDeps['dns'], address: string | undefined): Promise<number> {
  try {
    const endpoints = await dns()
    return (endpoints.find((one) => one.address === address) ?? endpoints[0])?.port ?? 0
  } catch {
    // Its process is down: the page says so, and the health page why.
    return 0
  }
}

const suffix = (port: number, usual: number): string => (port === usual ? '' : `:${port}`)

const gatewayHost = ({ root }: Visit): string => root.slice(root.indexOf('.') + 1)

/** The address by which other devices reach what this visitor did; strangers learn none. */
function addressFor(visit: Visit, own: readonly string[]): string | undefined {
  if (visit.kind === 'address' && (visit.reached === undefined || !visit.isHouse)) {
    return visit.host.replace(/^\[|\]$/g, '')
  }
  return visit.isHouse ? (visit.reached ?? own[0]) : undefined
}

export async function findWays(visit: Visit, deps: WayDeps, tld: string): Promise<Ways> {
  const [httpPort, httpsPort] = [deps.httpPort(), deps.httpsPort()]
  const addresses = visit.isHouse ? addressesOf(deps.interfaces()) : []
  const address = addressFor(visit, addresses)
  // On the machine itself `localhost` names always work; what is worth a try is the others.
  const nameRoot = visit.kind === 'local' ? tld : visit.root
  const portOf = (scheme: 'http' | 'https'): string => {
    // Through the proxy our hosts are served whatever the port.
    if (visit.viaProxy && visit.port === '') return ''
    if (scheme === visit.scheme) return visit.port
    const isUsual = visit.scheme === 'http' ? httpPort === 80 : httpsPort === 443
    // Something leads the usual port to ours, so it does for both.
    if (visit.port === '' && !isUsual) return ''
    return scheme === 'http' ? suffix(httpPort, 80) : suffix(httpsPort, 443)
  }
  const ownHost = address === undefined ? 'localhost' : bracketed(address)
  const host = visit.kind === 'gateway' ? gatewayHost(visit) : ownHost
  const base =
    visit.kind === 'gateway'
      ? `${visit.scheme}://${host}${visit.port}`
      : `http://${host}${visit.viaProxy ? suffix(httpPort, 80) : portOf('http')}`
  return {
    address,
    addresses,
    httpPort,
    httpsPort,
    dnsPort: await dnsPortAt(deps.dns, address),
    base,
    proxyHost: host,
    setupUrl: `${base}/.btlink/setup`,
    pacUrl: `${base}/.btlink/proxy.pac`,
    nameRoot,
    named: (page, scheme) => `${scheme}://${page}.${nameRoot}${portOf(scheme)}`,
  }
}
