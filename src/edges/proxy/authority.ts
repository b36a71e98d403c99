/** Host and port as clients of a proxy write them, read so that they have one meaning only. */
import { ipBytes, ipText } from '../../base/ip-address.ts'

export interface Authority {
  /** Lower case, without brackets and trailing dot; addresses in their one spelling. */
  host: string
  port: number
  isAddress: boolean
}

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/
// WHATWG URL "ends in a number": browsers and inet_aton read `0x7f.1`, `017700000001` and
// `2130706433` as addresses. Only the dotted decimal form means the same to everybody.
const NUMBER = /^(\d+|0x[0-9a-f]*)$/
const MAX_HOST = 253

function readHost(text: string): { host: string; isAddress: boolean } | undefined {
  if (text.startsWith('[') && text.endsWith(']')) {
    const inner = text.slice(1, -1)
    const bytes = inner.includes(':') ? ipBytes(inner) : undefined
    return bytes && { host: ipText(bytes), isAddress: true }
  }
  const host = text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase()).replace(/\.$/, '')
  const labels = host.split('.')
  if (host.length > MAX_HOST || !labels.every((label) => LABEL.test(label))) return undefined
  if (!NUMBER.test(labels.at(-1) ?? '')) return { host, isAddress: false }
  const bytes = ipBytes(host)
  return bytes && { host: ipText(bytes), isAddress: true }
}

/**
 * Reads `example.com:443`, `192.0.2.1:80`, `[2001:db8::1]:80`.
 * @param defaultPort where none is written; without it there has to be one (RFC 9110 §9.3.6)
 * @returns undefined for anything else, user information among it
 */
export function parseAuthority(text: string, defaultPort?: number): Authority | undefined {
  const match = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d{0,5}))?$/.exec(text)
  const host = readHost(match?.[1] ?? '')
  const written = match?.[2]
  const port = written === undefined || written === '' ? defaultPort : Number(written)
  if (host === undefined || port === undefined || port < 1 || port > 65_535) return undefined
  return { ...host, port }
}

/** As it stands in a Host header; the port only where the scheme would not say it. */
export function writeAuthority({ host, port }: Authority, defaultPort?: number): string {
  const written = host.includes(':') ? `[${host}]` : host
  return port === defaultPort ? written : `${written}:${port}`
}
