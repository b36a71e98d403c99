/** Another box's gateway in place of our own: this process is a proxy only. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { messageOf, printable } from '../../base/errors.ts'
import type { Arrival } from './arrival.ts'
import { parseAuthority } from './authority.ts'
import { BadSetting, Loop, Unreachable } from './errors.ts'
import { forward } from './forward.ts'
import { wentThrough } from './headers.ts'
import type { KeptConnections } from './kept-connections.ts'

export interface RemoteGateway {
  serve(req: IncomingMessage, res: ServerResponse, arrival: Arrival): Promise<void>
}

export interface RemoteGatewayOptions {
  /** `proxy.gateway`. */
  url: string
  pseudonym: string
  kept: KeptConnections
  connect_timeout: number
  idle_timeout: number
}

/** @throws BadSetting where `url` is none of another gateway */
export function createRemoteGateway(options: RemoteGatewayOptions): RemoteGateway {
  const { url, pseudonym } = options
  const match = /^http:\/\/([^/?#@]+)\/?$/i.exec(url)
  const target = parseAuthority(match?.[1] ?? '', 80)
  if (target === undefined) {
    throw new BadSetting('gateway', printable(url), 'is not of the form http://host:port')
  }

  async function dial(): Promise<Socket> {
    const { host, port } = target ?? { host: '', port: 0 }
    const socket = connect({ host, port, noDelay: true })
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(options.connect_timeout) })
    } catch (error) {
      socket.destroy()
      throw new Unreachable(host, messageOf(error), { cause: error })
    }
    socket.on('error', () => socket.destroy())
    return socket
  }

  return {
    async serve(req, res, arrival) {
      if (wentThrough(req.rawHeaders, pseudonym)) throw new Loop()
      // In absolute form the authority wins over Host (RFC 9112 §3.2.2).
      const absolute = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(req.url ?? '')
      const path = absolute?.[2] ?? req.url ?? '/'
      const isTls = 'encrypted' in req.socket && req.socket.encrypted === true
      await forward(req, res, {
        dial,
        kept: options.kept,
        key: arrival.client,
        host: target.host,
        path: path.startsWith('/') || path === '*' ? path : `/${path}`,
        authority: absolute?.[1] ?? req.headers.host ?? '',
        drop: ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'],
        request: [
          'Via',
          `${req.httpVersion} ${pseudonym}`,
          'X-Forwarded-For',
          arrival.client,
          'X-Forwarded-Proto',
          isTls ? 'https' : 'http',
        ],
        // The other gateway saw plain http, and left it out.
        answer: ['Content-Security-Policy', 'treat-as-public-address'],
        idleMs: options.idle_timeout,
      })
    },
  }
}
