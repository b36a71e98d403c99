/** Answers browsers that ask how to reach us: `/.btlink/proxy.pac`, and WPAD's `/wpad.dat`. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import { printable } from '../../base/errors.ts'
import { arrivedByProxy, errorResponse } from '../http/index.ts'
import type { PacConfig } from './config.ts'
import { BadDomain, BadMethod, NoAddress } from './errors.ts'
import { pacText } from './pac-text.ts'

export interface PacDeps {
  /** Bound port of the HTTP proxy. */
  httpPort(): number
  /** Bound port of the HTTPS proxy, 0 while there is none. */
  httpsPort(): number
}

export interface PacOptions extends PacConfig {
  tld: string
  /** `btlink.gateway_domains`: names of this box that need no proxy. */
  gateway_domains: readonly string[]
}

export interface Pac {
  /** True when the request was for a proxy configuration and has its answer. */
  answer(req: IncomingMessage, res: ServerResponse): boolean
}

/** Reserved on every host; a torrent can have no such file. */
const RESERVED_PATH = '/.btlink/proxy.pac'
/** What WPAD and its imitators ask for, under whatever name DHCP or DNS gave us. */
const WPAD_PATHS = ['/wpad.dat', '/proxy.pac']

const DOMAIN =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/
// Scheme and authority of an absolute-form target, as a client that has the proxy already sends it.
const ABSOLUTE = /^http:\/\/[^/?#]*/i

const bracketed = (address: string): string => (isIP(address) === 6 ? `[${address}]` : address)

/** Host of an authority in lower case, without port, brackets and trailing dot. */
function hostName(authority: string): string {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]*))(?::\d*)?$/.exec(authority.toLowerCase())
  return (match?.[1] ?? match?.[2] ?? '').replace(/\.$/, '')
}

/** The address the client reached; undefined where no other program could use it. */
function socketAddress({ socket }: IncomingMessage): string | undefined {
  const { localAddress = '' } = socket
  const plain = localAddress.startsWith('::ffff:') ? localAddress.slice(7) : localAddress
  // A zone (`fe80::1%eth0`) means something on this machine only.
  return isIP(plain) !== 0 && !plain.includes('%') ? plain : undefined
}

export function createPac(deps: PacDeps, options: PacOptions): Pac {
  const { tld, proxy_domains: proxyDomains, gateway_domains: directDomains } = options
  const secureHost = `proxy.${tld}`
  const bad = proxyDomains.find((domain) => !DOMAIN.test(domain))
  if (bad !== undefined) throw new BadDomain(printable(bad))

  /**
   * Where the client finds the proxy: the host that it just used, if that works without a proxy. Names
   * under the top-level domain need one, and `wpad` may be known by DHCP alone.
   */
  function proxyHost(req: IncomingMessage, asked: string): string | undefined {
    if (isIP(asked) !== 0) return asked
    const isOurs = asked === tld || asked.endsWith(`.${tld}`) || asked.split('.')[0] === 'wpad'
    const address = socketAddress(req)
    if (address !== undefined && (isOurs || !DOMAIN.test(asked))) return address
    return DOMAIN.test(asked) && !isOurs ? asked : undefined
  }

  function text(req: IncomingMessage, asked: string, query: URLSearchParams): string {
    const host = proxyHost(req, asked)
    if (host === undefined) throw new NoAddress()
    const wants = (flag: string) => query.get(flag) === '1'
    const isSecure = wants('secure') && deps.httpsPort() > 0
    return pacText({
      proxy: `${bracketed(host)}:${deps.httpPort()}`,
      // Our root certificate vouches for names under the top-level domain only, and for no address.
      secureProxy: isSecure ? `${secureHost}:${deps.httpsPort()}` : undefined,
      tld,
      proxyDomains,
      directDomains,
      links: wants('links'),
    })
  }

  function send(req: IncomingMessage, res: ServerResponse, body: string): void {
    res.writeHead(200, [
      'Content-Type',
      'application/x-ns-proxy-autoconfig',
      'Content-Disposition',
      'inline; filename=btlink.pac',
      'Content-Length',
      String(body.length),
      'Cache-Control',
      `max-age=${Math.round(options.max_age / 1000)}`,
      'X-Content-Type-Options',
      'nosniff',
    ])
    res.end(req.method === 'HEAD' ? undefined : body)
  }

  function refuse(req: IncomingMessage, res: ServerResponse, error: Error, extra: string[] = []) {
    const { statusCode, headers, body } = errorResponse(error, req.headers.accept, randomUUID())
    if (!req.complete) headers.push('Connection', 'close')
    res.writeHead(statusCode, [...headers, ...extra])
    res.end(req.method === 'HEAD' ? undefined : body)
  }

  return {
    answer(req, res) {
      const { url = '', method = '' } = req
      const authority = ABSOLUTE.exec(url)?.[0]
      const target = authority === undefined ? url : url.slice(authority.length)
      const [path = '', query = ''] = target.split('#', 1)[0]?.split(/\?(.*)/s) ?? []
      if (path !== RESERVED_PATH) {
        // WPAD never comes through a proxy: there the path is a site's own.
        if (!WPAD_PATHS.includes(path) || arrivedByProxy(req)) return false
      }
      if (method !== 'GET' && method !== 'HEAD') {
        refuse(req, res, new BadMethod(printable(method, 20)), ['Allow', 'GET, HEAD'])
        return true
      }
      try {
        const asked = authority?.slice('http://'.length) ?? req.headers.host ?? ''
        send(req, res, text(req, hostName(asked), new URLSearchParams(query)))
      } catch (error) {
        refuse(req, res, error instanceof Error ? error : new NoAddress())
      }
      return true
    },
  }
}
