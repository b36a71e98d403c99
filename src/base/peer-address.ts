/** `host:port` in links and torrents, addresses only: a name in a link must not make us ask a DNS. */
import type { PeerAddress } from './ports/dht-node.ts'

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const PEER = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9.]{7,15})):(\d{1,5})$/

/** The address as `URL` writes it, or undefined where it is none. */
function canonicalIpv6(text: string): string | undefined {
  const url = `http://[${text}]/`
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : undefined
}

/** Undefined for host names, port 0 and anything malformed. */
export function parsePeerAddress(text: string): PeerAddress | undefined {
  const [, ipv6, ipv4, digits] = PEER.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port < 1 || port > 65_535) return undefined
  if (ipv4 !== undefined) return IPV4.test(ipv4) ? { host: ipv4, port } : undefined
  const host = canonicalIpv6(ipv6 ?? '')
  return host === undefined ? undefined : { host, port }
}

export const formatPeerAddress = ({ host, port }: PeerAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
