/** The HTTPS proxy in HTTP/2, as browsers speak it once it is offered: CONNECT, and plain requests. */
import {
  constants,
  createServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { request } from 'node:http'
import { type Duplex, duplexPair, pipeline } from 'node:stream'
import { describeError } from '../http/index.ts'
import type { Arrival } from './arrival.ts'
import { parseAuthority } from './authority.ts'
import { BadTarget, BrokenAnswer } from './errors.ts'
import type { Inlet } from './inlet.ts'
import type { Tunnels } from './tunnels.ts'
import { messageOf, printable } from '../../base/errors.ts'

export interface Http2Deps {
  tunnels: Tunnels
  inlet: Inlet
  note: (error: unknown, what: object) => void
  stopped: AbortSignal
}

export interface Http2Door {
  /** Serves an HTTP/2 connection to its end. */
  take(stream: Duplex, arrival: Arrival): void
  stop(): void
}

const MAX_STREAMS = 128
/** RFC 9113 §8.2.2: of a connection, not of a message. */
const NOT_IN_HTTP2 = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]

function endsBadly(stream: ServerHttp2Stream): void {
  if (!stream.closed) stream.close(constants.NGHTTP2_INTERNAL_ERROR)
}

export function createHttp2Door(deps: Http2Deps, options: { idle_timeout: number }): Http2Door {
  const { tunnels, inlet, note } = deps
  const sessions = new WeakMap<Http2Session, Arrival>()
  const open = new Set<ServerHttp2Session>()
  let arriving: Arrival | undefined
  const server = createServer({
    settings: { maxConcurrentStreams: MAX_STREAMS, enableConnectProtocol: false },
    maxHeaderListPairs: 200,
    // Streams opened only to be reset cost us a request each (CVE-2023-44487). A browser that leaves a
    // page resets as many as it has; who goes on so is sent away.
    streamResetBurst: 2 * MAX_STREAMS,
    streamResetRate: 33,
    // As much as HTTP/1.1 gets.
    maxSendHeaderBlockLength: 128 * 1024,
  })

  function refuse(stream: ServerHttp2Stream, error: unknown, what: object): void {
    if (stream.destroyed || stream.headersSent) {
      endsBadly(stream)
      return
    }
    note(error, what)
    const { statusCode, code, message } = describeError(error)
    stream.respond({ ':status': statusCode, 'content-type': 'application/json' })
    stream.end(`${JSON.stringify({ code, message })}\n`)
  }

  async function connect(stream: ServerHttp2Stream, authority: string, arrival: Arrival) {
    const left = new AbortController()
    const leave = () => left.abort()
    stream.once('close', leave)
    try {
      const target = parseAuthority(authority)
      if (target === undefined) throw new BadTarget(printable(authority, 100))
      const accept = () => stream.respond({ ':status': 200 })
      const signal = AbortSignal.any([left.signal, deps.stopped])
      await tunnels.open({ stream, arrival }, target, accept, signal)
    } catch (error) {
      refuse(stream, error, { client: arrival.client, authority: authority.slice(0, 200) })
    } finally {
      stream.off('close', leave)
    }
  }

  /** Said again in HTTP/1.1 to our own server, so that there is one way to read a request. */
  function plain(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, arrival: Arrival): void {
    const authority = headers[':authority'] ?? headers.host ?? ''
    const path = headers[':path'] ?? '/'
    const isDirect = headers[':scheme'] === 'https'
    const [near, far] = duplexPair()
    // What nobody reads any more would wait in the other half for ever.
    near.once('close', () => far.destroy())
    // What is asked under https is asked of us; under http of the proxy.
    if (isDirect) Object.defineProperty(far, 'encrypted', { value: true })
    inlet.take(far, arrival)
    const fields: string[] = ['Host', authority]
    for (const [name, value] of Object.entries(headers)) {
      if (name.startsWith(':') || name === 'host' || value === undefined) continue
      if (NOT_IN_HTTP2.includes(name)) continue
      for (const one of [value].flat()) fields.push(name, one)
    }
    const hasBody = !stream.endAfterHeaders
    if (hasBody && headers['content-length'] === undefined) {
      fields.push('Transfer-Encoding', 'chunked')
    }
    const req = request({
      method: String(headers[':method']),
      path: isDirect ? path : `http://${authority}${path}`,
      headers: fields,
      setHost: false,
      createConnection: () => near,
    })
    req.once('error', () => endsBadly(stream))
    req.once('response', (res) => {
      if (stream.destroyed) {
        res.destroy()
        return
      }
      // Lines that HTTP/2 wants once are one here, whatever the site sent.
      const told = Object.entries(res.headers).filter(([name]) => !NOT_IN_HTTP2.includes(name))
      try {
        stream.respond({ ':status': res.statusCode ?? 502, ...Object.fromEntries(told) })
      } catch (error) {
        // HTTP/2 has no words for such a status.
        res.destroy()
        const broken = new BrokenAnswer(authority, messageOf(error), { cause: error })
        refuse(stream, broken, { client: arrival.client })
        return
      }
      pipeline(res, stream, (error) => {
        if (error) endsBadly(stream)
      })
    })
    stream.once('close', () => {
      req.destroy()
      near.destroy()
    })
    pipeline(stream, req, () => undefined)
  }

  server.on('session', (session: ServerHttp2Session) => {
    open.add(session)
    if (arriving) sessions.set(session, arriving)
    session.setTimeout(options.idle_timeout, () => session.close())
    session.once('close', () => open.delete(session))
  })
  // A session that breaks has closed its streams; there is nobody to tell.
  server.on('sessionError', () => undefined)
  server.on('stream', (stream, headers) => {
    const arrival = stream.session && sessions.get(stream.session)
    stream.on('error', () => stream.destroy())
    if (!arrival) stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    else if (headers[':method'] === 'CONNECT') {
      void connect(stream, headers[':authority'] ?? '', arrival)
    } else {
      try {
        plain(stream, headers, arrival)
      } catch (error) {
        // HTTP/1.1 has no words for such a method, path or header.
        refuse(stream, new BadTarget(printable(messageOf(error), 100)), { client: arrival.client })
      }
    }
  })

  return {
    take(stream, arrival) {
      // Connections of HTTP/2 have no halves; the session itself does not look.
      stream.once('end', () => stream.destroy())
      // The session is made, and told of, before this returns.
      arriving = arrival
      server.emit('connection', stream)
      arriving = undefined
    },
    stop() {
      for (const session of open) session.destroy()
    },
  }
}
