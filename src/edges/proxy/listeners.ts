/** The ports of the proxy, with limits on how many connections there are and from whom. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import type { ProxyOptions } from './config.ts'

export type Door = 'http' | 'https' | 'socks'

/** File descriptors of TCP sockets that listen already; where a door has some, it binds none. */
export interface GivenListeners {
  http: readonly number[]
  https: readonly number[]
}

export interface Listeners {
  start(): Promise<void>
  stop(): Promise<void>
  /** Bound port, the first of several; 0 while closed. */
  port(door: Door): number
  /** Empty while closed. */
  address(door: Door): string
  /** Of all. */
  ports(): number[]
  /** How many connections are open. */
  open(): number
}

export function createListeners(
  {
    take,
    log,
    given = { http: [], https: [] },
  }: { take: (socket: Socket, door: Door) => void; log: Log; given?: GivenListeners | undefined },
  options: ProxyOptions,
): Listeners {
  const servers: { door: Door; server: Server }[] = []
  const sockets = new Set<Socket>()
  const perClient = new Map<string, number>()

  function onSocket(socket: Socket, door: Door): void {
    const client = socket.remoteAddress ?? ''
    const own = perClient.get(client) ?? 0
    // Nothing was read yet, so nobody knows in which protocol to say why.
    if (sockets.size >= options.max_connections || own >= options.max_connections_per_client) {
      socket.destroy()
      return
    }
    sockets.add(socket)
    perClient.set(client, own + 1)
    socket.once('close', () => {
      sockets.delete(socket)
      const left = (perClient.get(client) ?? 1) - 1
      if (left > 0) perClient.set(client, left)
      else perClient.delete(client)
    })
    take(socket, door)
  }

  async function listen(
    server: Server,
    at: { host: string; port: number } | { fd: number },
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen(at, resolve)
    await promise
    server.off('error', reject)
    // Out of descriptors, say; once some are free again it goes on.
    server.on('error', (error) => {
      log.warn({ reason: messageOf(error) }, 'the proxy could not accept a connection')
    })
  }

  function open(door: Door): Server {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      onSocket(socket, door),
    )
    servers.push({ door, server })
    return server
  }

  async function bind(door: Door, port: number): Promise<void> {
    const server = open(door)
    try {
      await listen(server, { host: options.address, port })
    } catch (error) {
      // A kernel without IPv6 has no `::`, and still has a house to serve.
      if (options.address !== '::' || codeOf(error) !== 'EAFNOSUPPORT') throw error
      await listen(server, { host: '0.0.0.0', port })
    }
  }

  async function bindOrTake(door: 'http' | 'https', port: number): Promise<void> {
    const fds = given[door]
    if (fds.length === 0) return bind(door, port)
    for (const fd of fds) await listen(open(door), { fd })
    log.info(
      { door, ports: portsOf(door), configured: port },
      'takes the sockets of systemd in place of the configured port',
    )
  }

  const addressOf = (server: Server): AddressInfo | undefined => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address : undefined
  }

  const portsOf = (door?: Door): number[] =>
    servers
      .filter((one) => door === undefined || one.door === door)
      .map(({ server }) => addressOf(server)?.port ?? 0)
      .filter((bound) => bound > 0)

  return {
    async start() {
      await bindOrTake('http', options.http_port)
      await bindOrTake('https', options.https_port)
      if (options.socks_port !== 'off') await bind('socks', options.socks_port)
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      const listening = servers.splice(0).filter(({ server }) => server.listening)
      await Promise.all(
        listening.map(({ server }) => new Promise<void>((done) => server.close(() => done()))),
      )
    },
    port: (door) => portsOf(door)[0] ?? 0,
    address(door) {
      const first = servers.find((one) => one.door === door)
      return (first && addressOf(first.server)?.address) ?? ''
    },
    ports: () => portsOf(),
    open: () => sockets.size,
  }
}
