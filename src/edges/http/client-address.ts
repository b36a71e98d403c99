/** Where a request really comes from: the socket, or what a trusted proxy in front says (RFC 7239's older cousins). */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { isHouse } from '../../base/ip-reach.ts'

/** Addresses as a set; built from `10.0.0.0/8`, `::1`, `192.168.1.7`. */
export interface AddressSet {
  has(address: string): boolean
}

const plain = (address: string): string =>
  address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address

/** @returns undefined and the first entry that is none */
export function addressSet(entries: readonly string[]): AddressSet | { bad: string } {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', bits, more] = entry.split('/')
    const family = isIP(address)
    const prefix = bits === undefined ? (family === 6 ? 128 : 32) : Number(bits)
    const fits = Number.isInteger(prefix) && prefix >= 0 && prefix <= (family === 6 ? 128 : 32)
    if (family === 0 || more !== undefined || bits === '' || !fits) return { bad: entry }
    list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4')
  }
  return {
    has(text) {
      const address = plain(text)
      const family = isIP(address)
      return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
    },
  }
}

/** The house: loopback, private and link-local networks (RFC 1918, 3927, 4193, 4291, 6598). */
export const isHouseAddress = isHouse

const lastOf = (header: string | string[] | undefined): string | undefined => {
  const text = Array.isArray(header) ? header.join(',') : header
  return text?.split(',').at(-1)?.trim()
}

/**
 * The client's address: the right-most of X-Forwarded-For that is no trusted proxy, as only those
 * entries were written by someone we trust.
 */
export function clientAddress(req: IncomingMessage, proxies: AddressSet): string {
  let address = plain(req.socket.remoteAddress ?? '')
  const header = req.headers['x-forwarded-for']
  if (header === undefined) return address
  const chain = String(header)
    .split(',')
    .map((entry) => entry.trim())
  while (proxies.has(address)) {
    const next = chain.pop()
    if (next === undefined || isIP(plain(next)) === 0) break
    address = plain(next)
  }
  return address
}

/** X-Forwarded-Host and -Proto where the socket is a trusted proxy; the last value is the nearest proxy's. */
export function forwarded(
  req: IncomingMessage,
  proxies: AddressSet,
): { host?: string; scheme?: 'http' | 'https' } {
  if (!proxies.has(req.socket.remoteAddress ?? '')) return {}
  const host = lastOf(req.headers['x-forwarded-host'])
  const scheme = lastOf(req.headers['x-forwarded-proto'])
  return {
    ...(host !== undefined && host !== '' && { host }),
    ...((scheme === 'http' || scheme === 'https') && { scheme }),
  }
}
