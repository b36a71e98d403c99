/** The gateway's server: reads whose host was asked, and hands the request to a site or to the root page. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import fastify, { type FastifyInstance } from 'fastify'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Component, Stats } from '../../base/ports/component.ts'
import type { Library, LinkResolver, Publisher } from '../../base/ports/content.ts'
import type { Log } from '../../base/ports/log.ts'
import {
  addressSet,
  BadRequest,
  createHttpServer,
  describeError,
  errorResponse,
  refuseSocket,
  requestTarget,
  UpgradeRefused,
  type AddressSet,
} from '../http/index.ts'
import { createContentChain } from './chain.ts'
import type { GatewayConfig, ProxyConfig } from './config.ts'
import { corsHeaders } from './content-headers.ts'
import { BadProxyList, Busy, UnknownHost } from './errors.ts'
import { answer, answerError, createExchange, isOnlyIfCached } from './exchange.ts'
import { findLink, type Links } from './linked-site.ts'
import type { AnnounceUrls } from './links.ts'
import { createPlaces, type Place } from './places.ts'
import { rootRoutes, type RootRequest } from './root-routes.ts'

export interface GatewayDeps {
  resolver: LinkResolver
  library: Library
  publisher: Publisher
  log: Log
  /** One that nobody sets: pages are remembered by it. */
  clock: Clock
  /** Sites of ordinary domains; without them only names under the top-level domain have some. */
  links?: Links
  /** Announce addresses put into magnets and torrent files. */
  announceUrls?: AnnounceUrls
}

export interface Gateway extends Component {
  /** Takes requests of other listeners too, once it has started: `server.emit('request', req, res)`. */
  readonly server: Server
  /** Bound port; 0 while it does not listen itself. */
  readonly port: number
  stats(): Stats
}

const SWEEP_MS = 10_000

function trustedProxies(entries: readonly string[]): AddressSet {
  const set = addressSet(entries)
  if ('bad' in set) throw new BadProxyList(set.bad)
  return set
}

/** RFC 9112 §3.2: a request with two Host lines is refused; Node keeps the first silently. */
function hasTwoHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return hosts > 1
}

