/** CONNECT, whoever carries it: a stream is joined to another site, or becomes a connection of our own. */
import type { Duplex } from 'node:stream'
import type { Arrival, IsServed } from './arrival.ts'
import type { Authority } from './authority.ts'
import type { Dialer } from './dial.ts'
import { ForeignClient, Nested } from './errors.ts'
import { createReader } from './reader.ts'
import { relay } from './relay.ts'
import type { Shares } from './shares.ts'

const HALF_OPEN_MS = 30_000
const PLAIN_PORT = 80

export interface TunnelDeps {
  isServed: IsServed
  dialer: Dialer
  shares: Shares
  /** Takes over a stream that leads to ourselves. */
  take(stream: Duplex, arrival: Arrival): void
}

export interface TunnelOptions {
  tunnel_idle_timeout: number
}

export interface Tunnels {
  /**
   * Resolves when the stream has somebody at its other end.
   * @param accept tells the client that it may speak; called once, before anything is read or written
   * @throws ForeignClient, BadPort, PrivateAddress, Nested (403), TooManyOfClient (429), TooMany (503),
   *   Unresolved, Unreachable (502), Late (504), before `accept`
   */
  open(
    from: { stream: Duplex; arrival: Arrival },
    target: Authority,
    accept: () => void,
    signal: AbortSignal,
  ): Promise<void>
  stats(): { served: number; outside: number }
}

export function createTunnels(deps: TunnelDeps, options: TunnelOptions): Tunnels {
  const { dialer, shares } = deps
  const counts = { served: 0, outside: 0 }

  return {
    async open({ stream, arrival }, target, accept, signal) {
      if (arrival.inside) throw new Nested(arrival.inside.host)
      const ourselves = () => {
        counts.served++
        accept()
        deps.take(stream, { ...arrival, inside: target })
      }
      // Only to port 80 do browsers speak without TLS: ws:.
      const speech = target.port === PLAIN_PORT ? 'plain' : 'tls'
      if (await deps.isServed(target.host, speech, signal)) {
        ourselves()
        return
      }
      if (!arrival.isHouse) throw new ForeignClient(arrival.client)
      // Before the name is looked up: whoever may not go there learns nothing of it.
      const release = shares.take(arrival.client)
      try {
        const way = await dialer.find(target, 'tunnel', signal)
        if (way.to === 'us') {
          release()
          ourselves()
          return
        }
        const reader = createReader()
        const socket = await dialer.connect(target, way.addresses, signal, reader.onread)
        if (stream.destroyed) {
          socket.destroy()
          release()
          return
        }
        counts.outside++
        accept()
        const patience = { idleMs: options.tunnel_idle_timeout, halfOpenMs: HALF_OPEN_MS }
        const flow = (_from: Duplex, to: Duplex, note: () => void) => reader.flow(socket, to, note)
        void relay(stream, socket, patience, flow).then(release)
      } catch (error) {
        release()
        throw error
      }
    },
    stats: () => ({ ...counts }),
  }
}
