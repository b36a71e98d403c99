/**
 * One question over UDP. Every try has a socket of its own: a port that nobody knows (RFC 5452 §9.2),
 * connected, so that the kernel drops what comes from elsewhere and says when nobody listens.
 */
import { createSocket, type Socket } from 'node:dgram'
import type { Message } from '../../base/dns/message.ts'
import { FLAG } from '../../base/dns/codes.ts'
import { messageOf } from '../../base/errors.ts'
import { UpstreamBadAnswer } from './errors.ts'
import { readAnswer, type SentQuery } from './query.ts'

export interface Endpoint {
  /** A literal. */
  address: string
  port: number
}

/** After so many packets that are no answer somebody is guessing: TCP cannot be guessed at. */
const MAX_STRAYS = 32

export type UdpOutcome =
  | { kind: 'answer'; message: Message }
  /** Truncated, folded or besieged: ask over TCP. */
  | { kind: 'use-tcp' }

export interface UdpStats {
  sent: number
  strays: number
}

function openSocket(endpoint: Endpoint): Socket {
  const isIpv6 = endpoint.address.includes(':')
  return createSocket({
    type: isIpv6 ? 'udp6' : 'udp4',
    // Literals need no resolver; without this each send would pass through one.
    lookup: (host, _options, done) => {
      done(null, host, isIpv6 ? 6 : 4)
    },
  })
}

/** @throws UpstreamBadAnswer where the server cannot be reached; the reason of `signal` */
export async function askOverUdp(
  endpoint: Endpoint,
  sent: SentQuery,
  stats: UdpStats,
  signal: AbortSignal,
): Promise<UdpOutcome> {
  signal.throwIfAborted()
  const socket = openSocket(endpoint)
  const { promise, resolve, reject } = Promise.withResolvers<UdpOutcome>()
  const unreachable = (error: Error) =>
    reject(new UpstreamBadAnswer(endpoint.address, messageOf(error), { cause: error }))
  let strays = 0
  socket.on('error', unreachable)
  socket.on('message', (bytes) => {
    const reading = readAnswer(bytes, sent)
    if (reading.kind === 'answer') {
      const isCut = (reading.message.flags & FLAG.TC) !== 0
      resolve(isCut ? { kind: 'use-tcp' } : reading)
      return
    }
    stats.strays++
    if (reading.kind === 'other-case' || ++strays >= MAX_STRAYS) resolve({ kind: 'use-tcp' })
  })
  const onAbort = () => reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    // Not as the callback of `connect`, which Node also calls when it failed.
    socket.once('connect', () => {
      stats.sent++
      socket.send(sent.bytes, (error) => {
        if (error) unreachable(error)
      })
    })
    socket.connect(endpoint.port, endpoint.address)
    return await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    // A late `connect` must not throw into the void.
    socket.removeAllListeners('connect')
    socket.close()
  }
}
