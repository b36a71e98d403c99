/** Request target to scheme, authority and path (RFC 9112 §3.2): what the client asked, whatever the Host header says. */
import type { IncomingMessage } from 'node:http'
import { BadRequest } from './errors.ts'
import { forwarded, type AddressSet } from './client-address.ts'

export interface RequestTarget {
  scheme: 'http' | 'https'
  /** Host with port as written, not yet checked; empty where there is none. */
  authority: string
  /** Raw, starts with `/`, or is `*`. */
  path: string
  /** Raw, without `?`; undefined where there is none. */
  query: string | undefined
}

const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/i

function split(authority: string, scheme: 'http' | 'https', rest: string): RequestTarget {
  // A fragment never belongs on the wire; a client that sends one means the part before it.
  const hash = rest.indexOf('#')
  const clean = hash < 0 ? rest : rest.slice(0, hash)
  const mark = clean.indexOf('?')
  const path = mark < 0 ? clean : clean.slice(0, mark)
  return {
    scheme,
    authority,
    path: path === '' ? '/' : path,
    query: mark < 0 ? undefined : clean.slice(mark + 1),
  }
}

/**
 * The authority of an absolute-form target wins over Host (RFC 9112 §3.2.2).
 * @throws BadRequest for a target that is neither a path, `*`, nor an http URL
 */
export function requestTarget(req: IncomingMessage, proxies: AddressSet): RequestTarget {
  const url = req.url ?? '/'
  const tls = 'encrypted' in req.socket && req.socket.encrypted === true
  const scheme = tls ? 'https' : 'http'
  const said = req.headers['x-forwarded-host'] ?? req.headers['x-forwarded-proto']
  const via = said === undefined ? {} : forwarded(req, proxies)
  if (url.startsWith('/')) {
    return split(via.host ?? req.headers.host ?? '', via.scheme ?? scheme, url)
  }
  if (url === '*') return { scheme, authority: req.headers.host ?? '', path: '*', query: undefined }
  const match = ABSOLUTE.exec(url)
  if (!match) throw new BadRequest('the target is neither a path nor an http address')
  // RFC 9110 §4.2.4: user information in an http URL is an error, and a way to disguise the host.
  if ((match[2] ?? '').includes('@')) throw new BadRequest('user information in the address')
  const written = match[1]?.toLowerCase() === 'https' ? 'https' : scheme
  return split(match[2] ?? '', written, match[3] ?? '')
}
