/** Where devices come in: the proxy's ports, its certificates, and what it says of itself to browsers. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { CertAuthority } from '../base/ports/cert-issuer.ts'
import type { Clock } from '../base/ports/clock.ts'
import type { DnsUpstream } from '../base/ports/dns-upstream.ts'
import type { HouseDns } from '../base/ports/house-dns.ts'
import type { LinkRecords } from '../base/ports/link-records.ts'
import type { Log } from '../base/ports/log.ts'
import { createPac } from '../edges/pac/index.ts'
import { createHouse, createProxy, machineNetworks, type Proxy } from '../edges/proxy/index.ts'
import { createSetup, type Setup } from '../edges/setup/index.ts'
import { type Acme, createAcme } from '../engines/acme/index.ts'
import { createPki } from '../engines/pki/index.ts'
import type { Config } from './config/schema.ts'
import { createLookup } from './house-names.ts'
import type { Listeners } from './roles/listeners.ts'
import type { GivenSockets } from './roles/given-sockets.ts'
import { askHttp } from './roles/self-query.ts'
import { boxHosts, createBoxNames, createServedHosts, withLinks } from './served-hosts.ts'

export interface DoorDeps {
  log: Log
  clock: Clock
  /** Ordinary DNS, for other sites. */
  names: Pick<DnsUpstream, 'ask'>
  links: Pick<LinkRecords, 'find'>
  /** Where the house's resolver answers. */
  dns: HouseDns['listening']
  /** Answers what is for us. */
  serve: (req: IncomingMessage, res: ServerResponse) => void
  /** Takes over a WebSocket to the box itself; false where there is none. */
  upgrade?: (req: IncomingMessage, socket: Duplex, head: Buffer) => boolean
}

export interface Door {
  acme: Acme
  pki: CertAuthority
  proxy: Proxy
  setup: Setup
  /** Whether an address is one of the house. */
  isHouse(address: string): boolean
  listeners(): Listeners
  /** One request to the port for HTTP. */
  ask(signal: AbortSignal): Promise<void>
  /** For people. */
  status(): string
}

export function composeDoor(deps: DoorDeps, config: Config, given: GivenSockets): Door {
  const { log, clock, names, links, dns, serve, upgrade } = deps
  const { tld, gateway_domains, header_timeout, idle_timeout, max_connections } = config.btlink
  const pki = createPki(
    { log, clock, folder: join(config.state_dir, 'pki') },
    { ...config.pki, tld, reserved_hosts: boxHosts(tld) },
  )
  const acme = createAcme(
    { log, clock, folder: join(config.state_dir, 'acme') },
    { ...config.acme, tld, gateway_domains },
  )
  const served = createServedHosts(tld, gateway_domains)
  const isBox = createBoxNames(tld, gateway_domains)
  const pac = createPac(
    { httpPort: () => proxy.httpPort, httpsPort: () => proxy.httpsPort },
    { ...config.pac, tld, gateway_domains },
  )
  const isHouse = createHouse(config.proxy.clients, machineNetworks)
  const setup = createSetup(
    {
      root: (realm, signal) => pki.root(realm, signal),
      httpPort: () => proxy.httpPort,
      httpsPort: () => proxy.httpsPort,
      dns,
      isHouse,
      log,
    },
    config.btlink,
  )
  // The authority's question comes first: it is about one path of one host, and waits for nobody.
  const own = [acme, pac, setup]
  const proxy = createProxy(
    {
      isServed: withLinks((host) => served(host) || acme.serves(host), {
        links,
        isTrusted: (host) => pki.vouchesFor(host),
      }),
      answer: (req, res) => own.some((one) => one.answer(req, res)),
      serve,
      upgrade: (req, socket, head, host) => isBox(host) && upgrade?.(req, socket, head) === true,
      leaf: async (host, signal) => acme.leaf(host) ?? pki.leaf(host, signal),
      fallback: (signal) => pki.fallback(signal),
      proof: (host) => acme.proof(host),
      lookup: createLookup(names),
      given: { http: given.get('http') ?? [], https: given.get('https') ?? [] },
      log,
    },
    {
      ...config.proxy,
      ...(config.mode === 'gateway-only' && { socks_port: 'off' }),
      other_sites: config.mode !== 'gateway-only',
      header_timeout,
      idle_timeout,
      max_connections,
      secure_host: `proxy.${tld}`,
      request_headers: config.log.request_headers,
    },
  )
  return {
    acme,
    pki,
    proxy,
    setup,
    isHouse,
    listeners: () => ({
      http: { port: proxy.httpPort, transport: 'tcp' },
      https: { port: proxy.httpsPort, transport: 'tcp' },
      ...(proxy.socksPort > 0 && { socks: { port: proxy.socksPort, transport: 'tcp' } }),
    }),
    ask: (signal) =>
      askHttp(
        {
          address: proxy.httpAddress,
          port: proxy.httpPort,
          host: `proxy.${tld}`,
          path: '/.btlink/proxy.pac',
        },
        signal,
      ),
    status() {
      const { requests_served = 0, connections = 0 } = proxy.stats()
      return `ports ${proxy.httpPort} and ${proxy.httpsPort}: ${connections} connections, ${requests_served} requests so far`
    },
  }
}
