/** ICE candidates of strangers (RFC 8839 5.1): which of them we are willing to send packets to. */
import { isIPv4, isIPv6 } from 'node:net'
import { isHouse } from '../../base/ip-reach.ts'

export type CandidateType = 'host' | 'srflx' | 'prflx' | 'relay'

export interface Candidate {
  foundation: string
  priority: number
  /** An address literal, or a name that ends in `.local`. */
  host: string
  port: number
  type: CandidateType
}

// foundation component transport priority address port typ type, then what we have no use for.
const LINE =
  /^candidate:([A-Za-z0-9+/]{1,32}) ([12]) (udp) (\d{1,10}) ([^ ]{1,253}) (\d{1,5}) typ (host|srflx|prflx|relay)(?: |$)/i
const LOCAL_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.local$/i
const MAX_PRIORITY = 2 ** 32 - 1
// Browsers take their ports from the system's range; a resolver or an SSH server is not one of them.
const LOWEST_PORT = 1024

export const isLocalName = (host: string): boolean => LOCAL_NAME.test(host)

/** The first 16 bits; none are written where the address begins with zeros. */
const ipv6Word = (host: string): number => Number.parseInt(`0${host.split(':')[0] ?? ''}`, 16)

/** Whether one machine can be meant by it: no group, no "any", no address that needs an interface. */
export function isUsable(host: string): boolean {
  if (isIPv4(host)) {
    const first = Number(host.split('.', 1)[0])
    return first !== 0 && first < 224
  }
  if (!isIPv6(host) || host.includes('%') || host.includes('.')) return false
  const word = ipv6Word(host)
  if (word === 0) return new URL(`http://[${host}]`).hostname === '[::1]'
  // RFC 4291: fe80::/10 is link-local, fec0::/10 is gone, ff00::/8 are groups.
  return word < 0xfe80
}

/** Undefined for what is malformed, over TCP, or an address nobody should be sent to. */
export function parseCandidate(value: string): Candidate | undefined {
  const [, foundation, component, , digits, host, portDigits, type] = LINE.exec(value) ?? []
  if (foundation === undefined || host === undefined || component !== '1') return undefined
  const priority = Number(digits)
  const port = Number(portDigits)
  if (priority < 1 || priority > MAX_PRIORITY || port < LOWEST_PORT || port > 65_535)
    return undefined
  if (!isUsable(host) && !isLocalName(host)) return undefined
  const lower = (type ?? '').toLowerCase() as CandidateType
  return { foundation, priority, host: host.toLowerCase(), port, type: lower }
}

/** The value of an `a=` line, with no more in it than we checked. */
export function formatCandidate({ foundation, priority, host, port, type }: Candidate): string {
  // RFC 8839: all but host candidates name a base; which one is nobody's business.
  const base = type === 'host' ? '' : ` raddr ${host.includes(':') ? '::' : '0.0.0.0'} rport 0`
  return `candidate:${foundation} 1 UDP ${priority} ${host} ${port} typ ${type}${base}`
}

// RFC 8445 asks for at most 100 pairs; a browser on a laptop has six, with Docker and a VPN ten.
const MAX_CANDIDATES = 16
// Each candidate is sent some seven STUN packets: an SDP must not direct many of them at the world.
const MAX_PUBLIC = 4
const MAX_NAMES = 3

/** The candidates of one SDP that are worth a packet, each address once. */
export function chooseCandidates(all: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>()
  let publics = 0
  let names = 0
  return all.filter((candidate) => {
    const key = `${candidate.host} ${candidate.port}`
    if (seen.size >= MAX_CANDIDATES || seen.has(key)) return false
    if (isLocalName(candidate.host)) {
      if (++names > MAX_NAMES) return false
    } else if (!isHouse(candidate.host) && ++publics > MAX_PUBLIC) return false
    seen.add(key)
    return true
  })
}
