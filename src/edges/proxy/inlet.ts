/** Every stream that a client speaks HTTP or TLS on: told apart by its first byte, brought to one HTTP server. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { createHttpServer, markProxied, type ServerLimits } from '../http/index.ts'
import type { Arrival, Arrivals } from './arrival.ts'
import { firstChunk } from './first-chunk.ts'
import { asksForProof, type TlsDoor } from './tls-door.ts'

export interface InletDeps {
  arrivals: Arrivals
  tls: TlsDoor
  onRequest(req: IncomingMessage, res: ServerResponse): void
  onConnect(req: IncomingMessage, stream: Duplex, head: Buffer): void
  onUpgrade(req: IncomingMessage, stream: Duplex, head: Buffer): void
  /** Takes a stream on which HTTP/2 is spoken. */
  onHttp2(stream: Duplex, arrival: Arrival): void
  /** Whether the HTTPS proxy is known by that name. */
  isProxyName(serverName: string): boolean
}

export interface Inlet {
  /** Serves what comes over the stream, to its end. */
  take(stream: Duplex, arrival: Arrival): void
  /** Begins to watch over slow heads. */
  start(): void
  stop(): void
}

// RFC 8446 §5.1: the content type of a handshake record. No method of HTTP begins with it.
const TLS_HANDSHAKE = 0x16

export function createInlet(deps: InletDeps, limits: ServerLimits): Inlet {
  const { arrivals } = deps
  const { headerTimeoutMs } = limits
  const http: Server = createHttpServer(limits, (req, res) => deps.onRequest(req, res))
  http.on('connect', (req: IncomingMessage, stream: Duplex, head: Buffer) =>
    deps.onConnect(req, stream, head),
  )
  http.on('upgrade', (req: IncomingMessage, stream: Duplex, head: Buffer) =>
    deps.onUpgrade(req, stream, head),
  )

  function plain(stream: Duplex, arrival: Arrival): void {
    arrivals.set(stream, arrival)
    if (arrival.inside) markProxied(stream)
    http.emit('connection', stream)
  }

  async function secure(stream: Duplex, arrival: Arrival, hello: Uint8Array): Promise<void> {
    const { inside } = arrival
    const socket = await deps.tls.open(stream, {
      ...(inside && !inside.isAddress && { host: inside.host }),
      // Sites are spoken to in HTTP/1.1: only the proxy itself has something to gain from HTTP/2.
      mayHttp2: (name) => !inside && (name === '' || deps.isProxyName(name)),
      asksForProof: !inside && asksForProof(hello),
      timeoutMs: headerTimeoutMs,
    })
    if (socket === undefined) return
    if (socket.alpnProtocol === 'h2') {
      arrivals.set(socket, arrival)
      deps.onHttp2(socket, arrival)
    } else plain(socket, arrival)
  }

  async function sort(stream: Duplex, arrival: Arrival): Promise<void> {
    const first = await firstChunk(stream, headerTimeoutMs)
    if (first === undefined || stream.destroyed) stream.destroy()
    else if (first[0] === TLS_HANDSHAKE) await secure(stream, arrival, first)
    else plain(stream, arrival)
  }

  return {
    take(stream, arrival) {
      stream.on('error', () => stream.destroy())
      sort(stream, arrival).catch(() => stream.destroy())
    },
    start() {
      // Node watches over slow heads from the time its server listens; this one is brought its streams.
      http.emit('listening')
    },
    stop() {
      http.close()
      http.closeAllConnections()
    },
  }
}
