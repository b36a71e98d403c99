/** DNS over TCP (RFC 7766): many questions a connection, answers in any order, and nobody takes all the places. */
import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { HEADER_BYTES } from '../../base/dns/codes.ts'
import { type BoxAddresses, unmapped } from './box-addresses.ts'
import type { DnsConfig } from './config.ts'
import { DnsBindFailed } from './errors.ts'
import type { Packet } from './resolver.ts'
import { type Listening, placeText, type ServerDeps } from './server-udp.ts'

/** RFC 7766 §6.2.1.1: pipelined questions that are worked on at once. */
const MAX_IN_FLIGHT = 64
/** Who does not read its answers is not answered any more. */
const MAX_UNREAD_BYTES = 256 * 1024

interface Client {
  socket: Socket
  address: string
  /** Where it finds the box. */
  box: () => BoxAddresses
  inFlight: number
  lastAt: number
}

export type TcpLimits = Pick<
  DnsConfig,
  'max_connections' | 'max_connections_per_client' | 'idle_timeout'
>

/** The connections of all addresses together. */
export function createConnections(limits: TcpLimits, now: () => number) {
  const clients = new Set<Client>()
  const stats = { accepted: 0, refused: 0 }
  const ofClient = (address: string) => [...clients].filter((one) => one.address === address).length

  return {
    stats,
    size: () => clients.size,
    /** Undefined where the client has as many as it may. The longest idle makes room for a new one. */
    admit(socket: Socket, address: string, box: Client['box']): Client | undefined {
      if (ofClient(address) >= limits.max_connections_per_client) {
        stats.refused++
        return undefined
      }
      if (clients.size >= limits.max_connections) {
        const [idle] = [...clients].sort((a, b) => a.lastAt - b.lastAt)
        idle?.socket.destroy()
        if (idle) clients.delete(idle)
      }
      stats.accepted++
      const client = { socket, address, box, inFlight: 0, lastAt: now() }
      clients.add(client)
      return client
    },
    leave: (client: Client) => void clients.delete(client),
    destroyAll(): void {
      for (const { socket } of clients) socket.destroy()
      clients.clear()
    },
  }
}

export type Connections = ReturnType<typeof createConnections>

export async function listenTcp(
  deps: ServerDeps,
  place: { address: string; port: number } | { fd: number },
  connections: Connections,
  limits: TcpLimits,
): Promise<Listening> {
  const { log, resolver, guard, addresses, now, policyZone } = deps
  const way = { transport: 'tcp', idleMs: limits.idle_timeout } as const

  function send(client: Client, packet: Packet): void {
    const { socket } = client
    if (packet === undefined || socket.destroyed) return
    if (socket.writableLength > MAX_UNREAD_BYTES) {
      socket.destroy()
      return
    }
    const frame = Buffer.allocUnsafe(2 + packet.length)
    frame.writeUInt16BE(packet.length, 0)
    frame.set(packet, 2)
    socket.write(frame)
  }

  function ask(client: Client, packet: Uint8Array): void {
    const { socket } = client
    client.lastAt = now()
    if (!guard.admits(client.address, socket.remotePort ?? 0)) return
    const zone = policyZone?.transfer(packet, client.address)
    if (zone !== undefined) {
      if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy()
      else socket.write(zone)
      return
    }
    const reply = resolver.answer(packet, client.box, way)
    if (!(reply instanceof Promise)) {
      send(client, reply)
      return
    }
    client.inFlight++
    const leave = guard.waits(client.address)
    if (client.inFlight >= MAX_IN_FLIGHT) socket.pause()
    void reply.then((late) => {
      client.inFlight--
      leave()
      if (client.inFlight < MAX_IN_FLIGHT) socket.resume()
      send(client, late)
    })
  }

  function serve(socket: Socket): void {
    socket.on('error', () => undefined)
    const from = unmapped(socket.remoteAddress ?? '')
    const local = unmapped(socket.localAddress ?? '')
    const box = () => addresses.seenFrom('fd' in place ? local : place.address)
    const client = guard.isAllowed(from) ? connections.admit(socket, from, box) : undefined
    if (client === undefined) {
      socket.destroy()
      return
    }
    socket.setNoDelay(true)
    // Only whole questions count: a byte now and then keeps nobody's place.
    let idle: NodeJS.Timeout | undefined
    const rest = () => {
      clearTimeout(idle)
      idle = setTimeout(() => {
        if (client.inFlight > 0) rest()
        else socket.destroy()
      }, limits.idle_timeout)
    }
    rest()
    let held: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      let at = 0
      while (held.length - at >= 2 && held.length - at >= 2 + held.readUInt16BE(at)) {
        const end = at + 2 + held.readUInt16BE(at)
        // A frame of nothing is two zeros: no question either.
        if (end - at > HEADER_BYTES) rest()
        ask(client, held.subarray(at + 2, end))
        at = end
      }
      if (at > 0) held = held.subarray(at)
    })
    socket.on('close', () => {
      clearTimeout(idle)
      connections.leave(client)
    })
  }

  const server: Server = createServer(serve)
  if ('fd' in place) server.listen({ fd: place.fd })
  else {
    const { address: host, port } = place
    server.listen({ host, port, ipv6Only: host.includes(':'), exclusive: true })
  }
  try {
    await once(server, 'listening')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new DnsBindFailed(placeText(place), why, { cause: error })
  }
  server.on('error', (error) =>
    log.warn({ error: error.message }, 'a DNS server reports a failure'),
  )
  const bound = server.address()
  const isBound = typeof bound === 'object' && bound !== null
  return {
    address: isBound ? bound.address : '',
    port: isBound ? bound.port : 0,
    async close() {
      if (!server.listening) return
      // Its connections are ended by whoever has them all.
      await new Promise<void>((done) => void server.close(() => done()))
    },
  }
}
