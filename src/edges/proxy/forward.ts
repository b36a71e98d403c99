/** One request passed on to another server, and its answer passed back. */
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { messageOf } from '../../base/errors.ts'
import { BrokenAnswer, Late } from './errors.ts'
import { endToEnd, framingOf } from './headers.ts'

export interface Onward {
  /** Connected; belongs to this request alone. */
  socket: Socket
  /** For messages. */
  host: string
  /** Origin form: path and query. */
  path: string
  /** Host header. */
  authority: string
  /** Names of headers of the client that are left out. */
  drop?: readonly string[]
  /** Name and value in turn, added to the request. */
  request: readonly string[]
  /** Name and value in turn, added to the answer. */
  answer: readonly string[]
  /** The other server may be silent for so long. */
  idleMs: number
}

// Enough for what origins really send; Node answers longer heads with an error.
const MAX_HEADER_BYTES = 64 * 1024
const WITH_BODY = ['POST', 'PUT', 'PATCH']

function requestHeaders(
  req: IncomingMessage,
  { authority, drop, request: more }: Onward,
): string[] {
  const framing = framingOf(req)
  // Node has said 100 Continue by itself.
  const headers = endToEnd(req.rawHeaders, ['host', 'expect', ...(drop ?? [])])
  headers.unshift('Host', authority)
  headers.push(...more, 'Connection', 'close')
  if (framing === 'chunked') headers.push('Transfer-Encoding', 'chunked')
  else if (framing === 'none' && WITH_BODY.includes(req.method ?? '')) {
    headers.push('Content-Length', '0')
  }
  return headers
}

function answerHeaders(answer: IncomingMessage, req: IncomingMessage, onward: Onward): string[] {
  const headers = endToEnd(answer.rawHeaders)
  headers.push(...onward.answer)
  // What is left of an unfinished body would be taken for the next request.
  if (!req.complete) headers.push('Connection', 'close')
  return headers
}

/**
 * Resolves when the answer is sent, or when nobody is there any more to read it. A body that breaks off
 * breaks the connection to the client as well.
 * @throws BadFraming (400), BrokenAnswer (502), Late (504) while no answer has begun
 */
export async function forward(
  req: IncomingMessage,
  res: ServerResponse,
  onward: Onward,
): Promise<void> {
  const { socket, host } = onward
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const upstream = request({
    method: req.method,
    path: onward.path,
    headers: requestHeaders(req, onward),
    setHost: false,
    createConnection: () => socket,
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
  })
  const gone = () => {
    upstream.destroy()
    socket.destroy()
    resolve()
  }
  res.once('close', gone)
  socket.setTimeout(onward.idleMs, () => upstream.destroy(new Late(host)))
  upstream.once('error', (error: Error) => {
    // While it answers, the answer's own pipeline deals with it.
    if (res.headersSent) return
    reject(
      error instanceof Late ? error : new BrokenAnswer(host, messageOf(error), { cause: error }),
    )
  })
  // We asked for no other protocol; Node would hang up without a word to anybody.
  upstream.once('upgrade', () => {
    socket.destroy()
    reject(new BrokenAnswer(host, 'it speaks another protocol now'))
  })
  upstream.once('response', (answer) => {
    try {
      res.writeHead(answer.statusCode ?? 502, answerHeaders(answer, req, onward))
    } catch (error) {
      upstream.destroy()
      reject(new BrokenAnswer(host, messageOf(error), { cause: error }))
      return
    }
    pipeline(answer, res, (error) => {
      if (error) res.destroy()
      socket.destroy()
      resolve()
    })
  })
  // A client that breaks off in the middle of its body has left; its response closes with it.
  if (framingOf(req) === 'none') upstream.end()
  else pipeline(req, upstream, () => undefined)
  try {
    await promise
  } finally {
    res.off('close', gone)
    if (!res.headersSent) socket.destroy()
  }
}
