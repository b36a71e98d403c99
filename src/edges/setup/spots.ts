/** Host and path of a request to the page of ours that stands there. */
import { isIP } from 'node:net'

/** What is asked of us: one of the pages, or a picture that belongs to them. */
export type Asked = 'setup' | 'check' | 'my' | 'qr' | 'works' | 'nothing'

/** By which kind of host: under the top-level domain, an address, this machine, a gateway domain. */
export type HostKind = 'name' | 'address' | 'local' | 'gateway'

export interface Spot {
  asked: Asked
  kind: HostKind
  /** What names end in when reached in the same way: `btlink`, `btlink.localhost`. */
  root: string
  /** As browsers write it, without port; brackets kept. Safe to be written into a page. */
  host: string
  /** `:42080`, or empty where none was written. */
  port: string
}

export interface SpotOptions {
  tld: string
  /** Lower case. */
  gatewayDomains: readonly string[]
}

/** Below the top-level domain; each its own origin, so that nothing else can read it. */
export const PAGE_HOSTS = ['setup', 'check', 'my'] as const

const BY_PATH: Record<string, Asked> = {
  '/.btlink/setup': 'setup',
  '/.btlink/check': 'check',
  '/.btlink/my': 'my',
  '/.btlink/qr.svg': 'qr',
}

const bare = (host: string): string =>
  host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host

const isLoopback = (host: string): boolean =>
  host === 'localhost' || /^127\.\d+\.\d+\.\d+$/.test(host) || host === '[::1]'

/** Host in lower case without trailing dot, and its port; undefined for what is neither name nor address. */
export function splitAuthority(authority: string): { host: string; port: string } | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[0-9a-z_.-]+?)\.?(?::(\d{0,5}))?$/.exec(authority.toLowerCase())
  if (match === null) return undefined
  const [, host = '', digits = ''] = match
  return { host, port: digits === '' ? '' : `:${Number(digits)}` }
}

/**
 * @returns undefined where the request is not for us but for a site or the root page; on content hosts
 *   always, as scripts of a site could read what stands beside it
 */
export function createSpots({ tld, gatewayDomains }: SpotOptions) {
  const suffixes: [suffix: string, kind: HostKind][] = [
    ['', 'name'],
    ['.localhost', 'local'],
    ...gatewayDomains.map((domain): [string, HostKind] => [`.${domain}`, 'gateway']),
  ]

  /** Hosts whose root page the gateway shows; only some paths there are ours. */
  function rootOf(host: string): { kind: HostKind; root: string } | undefined {
    if (isLoopback(host)) return { kind: 'local', root: `${tld}.localhost` }
    if (isIP(bare(host)) !== 0) return { kind: 'address', root: tld }
    if (gatewayDomains.includes(host)) return { kind: 'gateway', root: `${tld}.${host}` }
    const found = suffixes.find(([suffix]) => host === tld + suffix)
    return found && { kind: found[1], root: host }
  }

  return (authority: string, path: string): Spot | undefined => {
    const split = splitAuthority(authority)
    if (split === undefined) return undefined
    const { host, port } = split
    const root = rootOf(host)
    if (root) {
      const asked = BY_PATH[path]
      return asked && { asked, ...root, host, port }
    }
    const dot = host.indexOf('.')
    const page = PAGE_HOSTS.find((name) => name === host.slice(0, dot))
    const rest = host.slice(dot + 1)
    const found = suffixes.find(([suffix]) => rest === tld + suffix)
    if (page === undefined || found === undefined) return undefined
    const own = path === '/' ? page : BY_PATH[path]
    const asked = page === 'check' && path === '/works.svg' ? 'works' : (own ?? 'nothing')
    return { asked, kind: found[1], root: rest, host, port }
  }
}
