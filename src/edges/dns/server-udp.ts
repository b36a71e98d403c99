/**
 * One UDP socket of one address, so that a reply leaves from where its question came to; or one of all
 * addresses that was bound for us, where the kernel chooses.
 */
import { createSocket, type Socket } from 'node:dgram'
import { messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import { type BoxAddressBook, unmapped } from './box-addresses.ts'
import { DnsBindFailed } from './errors.ts'
import type { Guard } from './guard.ts'
import type { Packet, Resolver } from './resolver.ts'
import type { PolicyZone } from './transfer/policy-zone.ts'

export interface ServerDeps {
  log: Log
  resolver: Resolver
  guard: Guard
  addresses: BoxAddressBook
  /** Monotonic ms. */
  now: () => number
  /** Copied by resolvers in front of this one, over TCP. */
  policyZone?: Pick<PolicyZone, 'transfer'> | undefined
}

export interface Listening {
  readonly address: string
  readonly port: number
  close(): Promise<void>
}

/** Where to listen: an address of ours, or a socket that is bound already. */
export type UdpPlace = { address: string; port: number } | { fd: number; family: 4 | 6 }

export const isWildcard = (address: string): boolean => address === '::' || address === '0.0.0.0'

export const placeText = (place: { address: string; port: number } | { fd: number }): string =>
  'fd' in place ? `the given socket ${place.fd}` : `${place.address} port ${place.port}`

/** Questions of all clients that wait for other servers: beyond, the house has another problem. */
const MAX_WAITING = 2000
const RECEIVE_BUFFER_BYTES = 1024 * 1024

export async function listenUdp(
  deps: ServerDeps,
  place: UdpPlace,
  discardAfterMs: number,
): Promise<Listening> {
  const { log, resolver, guard, addresses, now } = deps
  const isGiven = 'fd' in place
  const family = isGiven ? place.family : place.address.includes(':') ? 6 : 4
  const socket: Socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    ipv6Only: !isGiven && family === 6,
    // Literals need no resolver; without this each send would pass through one.
    lookup: (host, _options, done) => {
      done(null, host, family)
    },
  })
  let address = isGiven ? '' : place.address
  let isWild = false
  const box = () => addresses.seenFrom(address)
  const way = { transport: 'udp', idleMs: 0 } as const
  let waiting = 0
  let isClosed = false

  function send(packet: Packet, toPort: number, to: string): void {
    if (packet === undefined || isClosed) return
    // Without a callback: one would cost a turn of the queue for each answer.
    socket.send(packet, toPort, to)
  }

  socket.on('message', (packet, from) => {
    const askedAt = now()
    const client = isWild ? unmapped(from.address) : from.address
    if (!guard.admits(client, from.port, askedAt) || waiting >= MAX_WAITING) return
    const near = isWild ? () => addresses.seenBy(client) : box
    const reply = resolver.answer(packet, near, way, askedAt)
    if (!(reply instanceof Promise)) {
      send(reply, from.port, from.address)
      return
    }
    waiting++
    const leave = guard.waits(client)
    void reply.then((late) => {
      waiting--
      leave()
      // DNSBomb (CVE-2024-33655): answers that were saved up must not come as one wave.
      if (now() - askedAt < discardAfterMs) send(late, from.port, from.address)
    })
  })

  await new Promise<void>((done, fail) => {
    socket.once('error', (error) => fail(new DnsBindFailed(placeText(place), error.message)))
    socket.bind({ ...(isGiven ? { fd: place.fd } : place), exclusive: true }, done)
  }).catch((error: unknown) => {
    socket.close()
    throw error
  })
  socket.removeAllListeners('error')
  const bound = socket.address()
  address = bound.address
  isWild = isWildcard(address)
  // Mostly that a client is gone, or its network.
  socket.on('error', (error) => log.debug({ error: error.message }, 'an answer was not sent'))
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES)
  } catch (error) {
    log.debug({ error: messageOf(error) }, 'the receive buffer keeps its size')
  }
  return {
    address,
    port: bound.port,
    async close() {
      if (isClosed) return
      isClosed = true
      await new Promise<void>((done) => void socket.close(done))
    },
  }
}
