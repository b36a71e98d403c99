/** SOCKS 5 (RFC 1928), as far as a client's greeting and request go. */
import { ipText } from '../../base/ip-address.ts'
import { latin1 } from '../../base/bytes.ts'

/** RFC 1928 §6, of the replies that we give. */
export const REPLY = {
  granted: 0,
  failure: 1,
  refused: 2,
  unreachable: 4,
  badCommand: 7,
  badAddress: 8,
} as const

export type SocksRead<T> =
  /** Not all of it is there yet. */
  | { kind: 'more' }
  /** Not SOCKS 5. */
  | { kind: 'bad' }
  | { kind: 'whole'; value: T; length: number }

const VERSION = 5
const MORE = { kind: 'more' } as const
const BAD = { kind: 'bad' } as const

/** The methods of authentication that the client offers (RFC 1928 §3). */
export function readGreeting(bytes: Uint8Array): SocksRead<Uint8Array> {
  const [version, count] = bytes
  if (version === undefined) return MORE
  if (version !== VERSION) return BAD
  if (count === undefined || bytes.length < 2 + count) return MORE
  return { kind: 'whole', value: bytes.subarray(2, 2 + count), length: 2 + count }
}

export interface SocksRequest {
  command: number
  /** `host:port`, addresses of IPv6 in brackets. Undefined for a type of address that is none of RFC 1928's. */
  authority: string | undefined
}

/** The request itself (RFC 1928 §4). */
export function readRequest(bytes: Uint8Array): SocksRead<SocksRequest> {
  const [version, command, , type] = bytes
  if (version !== undefined && version !== VERSION) return BAD
  if (command === undefined || type === undefined) return MORE
  const start = type === 3 ? 5 : 4
  const size = type === 1 ? 4 : type === 4 ? 16 : type === 3 ? bytes[4] : 0
  if (size === undefined) return MORE
  const end = start + size
  if (bytes.length < end + 2) return MORE
  const value = bytes.subarray(start, end)
  const port = ((bytes[end] ?? 0) << 8) | (bytes[end + 1] ?? 0)
  const length = end + 2
  if (type !== 1 && type !== 3 && type !== 4) {
    return { kind: 'whole', value: { command, authority: undefined }, length }
  }
  const host = type === 3 ? latin1(value) : type === 4 ? `[${ipText(value)}]` : ipText(value)
  return { kind: 'whole', value: { command, authority: `${host}:${port}` }, length }
}

/** The answer to a request; the address that we bound is nobody's business. */
export const writeReply = (reply: number): Uint8Array =>
  Uint8Array.from([VERSION, reply, 0, 1, 0, 0, 0, 0, 0, 0])
