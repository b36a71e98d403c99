/** One HTTP request to the proxy: ours to answer, or to be passed on to another site. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { printable } from '../../base/errors.ts'
import { closeSignal } from '../http/index.ts'
import type { Arrival, IsServed } from './arrival.ts'
import { parseAuthority, writeAuthority } from './authority.ts'
import type { Dialer } from './dial.ts'
import { BadMethod, BadTarget, ForeignClient, Loop, Nested } from './errors.ts'
import { forward } from './forward.ts'
import { framingOf, wentThrough } from './headers.ts'
import type { KeptConnections } from './kept-connections.ts'
import { isPublicAddress } from './public-address.ts'
import type { Shares } from './shares.ts'

export interface RequestDeps {
  isServed: IsServed
  /** What is the box's own on every host; true when it has its answer. */
  answer: (req: IncomingMessage, res: ServerResponse) => boolean
  /** Answers a request for a host of ours. */
  serve: (req: IncomingMessage, res: ServerResponse, arrival: Arrival) => void | Promise<void>
  dialer: Dialer
  kept: KeptConnections
  shares: Shares
  /** Our name in Via headers. */
  pseudonym: string
}

export interface RequestOptions {
  idle_timeout: number
}

// Fragments never belong on the wire.
const ABSOLUTE = /^http:\/\/([^/?#]*)([^#]*)/i
const DEFAULT_PORT = 80

export interface Requests {
  /** @throws an error of this room while no answer has begun */
  answer(req: IncomingMessage, res: ServerResponse, arrival: Arrival): void | Promise<void>
  stats(): { served: number; forwarded: number }
}

export function createRequests(deps: RequestDeps, options: RequestOptions): Requests {
  const { dialer, shares, pseudonym } = deps
  const counts = { served: 0, forwarded: 0 }

  function serve(
    req: IncomingMessage,
    res: ServerResponse,
    arrival: Arrival,
  ): void | Promise<void> {
    counts.served++
    if (!deps.answer(req, res)) return deps.serve(req, res, arrival)
  }

  /** A target in absolute form, which may be anybody's. */
  async function pass(req: IncomingMessage, res: ServerResponse, arrival: Arrival): Promise<void> {
    const { url = '' } = req
    const signal = closeSignal(res)
    const match = ABSOLUTE.exec(url)
    const authority = match?.[1] ?? ''
    const target = parseAuthority(authority, DEFAULT_PORT)
    if (match === null || target === undefined) throw new BadTarget(printable(url, 100))
    if (await deps.isServed(target.host, 'plain', signal)) {
      await serve(req, res, arrival)
      return
    }
    if (arrival.inside) throw new Nested(arrival.inside.host)
    if (!arrival.isHouse) throw new ForeignClient(arrival.client)
    // TRACE would show the client what others put into its request.
    if (req.method === 'TRACE') throw new BadMethod('TRACE')
    if (wentThrough(req.rawHeaders, pseudonym)) throw new Loop()
    const release = shares.take(arrival.client)
    try {
      const way = await dialer.find(target, 'request', signal)
      if (way.to === 'us') {
        await serve(req, res, arrival)
        return
      }
      counts.forwarded++
      const path = match[2] ?? ''
      const isPublic = way.addresses.every(isPublicAddress)
      await forward(req, res, {
        dial: async () => {
          const socket = await dialer.connect(target, way.addresses, signal)
          // Once the site has said its last, there is nothing to be said to it either.
          socket.allowHalfOpen = false
          return socket
        },
        kept: deps.kept,
        // With the addresses: a connection is as good as the judgement it was made under.
        key: [arrival.client, target.host, target.port, ...way.addresses.toSorted()].join(' '),
        host: target.host,
        path: path.startsWith('/') ? path : `/${path}`,
        authority: writeAuthority(target, DEFAULT_PORT),
        request: ['Via', `${req.httpVersion} ${pseudonym}`, 'Btlink', '1'],
        drop: ['btlink'],
        answer: [
          'Via',
          `1.1 ${pseudonym}`,
          // To the browser it comes from an address of the house: without this its pages could
          // reach what is there.
          ...(isPublic ? ['Content-Security-Policy', 'treat-as-public-address'] : []),
        ],
        idleMs: options.idle_timeout,
      })
    } finally {
      release()
    }
  }

  return {
    answer(req, res, arrival) {
      framingOf(req)
      const { url = '' } = req
      // Most requests name no host: nothing has to be found out, and nobody waits.
      const isOurs = url.startsWith('/') || url === '*'
      return isOurs ? serve(req, res, arrival) : pass(req, res, arrival)
    },
    stats: () => ({ ...counts }),
  }
}
