/**
 * HTTP to addresses that strangers name: what a torrent or link says must not make the box talk to
 * itself or to its network. The address is judged where the socket connects, so that no name can
 * change its mind between the check and the connection.
 */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns'
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { TorrentBadReply, TorrentUnsafeUrl } from '../errors.ts'
import { reachOf } from '../../../base/ip-reach.ts'

const MAX_REDIRECTS = 3
const MAX_SOCKETS = 6

export interface GuardedReply {
  status: number
  headers: IncomingMessage['headers']
  body: Uint8Array
}

export interface GuardedRequest {
  headers?: Record<string, string>
  maxBytes: number
  timeoutMs: number
  /** Judges status and headers before a byte of the body is read. */
  accept: (status: number, headers: IncomingMessage['headers']) => boolean
  /** Waits until bytes that came from `host` may have come; the wait is not part of the timeout. */
  paced?: (bytes: number, host: string, signal: AbortSignal) => Promise<void> | undefined
}

export interface GuardedHttp {
  /** @throws TorrentUnsafeUrl for an address of the own network, TorrentBadReply for what is not accepted */
  get(url: string, request: GuardedRequest, signal: AbortSignal): Promise<GuardedReply>
  close(): void
}

export const isAskable = (host: string, allowLocal: boolean): boolean => {
  const reach = reachOf(host)
  return reach === 'public' || (allowLocal && reach !== 'reserved')
}

/** Resolves a name to the addresses that may be asked. */
export function guardedLookup(allowLocal: boolean): LookupFunction {
  return (hostname, options, done) => {
    const settings = { ...options, all: true as const }
    dnsLookup(hostname, settings, (error, found: LookupAddress[]) => {
      const first = found?.find(({ address }) => isAskable(address, allowLocal))
      if (error) done(error, '', 0)
      else if (first === undefined)
        done(new TorrentUnsafeUrl(hostname, 'it lies in the own network'), '', 0)
      else if (options.all === true)
        done(
          null,
          found.filter(({ address }) => isAskable(address, allowLocal)),
        )
      else done(null, first.address, first.family)
    })
  }
}

/** @throws TorrentUnsafeUrl unless the URL is http(s) and its address, where it is a literal, may be asked */
function checkedUrl(text: string, allowLocal: boolean): URL {
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new TorrentUnsafeUrl(url.href, 'it is not http')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) > 0 && !isAskable(host, allowLocal))
    throw new TorrentUnsafeUrl(url.href, 'it lies in the own network')
  return url
}

interface Deadline {
  signal: AbortSignal
  /** Awaits what we cause ourselves: that time does not count. */
  without(wait: Promise<void>): Promise<void>
  clear(): void
}

function createDeadline(timeoutMs: number, given: AbortSignal): Deadline {
  const late = new AbortController()
  let left = timeoutMs
  let since = 0
  let timer: NodeJS.Timeout | undefined
  const run = () => {
    since = performance.now()
    timer = setTimeout(
      () => late.abort(new DOMException('The operation timed out.', 'TimeoutError')),
      Math.max(left, 0),
    ).unref()
  }
  run()
  return {
    signal: AbortSignal.any([given, late.signal]),
    async without(wait) {
      clearTimeout(timer)
      left -= performance.now() - since
      try {
        await wait
      } finally {
        run()
      }
    },
    clear: () => clearTimeout(timer),
  }
}

async function readBody(
  url: URL,
  response: IncomingMessage,
  { maxBytes, paced }: GuardedRequest,
  deadline: Deadline,
): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  const host = response.socket.remoteAddress ?? ''
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new TorrentBadReply(url.host, `more than ${maxBytes} bytes`)
    chunks.push(chunk)
    const wait = paced?.(chunk.length, host, deadline.signal)
    if (wait) await deadline.without(wait)
  }
  return Buffer.concat(chunks)
}

export function createGuardedHttp(allowLocal: boolean): GuardedHttp {
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: MAX_SOCKETS }
  const agents = { http: new HttpAgent(options), https: new HttpsAgent(options) }
  const lookup = guardedLookup(allowLocal)

  async function once(url: URL, request: GuardedRequest, signal: AbortSignal) {
    const isHttps = url.protocol === 'https:'
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const sent = (isHttps ? httpsRequest : httpRequest)(url, {
      agent: isHttps ? agents.https : agents.http,
      headers: { 'user-agent': 'btlinkd', 'accept-encoding': 'identity', ...request.headers },
      lookup,
      signal,
    })
    sent.once('response', resolve)
    sent.once('error', reject)
    sent.end()
    return promise
  }

  async function follow(
    first: URL,
    request: GuardedRequest,
    deadline: Deadline,
  ): Promise<GuardedReply> {
    let url = first
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const response = await once(url, request, deadline.signal)
      const status = response.statusCode ?? 0
      const { location } = response.headers
      if (status >= 300 && status < 400 && location !== undefined) {
        response.destroy()
        url = checkedUrl(new URL(location, url).href, allowLocal)
        continue
      }
      if (!request.accept(status, response.headers)) {
        response.destroy()
        throw new TorrentBadReply(url.host, `status ${status}`)
      }
      const body = await readBody(url, response, request, deadline)
      return { status, headers: response.headers, body }
    }
    throw new TorrentBadReply(url.host, 'too many redirects')
  }

  return {
    async get(address, request, signal) {
      const deadline = createDeadline(request.timeoutMs, signal)
      try {
        return await follow(checkedUrl(address, allowLocal), request, deadline)
      } finally {
        deadline.clear()
      }
    },
    close() {
      agents.http.destroy()
      agents.https.destroy()
    },
  }
}
