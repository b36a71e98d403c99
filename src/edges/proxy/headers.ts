/** What a proxy takes out of a message and puts into it (RFC 9110 §7.6). */
import type { IncomingMessage } from 'node:http'
import { printable } from '../../base/errors.ts'
import { BadFraming } from './errors.ts'

/** Between two neighbours only. `Proxy` is no header of HTTP, but CGI programs believe it (CVE-2016-5385). */
const HOP_BY_HOP = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
/** A client must not have these taken out by naming them in Connection. */
const KEPT = new Set(['host', 'content-length', 'content-type', 'via', 'btlink'])

/** The values of all headers of that name, in order. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name)
}

const listOf = (rawHeaders: readonly string[], name: string): string[] =>
  valuesOf(rawHeaders, name)
    .join(',')
    .split(',')
    .map((one) => one.trim().toLowerCase())
    .filter((one) => one !== '')

/** Name and value in turn, without what concerns the two neighbours only, and without `drop`. */
export function endToEnd(rawHeaders: readonly string[], drop: readonly string[] = []): string[] {
  const named = listOf(rawHeaders, 'connection').filter((name) => !KEPT.has(name))
  const out: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.has(lower) || named.includes(lower) || drop.includes(lower)) continue
    out.push(name, rawHeaders[i + 1] ?? '')
  }
  return out
}

/** Whether `pseudonym` stands in a Via header: the request came here before. */
export const wentThrough = (rawHeaders: readonly string[], pseudonym: string): boolean =>
  listOf(rawHeaders, 'via').some((hop) => hop.split(/\s+/)[1] === pseudonym)

/** How the body of a request is framed; what another program could read in another way is refused. */
export function framingOf(req: IncomingMessage): 'chunked' | 'length' | 'none' {
  const { rawHeaders } = req
  const codings = valuesOf(rawHeaders, 'transfer-encoding')
  const lengths = valuesOf(rawHeaders, 'content-length')
  const fail = (fault: string) => new BadFraming(fault)
  if (valuesOf(rawHeaders, 'host').length > 1) throw fail('two Host lines')
  if (codings.length > 0) {
    if (lengths.length > 0) throw fail('both Content-Length and Transfer-Encoding')
    if (req.httpVersion !== '1.1') throw fail('Transfer-Encoding in HTTP/1.0')
    // RFC 9112 §6.1: a coding that we do not know must not be passed on.
    const [coding = ''] = codings
    if (codings.length > 1 || coding.toLowerCase() !== 'chunked') {
      throw fail(`Transfer-Encoding "${printable(codings.join(', '), 40)}"`)
    }
    return 'chunked'
  }
  if (lengths.length > 1) throw fail('two Content-Length lines')
  const [length] = lengths
  if (length === undefined) return 'none'
  if (!/^\d{1,15}$/.test(length)) throw fail(`Content-Length "${printable(length, 40)}"`)
  return 'length'
}
