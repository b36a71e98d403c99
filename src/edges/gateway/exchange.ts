/** One request to a site and its answer, as the handlers of the chain see it. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { hostOf, type Name } from '../../base/names/index.ts'
import type { Link } from '../../base/ports/link-records.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { SwarmHints } from '../../base/ports/torrent-engine.ts'
import { arrivedByProxy, closeSignal, errorResponse, type RequestTarget } from '../http/index.ts'

export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly target: RequestTarget
  readonly name: Name
  /** What site hosts end in here, with the port: `btlink.localhost:42080`. */
  readonly rootAuthority: string
  /** Beside the torrent, where a link record led to it. */
  readonly hints: SwarmHints | undefined
  /** Whether the host may show something else tomorrow. */
  readonly isMutable: boolean
  readonly isHead: boolean
  readonly onlyIfCached: boolean
  /** Empty where the request has no query. */
  readonly query: URLSearchParams
  /** Aborts when the client leaves. */
  signal(): AbortSignal
}

/** @returns whether it answered; the next in the chain is asked otherwise */
export type Handler = (exchange: Exchange) => Promise<boolean> | boolean

const NO_QUERY = new URLSearchParams()

export const isOnlyIfCached = ({ headers }: IncomingMessage): boolean =>
  headers['cache-control']?.includes('only-if-cached') ?? false

export function createExchange(
  req: IncomingMessage,
  res: ServerResponse,
  target: RequestTarget,
  place: { name: Name; rootAuthority: string; link?: Link },
): Exchange {
  let signal: AbortSignal | undefined
  return {
    req,
    res,
    target,
    name: place.name,
    rootAuthority: place.rootAuthority,
    hints: place.link?.hints,
    isMutable: place.link !== undefined || place.name.kind === 'key',
    isHead: req.method === 'HEAD',
    onlyIfCached: isOnlyIfCached(req),
    query: target.query === undefined ? NO_QUERY : new URLSearchParams(target.query),
    signal: () => (signal ??= closeSignal(res)),
  }
}

/** `http://<ih>-ih.btlink.localhost:42080`: the immutable origin of a torrent, reached as this request was. */
export const torrentOrigin = (
  { target, rootAuthority }: { target: { scheme: string }; rootAuthority: string },
  infoHash: InfoHash,
): string => `${target.scheme}://${hostOf({ kind: 'infohash', infoHash }, rootAuthority)}`

/**
 * Chromium takes a page for one of the house when it came from an address of the house, and lets it
 * reach the devices there. This directive says otherwise. Not over plain http without a proxy: there a
 * page could then load nothing of its own site any more.
 */
function leavesTheHouse(req: IncomingMessage): boolean {
  return ('encrypted' in req.socket && req.socket.encrypted === true) || arrivedByProxy(req)
}

/** Writes status and headers of every answer on a content host. A site's own policies still hold beside ours. */
export function writeHead(
  { req, res }: Pick<Exchange, 'req' | 'res'>,
  statusCode: number,
  headers: string[],
): void {
  const policy = ['Content-Security-Policy', 'treat-as-public-address']
  res.writeHead(statusCode, leavesTheHouse(req) ? [...headers, ...policy] : headers)
}

/** Sends a whole answer; a HEAD gets its headers. `headers` are name and value in turn. */
export function answer(
  { req, res }: Pick<Exchange, 'req' | 'res'>,
  statusCode: number,
  headers: string[],
  body?: Uint8Array | string,
): void {
  if (body !== undefined) {
    headers.push('Content-Length', String(Buffer.byteLength(body)))
  } else if (statusCode !== 304 && statusCode !== 204) headers.push('Content-Length', '0')
  writeHead({ req, res }, statusCode, headers)
  if (body === undefined || req.method === 'HEAD') res.end()
  else res.end(body)
}

/** Sends the page or JSON for an error; ends with a reset where the answer had begun. @returns the request's id, for the log */
export function answerError(
  { req, res }: Pick<Exchange, 'req' | 'res'>,
  error: unknown,
  extra: readonly string[] = [],
): string {
  const requestId = randomUUID()
  const { statusCode, headers, body } = errorResponse(error, req.headers.accept, requestId)
  // What the client still wants to send will not be read, so the connection cannot be used again.
  if (!req.complete) headers.push('Connection', 'close')
  writeHead({ req, res }, statusCode, [...headers, ...extra])
  if (req.method === 'HEAD') res.end()
  else res.end(body)
  return requestId
}
