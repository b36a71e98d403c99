/** The household's proxy: listens, knows who came, and leads each request to the gateway or outside. */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { messageOf, printable } from '../../base/errors.ts'
import type { Component, Stats } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'
import { describeError, refuseSocket, UpgradeRefused } from '../http/index.ts'
import { type Arrival, createArrivals, type IsServed } from './arrival.ts'
import { parseAuthority } from './authority.ts'
import type { ProxyOptions } from './config.ts'
import { type Connect, createDialer, type Lookup } from './dial.ts'
import { BadFraming, BadTarget } from './errors.ts'
import { framingOf } from './headers.ts'
import { createHouse, machineNetworks } from './house.ts'
import { createHttp2Door } from './http2-door.ts'
import { createInlet } from './inlet.ts'
import { createKeptConnections } from './kept-connections.ts'
import { createListeners, type GivenListeners } from './listeners.ts'
import { createMachineAddresses } from './machine-addresses.ts'
import { refuse } from './refusal.ts'
import { createRemoteGateway } from './remote-gateway.ts'
import { createRequests } from './requests.ts'
import { createShares } from './shares.ts'
import { createSocksDoor } from './socks-door.ts'
import { createTlsDoor, type TlsDeps } from './tls-door.ts'
import { createTunnels } from './tunnels.ts'

export interface ProxyDeps extends TlsDeps {
  /**
   * Whether the gateway answers for that host: anything under the top-level domain, sound or not, so
   * that it can say what is wrong; its own names; domains with a link record, by `tls` only those that
   * a root certificate vouches for.
   */
  isServed: IsServed
  /** What is the box's own on every host, wherever the gateway is; true when it has its answer. */
  answer?(req: IncomingMessage, res: ServerResponse): boolean
  /** The gateway: `gateway.server.emit('request', req, res)`. */
  serve(req: IncomingMessage, res: ServerResponse): void
  /**
   * Takes over a WebSocket to the box itself; false for hosts and paths that have none. Sites have none.
   * @param host lower case, without port and trailing dot
   */
  upgrade?(req: IncomingMessage, stream: Duplex, head: Buffer, host: string): boolean
  /** Resolves names of other sites; our own resolver, so that they are not asked outside. */
  lookup: Lookup
  connect?: Connect
  /** Addresses of this machine; without it those of its interfaces. */
  ownAddresses?: () => readonly string[]
  /** IPv6 networks of this machine; without it those of its interfaces. */
  ownNetworks?: () => readonly string[]
  /** Sockets that listen already, in place of `http_port` and `https_port`. */
  given?: GivenListeners
  log: Log
}

export interface Proxy extends Component {
  /** Bound ports; 0 while it does not listen, or has no such listener. */
  readonly httpPort: number
  readonly httpsPort: number
  readonly socksPort: number
  /** Where the port for HTTP is bound; empty while it is not. */
  readonly httpAddress: string
  stats(): Stats
}

/** For the log; what proves who somebody is stays out of it. */
function headersOf({ method, url, headers }: IncomingMessage, { client }: Arrival): object {
  const secret = ['authorization', 'cookie', 'proxy-authorization']
  const shown = Object.entries(headers).map(([name, value]) => [
    name,
    secret.includes(name) ? 'left out' : value,
  ])
  return { client, method, url, headers: Object.fromEntries(shown) as unknown }
}

