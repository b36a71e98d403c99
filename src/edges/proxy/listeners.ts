/** The ports of the proxy, with limits on how many connections there are and from whom. */
import { createServer, type Server, type Socket } from 'node:net'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import type { ProxyOptions } from './config.ts'

export type Door = 'http' | 'https' | 'socks'

export interface Listeners {
  start(): Promise<void>
  stop(): Promise<void>
  /** Bound port; 0 while closed. */
  port(door: Door): number
  ports(): number[]
  /** How many connections are open. */
  open(): number
}

export function createListeners(
  { take, log }: { take: (socket: Socket, door: Door) => void; log: Log },
  options: ProxyOptions,
): Listeners {
  const servers = new Map<Door, Server>()
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

  async function listen(server: Server, host: string, port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen({ host, port }, resolve)
    await promise
    server.off('error', reject)
    // Out of descriptors, say; once some are free again it goes on.
    server.on('error', (error) => {
      log.warn({ reason: messageOf(error) }, 'the proxy could not accept a connection')
    })
  }

  async function bind(door: Door, port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      onSocket(socket, door),
    )
    servers.set(door, server)
    try {
      await listen(server, options.address, port)
    } catch (error) {
      // A kernel without IPv6 has no `::`, and still has a house to serve.
      if (options.address !== '::' || codeOf(error) !== 'EAFNOSUPPORT') throw error
      await listen(server, '0.0.0.0', port)
    }
  }

  function port(door: Door): number {
    const address = servers.get(door)?.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  return {
    async start() {
      await bind('http', options.http_port)
      await bind('https', options.https_port)
      if (options.socks_port !== 'off') await bind('socks', options.socks_port)
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      const open = [...servers.values()].filter((server) => server.listening)
      servers.clear()
      await Promise.all(
        open.map((server) => new Promise<void>((done) => server.close(() => done()))),
      )
    },
    port,
    ports: () => [...servers.keys()].map(port).filter((bound) => bound > 0),
    open: () => sockets.size,
  }
}
