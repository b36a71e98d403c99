/** One HTTP/1.1 server with the limits every edge wants: slow, large and smuggled requests end here. */
import {
  createServer,
  ServerResponse,
  STATUS_CODES,
  type RequestListener,
  type Server,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { codeOf } from '../../base/errors.ts'
import { BadRequest, HeadersTooLarge, HeadersTooSlow } from './errors.ts'
import { errorResponse } from './wire-error.ts'

export interface ServerLimits {
  /** How long a client may take for its request line and headers. */
  headerTimeoutMs: number
  /** How long a connection may move no byte in either direction. */
  idleTimeoutMs: number
  maxConnections: number
  /** Of these, for one address other than this machine's; without it, any number. */
  maxPerAddress?: number
}

// As much as nginx takes by default for one header line, twice over; longer ones get 431.
const MAX_HEADER_BYTES = 16 * 1024
const CHECK_INTERVAL_MS = 1000
const KEEP_ALIVE_MS = 30_000
// For a refusal to be read.
const LINGER_MS = 1000

/** Whether a response has begun on this socket; Node's own default handler looks at the same field. */
function isAnswering(socket: Duplex): boolean {
  const response = '_httpMessage' in socket ? socket._httpMessage : undefined
  return response instanceof ServerResponse && response.headersSent
}

/**
 * Says a last word and closes. What the peer still sends is read for a moment: with unread bytes the
 * kernel would reset the connection, and the word could be lost.
 */
export function hangUp(socket: Duplex, lastWord: Uint8Array): void {
  socket.end(lastWord)
  socket.resume()
  // Who leaves its end open would keep its place for nothing.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
}

/** Writes an error to a socket that has no response object, and closes it. */
export function refuseSocket(socket: Duplex, error: Error, requestId = '-'): void {
  // A client that reads a body would take the refusal for a part of it.
  if (!socket.writable || isAnswering(socket)) {
    socket.destroy()
    return
  }
  const { statusCode, headers, body } = errorResponse(error, undefined, requestId)
  let head = `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode] ?? 'Refused'}\r\nConnection: close\r\n`
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
  hangUp(socket, Buffer.concat([Buffer.from(`${head}\r\n`), body]))
}

function refusal(error: Error): Error {
  switch (codeOf(error)) {
    case 'HPE_HEADER_OVERFLOW':
      return new HeadersTooLarge()
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HeadersTooSlow()
    default:
      return new BadRequest('it breaks the rules of HTTP/1.1')
  }
}

/** A proxy on this machine speaks for many. */
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/

function limitPerAddress(server: Server, most: number): void {
  const counts = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const { remoteAddress: address } = socket
    if (address === undefined || LOOPBACK.test(address)) return
    const count = counts.get(address) ?? 0
    if (count >= most) {
      socket.destroy()
      return
    }
    counts.set(address, count + 1)
    socket.once('close', () => {
      const left = (counts.get(address) ?? 1) - 1
      if (left > 0) counts.set(address, left)
      else counts.delete(address)
    })
  })
}

export function createHttpServer(limits: ServerLimits, listener: RequestListener): Server {
  const server: Server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: limits.headerTimeoutMs,
      // A large upload over a slow line is welcome; a silent one ends by the idle time.
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      insecureHTTPParser: false,
      requireHostHeader: true,
      // RFC 9110 7.8: what a server cannot upgrade to, it leaves aside. Before Node 24.9 it is refused.
      shouldUpgradeCallback: ({ headers }) =>
        headers.upgrade?.toLowerCase() === 'websocket' && server.listenerCount('upgrade') > 0,
      noDelay: true,
    },
    listener,
  )
  server.maxConnections = limits.maxConnections
  if (limits.maxPerAddress !== undefined) limitPerAddress(server, limits.maxPerAddress)
  server.setTimeout(limits.idleTimeoutMs)
  server.on('clientError', (error: Error, socket) => {
    // The peer is gone: there is nobody to tell.
    if (codeOf(error) === 'ECONNRESET') socket.destroy()
    else refuseSocket(socket, refusal(error))
  })
  return server
}
