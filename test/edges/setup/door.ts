/** A house's door in one process: proxy, certificates, PAC and the setup pages before a gateway over fakes. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CertAuthority } from '../../../src/base/ports/cert-issuer.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { isHouseAddress } from '../../../src/edges/http/index.ts'
import { createPac } from '../../../src/edges/pac/index.ts'
import { createProxy, type Proxy } from '../../../src/edges/proxy/index.ts'
import { createSetup, type Setup, type SetupDeps } from '../../../src/edges/setup/index.ts'
import { openPki } from '../../engines/pki/open-pki.ts'
import { curl, type CurlOptions } from '../../support/curl.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { startGateway, type Fixture } from '../gateway/fixture.ts'
import { proxyOptions } from '../proxy/fixture.ts'

export const GATEWAY_DOMAIN = 'gw.example'
export const RESERVED = ['setup', 'check', 'my', 'proxy'].map((name) => `${name}.btlink`)

export interface Door extends Fixture {
  proxy: Proxy
  pki: CertAuthority
  setup: Setup
  /** PEM file of the root certificate. */
  ca: string
  /** `http://127.0.0.1:port` of the proxy. */
  url: string
}

export interface DoorOptions extends Partial<SetupDeps> {
  linkDomains?: string[]
  /** Whose X-Forwarded-* headers are believed. */
  trustedProxies?: string[]
  /** Where the proxy listens. */
  address?: string
}

/** A machine with one network of each family, and what containers and providers add. */
export const interfaces: NonNullable<SetupDeps['interfaces']> = () => {
  const one = (address: string, family: 'IPv4' | 'IPv6', internal = false) => ({
    address,
    family,
    internal,
    netmask: '',
    mac: '',
    cidr: null,
    ...(family === 'IPv6' && { scopeid: 0 }),
  })
  return {
    lo: [one('127.0.0.1', 'IPv4', true), one('::1', 'IPv6', true)],
    eth0: [
      one('2001:db8::5', 'IPv6'),
      one('fe80::5', 'IPv6'),
      one('fd00::5', 'IPv6'),
      one('192.168.1.5', 'IPv4'),
    ],
  } as ReturnType<NonNullable<SetupDeps['interfaces']>>
}

export async function startDoor(t: Cleanup, options: DoorOptions = {}): Promise<Door> {
  const { linkDomains = [], trustedProxies = [], address = '127.0.0.1', ...deps } = options
  const fixture = await startGateway(t, { btlink: { gateway_domains: [GATEWAY_DOMAIN] } })
  const { pki } = await openPki(t, {
    now: Date.now(),
    reserved_hosts: RESERVED,
    link_domains: linkDomains,
  })
  const ca = join(await tempFolder(t, 'door'), 'ca.pem')
  await writeFile(ca, (await pki.root()).pem)
  const ports = { httpPort: () => proxy.httpPort, httpsPort: () => proxy.httpsPort }
  const gateway_domains = [GATEWAY_DOMAIN]
  const pac = createPac(ports, {
    proxy_domains: [],
    max_age: 3_600_000,
    tld: 'btlink',
    gateway_domains,
  })
  const setup = createSetup(
    {
      root: (realm, signal) => pki.root(realm, signal),
      ...ports,
      dns: () => [{ address: '192.168.1.5', port: 53 }],
      isHouse: isHouseAddress,
      interfaces,
      log: silentLog,
      ...deps,
    },
    { tld: 'btlink', gateway_domains, trusted_proxies: trustedProxies },
  )
  const proxy = createProxy(
    {
      isServed: (host) =>
        host === 'btlink' || host.endsWith('.btlink') || host === 'linked.example',
      answer: (req, res) => pac.answer(req, res) || setup.answer(req, res),
      serve: (req, res) => fixture.gateway.server.emit('request', req, res),
      leaf: (host, signal) => pki.leaf(host, signal),
      fallback: (signal) => pki.fallback(signal),
      lookup: async () => [],
      log: silentLog,
    },
    { ...proxyOptions, address },
  )
  await proxy.start(new AbortController().signal)
  finallyDo(t, () => proxy.stop())
  return { ...fixture, proxy, pki, setup, ca, url: `http://127.0.0.1:${proxy.httpPort}` }
}

/** What curl got, as text, and the code of an error. */
export interface Page {
  status: number
  headers: Record<string, string>
  body: Buffer
  text: string
  /** Of an error in JSON. */
  code: string | undefined
}

export async function fetchPage(url: string, options: CurlOptions = {}): Promise<Page> {
  const { status, headers, body } = await curl(url, options)
  const text = body.toString()
  const code = /^\{"code":"(\w+)"/.exec(text)?.[1]
  return { status, headers, body, text, code }
}
