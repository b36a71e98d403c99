/** A proxy before a gateway over fakes, real certificates, and other sites on this machine. */
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import type { CertAuthority } from '../../../src/base/ports/cert-issuer.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import type { GatewayDeps } from '../../../src/edges/gateway/index.ts'
import { createPac } from '../../../src/edges/pac/index.ts'
import {
  createProxy,
  type Proxy,
  type ProxyDeps,
  type ProxyOptions,
} from '../../../src/edges/proxy/index.ts'
import { proxyServerConfigSchema } from '../../../src/edges/proxy/config.ts'
import { openPki } from '../../engines/pki/open-pki.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { type Fixture, startGateway } from '../gateway/fixture.ts'

export const proxyOptions: ProxyOptions = {
  ...Value.Create(proxyServerConfigSchema),
  address: '127.0.0.1',
  http_port: 0,
  https_port: 0,
  header_timeout: 5000,
  idle_timeout: 60_000,
  max_connections: 2048,
  secure_host: 'proxy.btlink',
  other_sites: true,
  request_headers: false,
}

export interface House extends Fixture {
  proxy: Proxy
  pki: CertAuthority
  /** PEM file of the root certificate. */
  ca: string
  /** `http://127.0.0.1:port` of the proxy. */
  url: string
  /** Names that the proxy looked up, in order. */
  asked: string[]
  /** Addresses that names of other sites have. */
  names: Map<string, string[]>
}

export interface HouseOptions extends Partial<ProxyOptions> {
  deps?: Partial<ProxyDeps>
  links?: GatewayDeps['links']
}

/** Other sites are on loopback, so that is what the proxy may reach here unless a test says otherwise. */
export async function startHouse(t: Cleanup, options: HouseOptions = {}): Promise<House> {
  const { deps, links, ...config } = options
  const fixture = await startGateway(t, links ? { links } : {})
  const reserved_hosts = ['proxy.btlink', 'setup.btlink']
  const { pki } = await openPki(t, {
    now: Date.now(),
    reserved_hosts,
    link_domains: ['linked.example', 'trusted.link'],
  })
  const ca = join(await tempFolder(t, 'proxy'), 'ca.pem')
  const roots = await Promise.all([pki.root('names'), pki.root('links')])
  await writeFile(ca, roots.map(({ pem }) => pem).join(''))
  const asked: string[] = []
  const names = new Map<string, string[]>()
  const pac = createPac(
    { httpPort: () => proxy.httpPort, httpsPort: () => proxy.httpsPort },
    { proxy_domains: ['site.example'], max_age: 3_600_000, tld: 'btlink', gateway_domains: [] },
  )
  const proxy = createProxy(
    {
      isServed: (host) =>
        host === 'btlink' || host.endsWith('.btlink') || host === 'linked.example',
      answer: (req, res) => pac.answer(req, res),
      serve: (req, res) => fixture.gateway.server.emit('request', req, res),
      leaf: (host, signal) => pki.leaf(host, signal),
      fallback: (signal) => pki.fallback(signal),
      lookup: async (host) => {
        asked.push(host)
        return names.get(host) ?? []
      },
      log: silentLog,
      ...deps,
    },
    {
      ...proxyOptions,
      allow_private: ['127.0.0.0/8'],
      ...config,
    },
  )
  await proxy.start(new AbortController().signal)
  finallyDo(t, () => proxy.stop())
  const url = `http://127.0.0.1:${proxy.httpPort}`
  return { ...fixture, proxy, pki, ca, url, asked, names }
}

export async function listen(
  t: Cleanup,
  server: Server | ReturnType<typeof createServer>,
): Promise<number> {
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  finallyDo(t, () => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

/** An ordinary site, which also tells what it was sent. */
export async function startSite(
  t: Cleanup,
  answer: (req: IncomingMessage, res: ServerResponse) => void = echo,
): Promise<number> {
  return listen(t, createServer(answer))
}

export interface Echo {
  method: string
  url: string
  headers: string[]
  body: string
}

function echo(req: IncomingMessage, res: ServerResponse): void {
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const { method = '', url = '', rawHeaders } = req
    const told: Echo = { method, url, headers: rawHeaders, body: Buffer.concat(chunks).toString() }
    res.writeHead(200, [
      'Content-Type',
      'application/json',
      'Connection',
      'X-Secret, close',
      'X-Secret',
      'of the neighbours',
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
    ])
    res.end(JSON.stringify(told))
  })
}

export interface Wire {
  socket: Socket
  /** Everything that came so far. */
  text: () => string
  closed: Promise<void>
}

/** Sends bytes to the proxy, and keeps what comes back. */
export function wire(port: number, bytes: string | Buffer): Wire {
  const chunks: Buffer[] = []
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () =>
    socket.write(bytes),
  )
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => resolve())
    socket.on('end', () => socket.end())
    socket.on('error', () => resolve())
  })
  return { socket, closed, text: () => Buffer.concat(chunks).toString('latin1') }
}
