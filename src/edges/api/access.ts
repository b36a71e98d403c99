/** Who may ask what: exact hosts on the TCP listener, everything only for the box itself. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { plainAddress } from '../../base/ip-reach.ts'
import type { ApiConfig } from './config.ts'
import { BadInput, NotAllowed, WrongHost } from './errors.ts'

export interface Access {
  /** Remembers that a connection came over the admin socket, whose file permissions are the authority. */
  markTrusted(socket: Socket): void
  isTrusted(req: IncomingMessage): boolean
  /**
   * @throws WrongHost (421): a rebound name must not reach the API; BadInput (400) for two Host lines;
   *   NotAllowed (403) for strangers who guessed one of the box's names, where a router lets them in
   */
  checkHost(req: IncomingMessage): void
  /** @throws NotAllowed (403) for other machines, proxies in between and pages of other sites */
  checkAdmin(req: IncomingMessage): void
}

const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/
const HOST = /^(\[[0-9a-f:.]+\]|[^:[\]@]+)(?::(\d+))?$/
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via']
const REFRESH_MS = 10_000

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address)

function ownNames(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const name = hostname().toLowerCase()
  return [
    'localhost',
    '127.0.0.1',
    '[::1]',
    name,
    `${name}.local`,
    ...addresses.map(({ address }) => bracketed(address.split('%')[0] ?? '')),
  ]
}

/** Every host a request names: its Host lines, and the authority of an absolute target (RFC 9112 §3.2.2). */
function hostsOf({ rawHeaders, url = '/' }: IncomingMessage): string[] {
  // Node keeps the first of two Host lines silently, so they are counted as they came.
  const hosts = rawHeaders.filter(
    (_, i) => rawHeaders[i - 1]?.toLowerCase() === 'host' && i % 2 === 1,
  )
  // RFC 9112 §3.2: more than one is a 400, however alike they are.
  if (hosts.length > 1) throw new BadInput('the request has more than one Host line')
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1]
  const named = absolute === undefined ? hosts : [...hosts, absolute]
  return named.length === 0 ? [''] : named.map((host) => host.toLowerCase())
}

/** @param isHouse whether an address, IPv4 without mapping, is one of the house */
export function createAccess(
  config: Pick<ApiConfig, 'hosts'>,
  isHouse: (address: string) => boolean,
): Access {
  const trusted = new WeakSet<Socket>()
  const configured = new Set(config.hosts.map((host) => host.toLowerCase()))
  let own = new Set<string>()
  let refreshedAt = Number.NEGATIVE_INFINITY

  function knows(name: string): boolean {
    // Addresses come and go with the network.
    if (performance.now() - refreshedAt > REFRESH_MS) {
      own = new Set(ownNames())
      refreshedAt = performance.now()
    }
    return own.has(name)
  }

  return {
    markTrusted: (socket) => void trusted.add(socket),
    isTrusted: (req) => trusted.has(req.socket),
    checkHost(req) {
      if (trusted.has(req.socket)) return
      const hosts = hostsOf(req)
      for (const host of hosts) {
        const [, name = '', port = '80'] = HOST.exec(host) ?? []
        const isOwn = knows(name) && Number(port) === req.socket.localPort
        if (!isOwn && !configured.has(host)) throw new WrongHost(host.slice(0, 100))
      }
      // A name that the owner gave to the API is for whoever uses it.
      if (hosts.every((host) => configured.has(host))) return
      const address = plainAddress(req.socket.remoteAddress ?? '')
      if (address === undefined || !isHouse(address)) {
        throw new NotAllowed('ask from within the house')
      }
    },
    checkAdmin(req) {
      if (trusted.has(req.socket)) return
      const { headers } = req
      if (!LOOPBACK.test(req.socket.remoteAddress ?? '')) {
        throw new NotAllowed('ask from the box itself, or over its admin socket')
      }
      if (FORWARDED.some((name) => headers[name] !== undefined)) {
        throw new NotAllowed('this request came through a proxy')
      }
      const site = headers['sec-fetch-site']
      if (site !== undefined && site !== 'same-origin' && site !== 'none') {
        throw new NotAllowed('a page of another site asked')
      }
      const { origin } = headers
      if (
        origin !== undefined &&
        origin.toLowerCase() !== `http://${headers.host?.toLowerCase()}`
      ) {
        throw new NotAllowed('a page of another site asked')
      }
    },
  }
}
