/** One HTTP/1.1 server with the limits every edge wants: slow, large and smuggled requests end here. */
import {
  createServer,
  ServerResponse,
  STATUS_CODES,
  type RequestListener,
  type Server,
} from 'node:http'
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
  socket.end(Buffer.concat([Buffer.from(`${head}\r\n`), body]))
  // Who leaves its end open would keep its place for nothing.
  const late = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(late))
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

export function createHttpServer(limits: ServerLimits, listener: RequestListener): Server {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: limits.headerTimeoutMs,
      // A large upload over a slow line is welcome; a silent one ends by the idle time.
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      insecureHTTPParser: false,
      requireHostHeader: true,
      noDelay: true,
    },
    listener,
  )
  server.maxConnections = limits.maxConnections
  server.setTimeout(limits.idleTimeoutMs)
  server.on('clientError', (error: Error, socket) => {
    // The peer is gone: there is nobody to tell.
    if (codeOf(error) === 'ECONNRESET') socket.destroy()
    else refuseSocket(socket, refusal(error))
  })
  return server
}
