/** One UDP socket that never throws and never emits into the void; what fails is counted. */
import { createSocket } from 'node:dgram'
import { messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import { canonicalHost, type Family } from './address.ts'
import { DhtBindFailed } from './errors.ts'

/** The part of `dgram.Socket` in use; tests put delays and losses in between. */
export interface DatagramSocket {
  bind(port: number, host: string, done: () => void): unknown
  send(datagram: Uint8Array, port: number, host: string, done: (error: unknown) => void): unknown
  on(event: 'message', heard: (datagram: Uint8Array, from: Sender) => void): unknown
  on(event: 'error', heard: (error: Error) => void): unknown
  address(): { port: number }
  close(done?: () => void): unknown
}

export interface Sender {
  address: string
  port: number
}

export type OpenSocket = (family: Family) => DatagramSocket

/** Literals need no resolver; without this every send would pass through one. */
const openSocket: OpenSocket = (family) =>
  createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    lookup: (host, _options, done) => {
      done(null, host, family)
    },
  })

export interface LinkDeps {
  log: Log
  onDatagram(datagram: Uint8Array, from: PeerAddress): void
  openSocket?: OpenSocket
}

export function createUdpLink(family: Family, deps: LinkDeps) {
  const open = deps.openSocket ?? openSocket
  const stats = { sent: 0, received: 0, sendFailures: 0, socketFailures: 0 }
  let socket: DatagramSocket | undefined
  let port = 0

  function heard(datagram: Uint8Array, from: Sender): void {
    stats.received++
    const host = family === 4 ? from.address : canonicalHost(from.address)
    if (from.port === 0 || host === undefined) return
    try {
      deps.onDatagram(datagram, { host, port: from.port })
    } catch (error) {
      // A fault of ours must not become a way to kill the process from afar.
      deps.log.error({ error: messageOf(error) }, 'a datagram could not be handled')
    }
  }

  return {
    stats,
    port: () => port,
    isOpen: () => socket !== undefined,
    /** @throws DhtBindFailed */
    async open(wanted: number, host: string): Promise<void> {
      const fresh = open(family)
      await new Promise<void>((done, fail) => {
        let bound = false
        fresh.on('message', heard)
        fresh.on('error', (error) => {
          stats.socketFailures++
          if (!bound) fail(new DhtBindFailed(`${host} port ${wanted}`, error.message))
          else deps.log.warn({ error: error.message }, 'the DHT socket reports a failure')
        })
        fresh.bind(wanted, host, () => {
          bound = true
          done()
        })
      }).catch((error: unknown) => {
        fresh.close()
        throw error
      })
      socket = fresh
      port = fresh.address().port
    },
    send(datagram: Uint8Array, to: PeerAddress): void {
      if (!socket) return
      stats.sent++
      try {
        socket.send(datagram, to.port, to.host, (error) => {
          if (error) stats.sendFailures++
        })
      } catch {
        stats.sendFailures++
      }
    },
    async close(): Promise<void> {
      const old = socket
      socket = undefined
      port = 0
      if (old) await new Promise<void>((done) => void old.close(done))
    },
  }
}

export type UdpLink = ReturnType<typeof createUdpLink>
