/** Names as people type and paste them: hosts, URLs, magnets, bare infohashes. */
import { printable } from '../errors.ts'
import type { SwarmHints } from '../ports/torrent-engine.ts'
import { BadValue } from './errors.ts'
import { parseHost } from './host.ts'
import { isMagnet, parseInfoHash, parseMagnet } from './magnet.ts'
import type { Name } from './name.ts'

const SCHEME = /^(?:btlink|https?):\/\//i
const SHORT_NAME = /-(?:ih|pk|44)$/i

export type TypedName =
  | Name
  /** A domain of the ordinary web: its `_btlink` record says where it leads. */
  | { kind: 'domain'; host: string }
  /** The page where things are uploaded and pasted. */
  | { kind: 'root' }

export interface ParsedName {
  name: TypedName
  /** As in a URL, percent-encoded, beginning with `/`; without query. */
  path: string
  title?: string
  hints: SwarmHints
}

/**
 * Reads `<host>[/path]`, a URL, a magnet link, an infohash (hex or base32), or a host without its
 * top-level label. Redirected spellings are followed.
 * @throws BadName, BadMagnet or BadValue (400)
 */
export function parseName(text: string, tld: string): ParsedName {
  const trimmed = text.trim()
  if (isMagnet(trimmed)) return { path: '/', ...parseMagnet(trimmed) }
  const bare = parseInfoHash(trimmed)
  if (bare) return { name: { kind: 'infohash', infoHash: bare }, path: '/', hints: {} }
  const rest = trimmed.replace(SCHEME, '')
  const end = rest.search(/[/?#]/)
  const host = end < 0 ? rest : rest.slice(0, end)
  const path = /^\/[^?#]*/.exec(end < 0 ? '' : rest.slice(end))?.[0] ?? '/'
  return { name: nameOf(host, tld), path, hints: {} }
}

/** The name that a host stands for, redirects followed; `none` for a host that is not under `tld`. */
export function nameOfHost(host: string, tld: string): Name | { kind: 'root' } | { kind: 'none' } {
  let found = parseHost(host, { tld })
  if (found.kind === 'redirect') found = parseHost(found.host, { tld })
  switch (found.kind) {
    case 'infohash':
      return { kind: found.kind, infoHash: found.infoHash }
    case 'immutable':
      return { kind: found.kind, target: found.target }
    case 'key':
      return { kind: found.kind, publicKey: found.publicKey, salt: found.salt }
    case 'root':
      return { kind: found.kind }
    default:
      return { kind: 'none' }
  }
}

function nameOf(host: string, tld: string): TypedName {
  const name = nameOfHost(SHORT_NAME.test(host) ? `${host}.${tld}` : host, tld)
  return name.kind === 'none' ? { kind: 'domain', host: domainOf(host) } : name
}

function domainOf(host: string): string {
  const url = `http://${host}/`
  const name = URL.canParse(url) ? new URL(url).hostname.replace(/\.$/, '') : ''
  // A last label of digits makes an IPv4 address of any host; addresses have no link records.
  if (!name.includes('.') || host.includes('@') || name.startsWith('[') || /\.\d+$/.test(name)) {
    throw new BadValue(printable(host), 'a name', 'a site, magnet link, infohash or domain is')
  }
  return name
}
