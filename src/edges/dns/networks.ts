/** Sets of networks, asked by the bytes of an address. */
import { ipBytes } from '../../base/ip-address.ts'
import { DnsBadNetwork } from './errors.ts'

export interface Networks {
  /** 4 or 16 bytes; an IPv4 address within IPv6 counts as IPv4 too. */
  has(address: Uint8Array): boolean
}

interface Network {
  bytes: Uint8Array
  bits: number
}

/** @throws DnsBadNetwork */
function parseNetwork(text: string): Network {
  const [address = '', length, more] = text.trim().split('/')
  const bytes = ipBytes(address)
  const bits = length === undefined ? (bytes?.length ?? 0) * 8 : Number(length)
  const isSound = more === undefined && length !== '' && Number.isInteger(bits) && bits >= 0
  if (bytes === undefined || !isSound || bits > bytes.length * 8) throw new DnsBadNetwork(text)
  return { bytes, bits }
}

function contains({ bytes, bits }: Network, address: Uint8Array): boolean {
  if (bytes.length !== address.length) return false
  const whole = bits >> 3
  for (let at = 0; at < whole; at++) if (bytes[at] !== address[at]) return false
  const mask = (0xff00 >> (bits & 7)) & 0xff
  return (((bytes[whole] ?? 0) ^ (address[whole] ?? 0)) & mask) === 0
}

/** Prefixes of 12 bytes that are followed by an IPv4 address: mapped, compatible, NAT64 (RFC 6052). */
const CARRIERS = ['::ffff:0:0/96', '::/96', '64:ff9b::/96', '64:ff9b:1::/96'].map(parseNetwork)
const SIX_TO_FOUR = parseNetwork('2002::/16')

/** The IPv4 address that an IPv6 one stands for. */
export function carriedIpv4(address: Uint8Array): Uint8Array | undefined {
  if (address.length !== 16) return undefined
  if (CARRIERS.some((carrier) => contains(carrier, address))) return address.subarray(12)
  // RFC 3056: 2002, then the address.
  return contains(SIX_TO_FOUR, address) ? address.subarray(2, 6) : undefined
}

/** @throws DnsBadNetwork */
export function createNetworks(texts: readonly string[]): Networks {
  const networks = texts.map(parseNetwork)
  const hasPlain = (address: Uint8Array) => networks.some((network) => contains(network, address))
  return {
    has(address) {
      if (hasPlain(address)) return true
      const carried = carriedIpv4(address)
      return carried !== undefined && hasPlain(carried)
    },
  }
}

/** The house: loopback, private, shared and link-local (RFC 1122, 1918, 6598, 3927, 4291, 4193). */
export const HOUSE = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
]

/** Where a name of the internet never honestly leads: the house, "this network", site-local. */
export const NOT_OF_THE_INTERNET = [
  ...HOUSE,
  '0.0.0.0/8',
  '255.255.255.255/32',
  '::/128',
  'fec0::/10',
]
