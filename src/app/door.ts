/** Where devices come in: the proxy's ports, its certificates, and what it says of itself to browsers. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { CertAuthority } from '../base/ports/cert-issuer.ts'
import type { Clock } from '../base/ports/clock.ts'
import type { DnsUpstream } from '../base/ports/dns-upstream.ts'
import type { LinkRecords } from '../base/ports/link-records.ts'
import type { Log } from '../base/ports/log.ts'
import { createPac } from '../edges/pac/index.ts'
import { createProxy, type Proxy } from '../edges/proxy/index.ts'
import { type Acme, createAcme } from '../engines/acme/index.ts'
import { createPki } from '../engines/pki/index.ts'
import type { Config } from './config/schema.ts'
import { createLookup } from './house-names.ts'
import type { Listeners } from './roles/listeners.ts'
import { boxHosts, createServedHosts, withLinks } from './served-hosts.ts'

export interface DoorDeps {
  log: Log
  clock: Clock
  /** Ordinary DNS, for other sites. */
  names: Pick<DnsUpstream, 'ask'>
  links: Pick<LinkRecords, 'find'>
  /** Answers what is for us. */
  serve: (req: IncomingMessage, res: ServerResponse) => void
}

export interface Door {
  acme: Acme
  pki: CertAuthority
  proxy: Proxy
  listeners(): Listeners
}

export function composeDoor(deps: DoorDeps, config: Config): Door {
  const { log, clock, names, links, serve } = deps
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
  const pac = createPac(
    { httpPort: () => proxy.httpPort, httpsPort: () => proxy.httpsPort },
    { ...config.pac, tld, gateway_domains },
  )
  const proxy = createProxy(
    {
      isServed: withLinks((host) => served(host) || acme.serves(host), {
        links,
        isTrusted: (host) => pki.vouchesFor(host),
      }),
      serve: (req, res) => {
        // The authority's question comes first: it is about one path of one host, and waits for nobody.
        if (!acme.answer(req, res) && !pac.answer(req, res)) serve(req, res)
      },
      leaf: async (host, signal) => acme.leaf(host) ?? pki.leaf(host, signal),
      fallback: (signal) => pki.fallback(signal),
      lookup: createLookup(names),
      log,
    },
    {
      ...config.proxy,
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
    listeners: () => ({
      http: { port: proxy.httpPort, transport: 'tcp' },
      https: { port: proxy.httpsPort, transport: 'tcp' },
      ...(proxy.socksPort > 0 && { socks: { port: proxy.socksPort, transport: 'tcp' } }),
    }),
  }
}
