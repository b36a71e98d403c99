/** One request passed on to another server, and its answer passed back. */
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { codeOf, messageOf } from '../../base/errors.ts'
import { BrokenAnswer, Late } from './errors.ts'
import { endToEnd, framingOf } from './headers.ts'
import type { Dial, KeptConnections } from './kept-connections.ts'

export interface Onward {
  /** A new connection to the other server. @throws what the client is told */
  dial: Dial
  /** Connections kept for `key`; only for requests that may be said again. */
  kept: KeptConnections
  key: string
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
  isKept: boolean,
): string[] {
  const framing = framingOf(req)
  // Node has said 100 Continue by itself.
  const headers = endToEnd(req.rawHeaders, ['host', 'expect', ...(drop ?? [])])
  headers.unshift('Host', authority)
  headers.push(...more, 'Connection', isKept ? 'keep-alive' : 'close')
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

/** @returns whether a kept connection was gone already, and nothing has come of it */
async function attempt(
  req: IncomingMessage,
  res: ServerResponse,
  onward: Onward,
  isKept: boolean,
): Promise<'done' | 'gone'> {
  const { host } = onward
  const { promise, resolve, reject } = Promise.withResolvers<'done' | 'gone'>()
  const socket = isKept ? undefined : await onward.dial()
  const upstream = request({
    method: req.method,
    path: onward.path,
    headers: requestHeaders(req, onward, isKept),
    setHost: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
    timeout: onward.idleMs,
    ...(socket ? { createConnection: () => socket } : onward.kept.way(onward.key, onward.dial)),
  })
  const gone = () => {
    upstream.destroy()
    resolve('done')
  }
  res.once('close', gone)
  upstream.once('timeout', () => upstream.destroy(new Late(host)))
  upstream.once('error', (error: Error) => {
    // While it answers, the answer's own pipeline deals with it.
    if (res.headersSent) return
    if (upstream.reusedSocket && !(error instanceof Late) && !answered) resolve('gone')
    else if (codeOf(error)?.startsWith('BTL_') === true) reject(error)
    else reject(new BrokenAnswer(host, messageOf(error), { cause: error }))
  })
  // We asked for no other protocol; Node would hang up without a word to anybody.
  upstream.once('upgrade', () => {
    upstream.destroy()
    reject(new BrokenAnswer(host, 'it speaks another protocol now'))
  })
  let answered = false
  upstream.once('response', (answer) => {
    answered = true
    try {
      res.writeHead(answer.statusCode ?? 502, answerHeaders(answer, req, onward))
    } catch (error) {
      upstream.destroy()
      reject(new BrokenAnswer(host, messageOf(error), { cause: error }))
      return
    }
    pipeline(answer, res, (error) => {
      if (error) {
        res.destroy()
        upstream.destroy()
      }
      // A client that has its answer and is still sending would go on for nobody.
      socket?.destroy()
      resolve('done')
    })
  })
  // A client that breaks off in the middle of its body has left; its response closes with it.
  if (framingOf(req) === 'none') upstream.end()
  else pipeline(req, upstream, () => undefined)
  try {
    return await promise
  } finally {
    res.off('close', gone)
    if (!res.headersSent) upstream.destroy()
  }
}

/**
 * Resolves when the answer is sent, or when nobody is there any more to read it. A body that breaks off
 * breaks the connection to the client as well.
 * @throws BadFraming (400), BrokenAnswer (502), Late (504), what `dial` throws, while no answer has begun
 */
export async function forward(
  req: IncomingMessage,
  res: ServerResponse,
  onward: Onward,
): Promise<void> {
  // RFC 9110 §9.2.2: what may be said twice may go over a connection that the other side is closing.
  const mayRepeat = (req.method === 'GET' || req.method === 'HEAD') && framingOf(req) === 'none'
  if (mayRepeat && (await attempt(req, res, onward, true)) === 'done') return
  await attempt(req, res, onward, false)
}
