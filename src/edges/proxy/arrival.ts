/** Who sent what comes over a connection, and through what it came. */
import type { Duplex } from 'node:stream'
import type { Authority } from './authority.ts'

export interface Arrival {
  /** Address of the client, IPv4 without mapping. */
  readonly client: string
  /** Address the client reached. */
  readonly local: string | undefined
  /** Whether it may be led to other sites. */
  readonly isHouse: boolean
  /** The host of the CONNECT that this is the inside of. */
  readonly inside?: Authority
}

export interface Arrivals {
  of(stream: object): Arrival | undefined
  /** What is read from `stream` came with `arrival`. */
  set(stream: Duplex, arrival: Arrival): void
}

export function createArrivals(): Arrivals {
  const known = new WeakMap<object, Arrival>()
  return {
    of: (stream) => known.get(stream),
    set(stream, arrival) {
      known.set(stream, arrival)
      const { client, local } = arrival
      // Streams within streams have no addresses of their own, and the gateway asks for them.
      if ('remoteAddress' in stream && stream.remoteAddress !== undefined) return
      const fixed = (value: string | undefined) => ({ value, configurable: true })
      Object.defineProperties(stream, { remoteAddress: fixed(client), localAddress: fixed(local) })
    },
  }
}

/**
 * @param host lower case, without port and trailing dot
 * @param speech what the client will speak: HTTP, or TLS with the host, for which it wants a certificate
 */
export type IsServed = (
  host: string,
  speech: 'plain' | 'tls',
  signal: AbortSignal,
) => boolean | Promise<boolean>