export function createGateway(deps: GatewayDeps, config: GatewayConfig): Gateway {
  const { log } = deps
  const { btlink, proxy, uploads } = config
  const announceUrls = deps.announceUrls ?? (() => [])
  const proxies = trustedProxies(btlink.trusted_proxies)
  const gatewayDomains = btlink.gateway_domains.map((domain) => domain.toLowerCase())
  const places = createPlaces({
    tld: btlink.tld,
    redirectBt: btlink.redirect_bt,
    gatewayDomains,
  })
  const chain = createContentChain(
    { ...deps, announceUrls },
    {
      waitTimeoutMs: btlink.wait_timeout,
      memoryBytes: btlink.memory_cache,
    },
  )
  const rootRequests = new WeakMap<IncomingMessage, RootRequest>()
  const counts = { requests: 0, errors: 0, aborted: 0, active: 0 }
  let sweeper: NodeJS.Timeout | undefined
  let isReady = false

  function fail(
    req: IncomingMessage,
    res: ServerResponse,
    error: unknown,
    extra: readonly string[] = [],
  ): void {
    // Nobody is there to read an answer.
    if (codeOf(error) === 'BTL_ERR_HTTP_CLIENT_LEFT' || res.destroyed) {
      counts.aborted++
      res.destroy()
      return
    }
    const { statusCode, code } = describeError(error)
    counts.errors++
    const requestId = res.headersSent ? undefined : answerError({ req, res }, error, extra)
    const fields = { requestId, code, host: req.headers.host, url: req.url?.slice(0, 200) }
    if (statusCode === 500 || requestId === undefined) {
      log.error({ ...fields, reason: messageOf(error), err: error }, 'a request failed')
    } else if (statusCode > 500) log.info({ ...fields, statusCode }, 'a request went unanswered')
  }

  async function linkedSite(
    req: IncomingMessage,
    res: ServerResponse,
    { domain, rootAuthority }: Extract<Place, { kind: 'domain' }>,
  ) {
    if (!deps.links) throw new UnknownHost(domain)
    const onlyIfCached = isOnlyIfCached(req)
    const link = await findLink(deps.links, domain, { res, onlyIfCached })
    return { name: link.name, rootAuthority, link }
  }

  async function serveSite(
    req: IncomingMessage,
    res: ServerResponse,
    what: { target: RootRequest['target']; place: Extract<Place, { kind: 'site' | 'domain' }> },
  ): Promise<void> {
    counts.active++
    try {
      if (counts.active > btlink.max_requests) throw new Busy(btlink.max_requests)
      const { target, place } = what
      const site = place.kind === 'site' ? place : await linkedSite(req, res, place)
      await chain.handle(createExchange(req, res, target, site))
    } catch (error) {
      // Pages of other origins may read why, as they may read content.
      fail(req, res, error, corsHeaders())
    } finally {
      counts.active--
    }
  }

  function route(req: IncomingMessage, res: ServerResponse, toRoot: () => void): void {
    counts.requests++
    try {
      if (hasTwoHosts(req)) throw new BadRequest('two Host lines')
      if (chain.ready.answer(req, res)) return
      const target = requestTarget(req, proxies)
      const place = places(target.authority)
      if (place.kind === 'site' || place.kind === 'domain') {
        void serveSite(req, res, { target, place })
        return
      }
      const path = target.query === undefined ? target.path : `${target.path}?${target.query}`
      if (place.kind === 'redirect') {
        const location = `${target.scheme}://${place.authority}${path}`
        answer({ req, res }, 307, ['Location', location, 'Cache-Control', 'public, max-age=3600'])
        return
      }
      rootRequests.set(req, { target, rootAuthority: place.rootAuthority })
      // Fastify routes by path: an absolute-form target is brought to origin form.
      req.url = path
      toRoot()
    } catch (error) {
      fail(req, res, error)
    }
  }

  const limits = {
    headerTimeoutMs: btlink.header_timeout,
    idleTimeoutMs: btlink.idle_timeout,
    maxConnections: btlink.max_connections,
  }
  // Content goes past Fastify: its paths belong to torrents, not to a router, and even a hijacked
  // reply takes a quarter more time (docs/decisions/0011-content-past-the-router.md).
  const app: FastifyInstance = fastify({
    serverFactory: (handler) =>
      createHttpServer(limits, (req, res) => route(req, res, () => handler(req, res))),
    forceCloseConnections: true,
    exposeHeadRoutes: true,
    frameworkErrors: (error, request, reply) => {
      fail(request.raw, reply.hijack().raw, error)
    },
  })
  app.setErrorHandler((error, request, reply) => {
    const { statusCode } = describeError(error)
    if (statusCode >= 500 || reply.raw.destroyed) {
      fail(request.raw, reply.hijack().raw, error)
      return
    }
    counts.errors++
    const { headers, body } = errorResponse(error, request.headers.accept, request.id)
    for (let i = 0; i < headers.length; i += 2) {
      void reply.header(headers[i] ?? '', headers[i + 1])
    }
    if (!request.raw.complete) void reply.header('connection', 'close')
    void reply.code(statusCode).send(body)
  })
  void app.register(async (instance) => {
    rootRoutes(instance, {
      deps: {
        ...deps,
        announceUrls,
        proxies,
        facts: (req) => {
          const found = rootRequests.get(req)
          if (!found) throw new BadRequest('it came past the gateway')
          return found
        },
      },
      config: { tld: btlink.tld, uploads },
    })
  })
  const { server } = app
  server.on('upgrade', (req: IncomingMessage, socket) => {
    refuseSocket(socket, new UpgradeRefused((req.headers.upgrade ?? '').slice(0, 50)))
  })

  function boundPort(): number {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  async function listen({ address, http_port: port }: ProxyConfig): Promise<void> {
    try {
      await app.listen({ host: address, port })
    } catch (error) {
      // A kernel without IPv6 has no `::`, and still has a house to serve.
      if (address !== '::' || codeOf(error) !== 'EAFNOSUPPORT') throw error
      await app.listen({ host: '0.0.0.0', port })
    }
    log.info({ port: boundPort() }, 'gateway listens')
  }

  return {
    name: 'gateway',
    server,
    get port() {
      return boundPort()
    },
    async start(signal) {
      signal.throwIfAborted()
      await (proxy === undefined ? app.ready() : listen(proxy))
      isReady = true
      sweeper = setInterval(() => chain.sweep(), SWEEP_MS)
      sweeper.unref()
    },
    async stop() {
      isReady = false
      clearInterval(sweeper)
      await app.close()
      await chain.close()
    },
    health: () =>
      isReady
        ? { status: 'ok', score: 100 }
        : { status: 'down', score: 0, detail: 'takes no requests' },
    stats: () => ({
      requests_total: counts.requests,
      errors_total: counts.errors,
      aborted_total: counts.aborted,
      active: counts.active,
      memory_cache_bytes: chain.memoryBytes(),
    }),
  }
}
