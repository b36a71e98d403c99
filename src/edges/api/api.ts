/** The API on its two listeners: TCP for the house, a Unix socket for the command line. */
import { randomUUID } from 'node:crypto'
import { chmod, rm } from 'node:fs/promises'
import { type IncomingMessage, type RequestListener, type Server, STATUS_CODES } from 'node:http'
import { type ListenOptions, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Component, Stats } from '../../base/ports/component.ts'
import { createHttpServer, describeError, refuseSocket } from '../http/index.ts'
import { type Access, createAccess } from './access.ts'
import type { ApiDeps, ApiOptions } from './deps.ts'
import { NoRoute, SocketPathTooLong } from './errors.ts'
import { backupRoutes } from './backup-routes.ts'
import { dnsRoutes } from './dns-routes.ts'
import { doctorRoutes } from './doctor-routes.ts'
import { createOpenApi } from './open-api.ts'
import { openRoutes } from './open-routes.ts'
import { peerRoutes } from './peer-routes.ts'
import { siteRoutes } from './site-routes.ts'
import { toolRoutes } from './tool-routes.ts'
import { trustRoutes } from './trust-routes.ts'

export interface Api extends Component {
  /** Bound TCP port; 0 while it does not listen or is switched off. */
  readonly port: number
  stats(): Stats
}

const LIMITS = { headerTimeoutMs: 10_000, idleTimeoutMs: 10 * 60_000 }
const MAX_CONNECTIONS = 512
const MAX_BODY_BYTES = 64 * 1024
/** A magnet link is a valid name in a path. */
const MAX_PARAMETER = 4096
/** Linux: 108 bytes with the final zero; the kernel would bind to a cut path. */
const MAX_SOCKET_PATH = 107
/** Never written to the log. */
const CREDENTIALS = ['authorization', 'proxy-authorization', 'cookie', 'x-api-key']

const listen = (server: Server, where: ListenOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  })

/** At `address`; with a kernel without IPv6, which has no `::`, at every address of IPv4. */
async function listenAt(server: Server, address: string, port: number): Promise<void> {
  try {
    await listen(server, { host: address, port })
  } catch (error) {
    if (address !== '::' || codeOf(error) !== 'EAFNOSUPPORT') throw error
    await listen(server, { host: '0.0.0.0', port })
  }
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  server.closeAllConnections()
  await closed
}

function headersForLog({ headers }: IncomingMessage): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      CREDENTIALS.includes(name) ? '***' : value,
    ]),
  )
}

function buildApp(
  deps: ApiDeps,
  options: ApiOptions,
  access: Access,
  counts: Stats,
): FastifyInstance {
  const { log } = deps
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    // A mistyped key is refused, not dropped without a word.
    ajv: { customOptions: { removeAdditional: false } },
    routerOptions: { maxParamLength: MAX_PARAMETER },
    genReqId: () => randomUUID(),
    exposeHeadRoutes: true,
    return503OnClosing: false,
  })
  const openApi = createOpenApi(options.version)
  app.addHook('onRoute', (route) => openApi.add(route))
  app.addHook('onRequest', async (request) => {
    counts['requests_total'] = (counts['requests_total'] ?? 0) + 1
    if (options.requestHeaders) {
      const { method, url } = request
      log.info({ method, url, headers: headersForLog(request.raw) }, 'api request')
    }
    access.checkHost(request.raw)
  })
  app.addHook('onSend', async (request, reply) => {
    void reply.header('x-content-type-options', 'nosniff').header('x-request-id', request.id)
    if (!reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store')
  })
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { statusCode, code, message } = describeError(error)
    counts['errors_total'] = (counts['errors_total'] ?? 0) + 1
    if (statusCode >= 500 && code === 'BTL_ERR_HTTP_INTERNAL') {
      log.error({ requestId: request.id, cause: messageOf(error) }, 'a request failed')
    }
    // What a stranger sent and we did not read must not be taken for the next request.
    if (!request.raw.complete) void reply.header('connection', 'close')
    const body = {
      error: STATUS_CODES[statusCode] ?? 'Refused',
      code,
      message,
      requestId: request.id,
    }
    void reply.code(statusCode).type('application/json').send(JSON.stringify(body))
  })
  app.setNotFoundHandler((request) => {
    throw new NoRoute(request.method, request.url.slice(0, 200))
  })

  openRoutes(app, { deps, document: () => openApi.document() })
  void app.register(async (admin) => {
    admin.addHook('onRequest', async (request) => access.checkAdmin(request.raw))
    const isTrusted = ({ raw }: FastifyRequest) => access.isTrusted(raw)
    siteRoutes(admin, { ...deps, isTrusted }, options)
    trustRoutes(admin, { pki: deps.pki, isTrusted })
    backupRoutes(admin, { store: deps.store, isTrusted })
    dnsRoutes(admin, deps)
    doctorRoutes(admin, deps.doctor)
    toolRoutes(admin, deps, options)
    peerRoutes(admin, deps, options)
  })
  return app
}