export function createProxy(deps: ProxyDeps, options: ProxyOptions): Proxy {
  const { log } = deps
  // Random, so that two boxes in a row are not taken for one.
  const pseudonym = `btlink-${randomBytes(4).toString('hex')}`
  const isHouse = createHouse(options.clients, deps.ownNetworks ?? machineNetworks)
  const counts = { upgraded: 0, refused: 0, failed: 0 }
  const arrivals = createArrivals()
  /** The last one of each connection. */
  const answers = new WeakMap<object, ServerResponse>()
  const stopped = new AbortController()

  const shares = createShares(options.max_tunnels, options.max_tunnels_per_client)
  const dialer = createDialer(
    {
      lookup: deps.lookup,
      connect: deps.connect,
      ownAddresses: deps.ownAddresses ?? createMachineAddresses(),
      isOwnPort: (port) => listeners.ports().includes(port),
    },
    options,
  )
  const kept = createKeptConnections()
  const remote =
    options.gateway === ''
      ? undefined
      : createRemoteGateway({ ...options, url: options.gateway, pseudonym, kept })
  const requests = createRequests(
    {
      isServed: deps.isServed,
      answer: (req, res) => deps.answer?.(req, res) === true,
      serve: remote
        ? (req, res, arrival) => remote.serve(req, res, arrival)
        : (req, res) => deps.serve(req, res),
      dialer,
      kept,
      shares,
      pseudonym,
    },
    options,
  )
  const tunnels = createTunnels(
    {
      isServed: deps.isServed,
      dialer,
      shares,
      take: (stream, arrival) => inlet.take(stream, arrival),
    },
    options,
  )

  function note(error: unknown, what: object): void {
    const { statusCode, code } = describeError(error)
    if (statusCode < 500) counts.refused++
    else counts.failed++
    const fields = { ...what, code, reason: messageOf(error) }
    if (statusCode === 500) log.error({ ...fields, err: error }, 'the proxy failed')
    else log.debug(fields, 'the proxy refused a request')
  }

  function onRequest(req: IncomingMessage, res: ServerResponse): void {
    const arrival = arrivals.of(req.socket)
    if (arrival === undefined) {
      req.socket.destroy()
      return
    }
    answers.set(req.socket, res)
    if (options.request_headers) log.debug(headersOf(req, arrival), 'a request to the proxy')
    const fail = (error: unknown) => {
      if (!res.destroyed) note(error, { client: arrival.client, url: req.url?.slice(0, 200) })
      refuse(req, res, error)
    }
    try {
      // What serves may give back anything, such as the `true` of an emit.
      const answering: unknown = requests.answer(req, res, arrival)
      if (answering instanceof Promise) answering.catch(fail)
    } catch (error) {
      fail(error)
    }
  }

  async function onConnect(req: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    const arrival = arrivals.of(stream)
    // An answer is on its way: another one would get into the middle of it.
    if (arrival === undefined || answers.get(stream)?.writableFinished === false) {
      stream.destroy()
      return
    }
    // The client may hang up while we look for the other side.
    const left = new AbortController()
    const leave = () => left.abort()
    stream.once('close', leave)
    stream.on('error', () => stream.destroy())
    const authority = req.url ?? ''
    try {
      // RFC 9110 §9.3.6: a body of CONNECT means nothing, and would be read as the tunnel's bytes.
      if (
        req.headers['content-length'] !== undefined ||
        req.headers['transfer-encoding'] !== undefined
      ) {
        throw new BadFraming('a body with CONNECT')
      }
      const target = parseAuthority(authority)
      if (target === undefined) throw new BadTarget(printable(authority, 100))
      if (head.length > 0) stream.unshift(head)
      // RFC 9110 §9.3.6: no Transfer-Encoding or Content-Length; with one Safari hangs.
      const accept = () => {
        // The tunnel has its own idea of idle.
        if ('setTimeout' in stream && typeof stream.setTimeout === 'function') stream.setTimeout(0)
        stream.write('HTTP/1.1 200 Connection established\r\n\r\n')
      }
      const signal = AbortSignal.any([left.signal, stopped.signal])
      await tunnels.open({ stream, arrival }, target, accept, signal)
    } catch (error) {
      if (stream.destroyed) return
      note(error, { client: arrival.client, authority: authority.slice(0, 200) })
      refuseSocket(stream, error instanceof Error ? error : new BadTarget(authority))
    } finally {
      stream.off('close', leave)
    }
  }

  /** To other sites it comes by CONNECT; what is asked here is for us. */
  function onUpgrade(req: IncomingMessage, stream: Duplex, head: Buffer): void {
    const arrival = arrivals.of(stream)
    if (arrival === undefined || answers.get(stream)?.writableFinished === false) {
      stream.destroy()
      return
    }
    stream.on('error', () => stream.destroy())
    try {
      framingOf(req)
      const host = parseAuthority(req.headers.host ?? '', 80)?.host ?? ''
      if (deps.upgrade?.(req, stream, head, host) === true) counts.upgraded++
      else throw new UpgradeRefused('websocket')
    } catch (error) {
      note(error, { client: arrival.client, url: req.url?.slice(0, 200) })
      refuseSocket(stream, error instanceof Error ? error : new UpgradeRefused('websocket'))
    }
  }

  const inlet = createInlet(
    {
      arrivals,
      tls: createTlsDoor(deps),
      onRequest,
      onConnect: (req, stream, head) => void onConnect(req, stream, head),
      onUpgrade,
      onHttp2: (stream, arrival) => http2.take(stream, arrival),
      isProxyName: (name) => name === options.secure_host,
    },
    {
      headerTimeoutMs: options.header_timeout,
      idleTimeoutMs: options.idle_timeout,
      maxConnections: options.max_connections,
    },
  )
  const http2 = createHttp2Door({ tunnels, inlet, note, stopped: stopped.signal }, options)
  const socks = createSocksDoor({ tunnels, note, stopped: stopped.signal }, options)
  const listeners = createListeners(
    {
      take(socket, door) {
        const client = socket.remoteAddress ?? ''
        const plain = client.startsWith('::ffff:') ? client.slice(7) : client
        const arrival: Arrival = {
          client: plain,
          local: socket.localAddress,
          isHouse: isHouse(plain),
        }
        if (door === 'socks') socks.take(socket, arrival)
        else inlet.take(socket, arrival)
      },
      given: deps.given,
      log,
    },
    options,
  )

  return {
    name: 'proxy',
    get httpPort() {
      return listeners.port('http')
    },
    get httpsPort() {
      return listeners.port('https')
    },
    get socksPort() {
      return listeners.port('socks')
    },
    get httpAddress() {
      return listeners.address('http')
    },
    async start(signal) {
      signal.throwIfAborted()
      await listeners.start()
      inlet.start()
      log.info({ port: listeners.port('http'), https: listeners.port('https') }, 'proxy listens')
    },
    async stop() {
      stopped.abort()
      inlet.stop()
      http2.stop()
      kept.stop()
      await listeners.stop()
    },
    health: () =>
      listeners.port('http') > 0
        ? { status: 'ok', score: 100 }
        : { status: 'down', score: 0, detail: 'does not listen' },
    stats: () => ({
      connections: listeners.open(),
      requests_served: requests.stats().served,
      requests_forwarded: requests.stats().forwarded,
      upgraded: counts.upgraded,
      tunnels_served: tunnels.stats().served,
      tunnels_outside: tunnels.stats().outside,
      to_other_sites: shares.taken,
      refused: counts.refused,
      failed: counts.failed,
    }),
  }
}
