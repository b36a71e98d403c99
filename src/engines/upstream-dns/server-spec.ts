/** Servers as the configuration names them. */
import { printable } from '../../base/errors.ts'
import { type DnsName, foldName, nameOfText } from '../../base/dns/name.ts'
import { ipBytes, ipText } from '../../base/ip-address.ts'
import { UpstreamBadServer } from './errors.ts'

export type Transport = 'udp' | 'tcp' | 'tls' | 'https'

export interface ServerSpec {
  /** As it was written. */
  text: string
  transport: Transport
  /** A literal; undefined where only the name is known. */
  address: string | undefined
  /** What its certificate must say; undefined where that is the address. */
  name: string | undefined
  port: number
  /** Of `https` only. */
  path: string
}

/** Servers for a domain and all below it. */
export interface RouteSpec {
  /** Folded. */
  zone: DnsName
  servers: ServerSpec[]
}

const PORTS: Record<Transport, number> = { udp: 53, tcp: 53, tls: 853, https: 443 }
const FORM = /^(?:(udp|tcp|tls|https):\/\/)?([^/#]+)(\/[^#]*)?(?:#(.+))?$/
const HOST = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9])?$/i

export const isSystem = (text: string): boolean => text.trim() === 'system'

/** The one spelling of an address literal. */
export function canonicalAddress(text: string): string | undefined {
  const bytes = ipBytes(text)
  return bytes && ipText(bytes)
}

interface Place {
  host: string
  /** Undefined where none is written. */
  port: number | undefined
}

/** `1.2.3.4`, `::1`, `[::1]:53`, `dns.example:853`. */
function parsePlace(authority: string): Place {
  const bare = canonicalAddress(authority)
  if (bare !== undefined) return { host: bare, port: undefined }
  const [, bracketed, plain, digits] = HOST.exec(authority) ?? []
  const port = digits === undefined ? undefined : Number(digits)
  return { host: bracketed ?? plain ?? '', port }
}

/** What is wrong with a server's halves, or undefined. */
function faultOf(spec: ServerSpec, path: string | undefined): string | undefined {
  const { name, address, port, transport } = spec
  if (port < 1 || port > 65_535) return 'its port is out of range'
  if (name !== undefined && !HOST_NAME.test(name)) return 'it is neither address nor name'
  const isPlain = transport === 'udp' || transport === 'tcp'
  if (isPlain && (name !== undefined || address === undefined)) {
    return 'without encryption it needs an address'
  }
  if (path !== undefined && transport !== 'https') return 'only https:// has a path'
  return undefined
}

/** @throws UpstreamBadServer */
export function parseServer(written: string): ServerSpec {
  const text = written.trim()
  const [, scheme = 'udp', authority = '', path, other] = FORM.exec(text) ?? []
  const transport = scheme as Transport
  const { host, port } = parsePlace(authority)
  const halves = other === undefined ? [host] : [host, other]
  const addresses = halves.map(canonicalAddress).filter((half) => half !== undefined)
  const names = halves.filter((half) => canonicalAddress(half) === undefined)
  const spec: ServerSpec = {
    text,
    transport,
    address: addresses[0],
    name: names[0]?.toLowerCase(),
    port: port ?? PORTS[transport],
    path: path ?? '/dns-query',
  }
  const isTwice = addresses.length > 1 || names.length > 1
  const fault = isTwice ? '#... is for the other of address and name' : faultOf(spec, path)
  if (fault !== undefined) throw new UpstreamBadServer(printable(text), fault)
  return spec
}

/** @throws UpstreamBadServer */
export function parseRoute(text: string): RouteSpec {
  const at = text.indexOf('=')
  const zone = at < 1 ? undefined : nameOfText(text.slice(0, at).trim())
  const servers = text.slice(at + 1).split(',')
  if (zone === undefined) throw new UpstreamBadServer(printable(text), 'domain=server is the form')
  return { zone: foldName(zone), servers: servers.map(parseServer) }
}

/** The addresses of `nameserver` lines, zones of link-local ones kept out: nothing here binds to a link. */
export function nameserversOf(resolvConf: string): string[] {
  return resolvConf
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1])
    .filter((text) => text !== undefined && canonicalAddress(text) !== undefined)
    .slice(0, 3) as string[]
}