export function createApi(deps: ApiDeps, options: ApiOptions): Api {
  const { gateway, adminSocket } = options
  const access = createAccess(gateway, (address) => deps.isHouse(address))
  const counts: Stats = { requests_total: 0, errors_total: 0 }
  let app: FastifyInstance | undefined
  let servers: Server[] = []
  /** The server forgets them, and yet would wait for them when it closes. */
  const upgraded = new Set<Duplex>()
  let port = 0

  async function listenOnSocket(server: Server): Promise<void> {
    if (Buffer.byteLength(adminSocket) > MAX_SOCKET_PATH) throw new SocketPathTooLong(adminSocket)
    // What a killed daemon left; the lock on the store keeps two living ones apart.
    await rm(adminSocket, { force: true })
    server.on('connection', (socket) => {
      if (socket instanceof Socket) access.markTrusted(socket)
    })
    await listen(server, { path: adminSocket })
    await chmod(adminSocket, 0o660)
  }

  async function stop(): Promise<void> {
    port = 0
    const closed = servers.splice(0).map(close)
    for (const socket of upgraded) socket.destroy()
    await Promise.all(closed)
    const built = app
    app = undefined
    await built?.close()
  }

  return {
    name: 'api',
    get port() {
      return port
    },
    stats: () => ({ ...counts }),
    async start(signal) {
      const built = buildApp(deps, options, access, counts)
      app = built
      await built.ready()
      signal.throwIfAborted()
      const newServer = (handler: RequestListener) => {
        // WebSockets of browsers must not keep people out.
        const maxConnections = MAX_CONNECTIONS + options.maxSockets
        // Nor shall one device keep out the others.
        const maxPerAddress = Math.ceil(maxConnections / 2)
        const server = createHttpServer({ ...LIMITS, maxConnections, maxPerAddress }, handler)
        servers.push(server)
        return server
      }
      servers = []
      try {
        await listenOnSocket(newServer((req, res) => built.routing(req, res)))
        if (gateway.enabled) {
          const server = newServer((req, res) => {
            if (!deps.tracker.answer(req, res)) built.routing(req, res)
          })
          server.on('upgrade', (req: IncomingMessage, socket, head) => {
            upgraded.add(socket)
            socket.once('close', () => upgraded.delete(socket))
            if (!deps.tracker.upgrade(req, socket, head)) {
              refuseSocket(socket, new NoRoute('upgrade', (req.url ?? '').slice(0, 200)))
            }
          })
          await listenAt(server, gateway.address, gateway.port)
          const address = server.address()
          port = typeof address === 'object' && address !== null ? address.port : 0
        }
      } catch (error) {
        await stop()
        throw error
      }
    },
    stop,
    health: () =>
      servers.length > 0
        ? { status: 'ok', score: 100 }
        : { status: 'down', score: 0, detail: 'the API does not listen' },
  }
}
