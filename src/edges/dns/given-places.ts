/** Listening on sockets that somebody bound for us, which is who chose their addresses and ports. */
import type { DnsEndpoint } from '../../base/ports/house-dns.ts'
import type { DnsConfig } from './config.ts'
import { type Connections, listenTcp } from './server-tcp.ts'
import { isWildcard, type Listening, listenUdp, type ServerDeps } from './server-udp.ts'

/** File descriptors; both kinds, since a resolver answers over both. */
export interface GivenPlaces {
  udp: readonly { fd: number; family: 4 | 6 }[]
  tcp: readonly number[]
}

export function createGivenPlaces(deps: ServerDeps, given: GivenPlaces) {
  const { log, addresses } = deps
  const udp: Listening[] = []
  const tcp: Listening[] = []

  /** One socket of all addresses is as good as one at each. */
  function endpointsOf({ address, port }: Listening): DnsEndpoint[] {
    if (!isWildcard(address)) return [{ address, port }]
    return addresses
      .ofTheHouse()
      .filter((own) => address === '::' || !own.includes(':'))
      .map((own) => ({ address: own, port }))
  }

  return {
    isEmpty: given.udp.length === 0 && given.tcp.length === 0,
    /** @throws DnsBindFailed on what is no such socket */
    async open(connections: Connections, config: DnsConfig): Promise<void> {
      for (const place of given.udp) udp.push(await listenUdp(deps, place, config.discard_after))
      for (const fd of given.tcp) tcp.push(await listenTcp(deps, { fd }, connections, config))
      const [first] = [...udp, ...tcp]
      log.info(
        { port: first?.port ?? 0, configured: config.port },
        'takes the sockets of systemd in place of the configured port',
      )
      if (udp.length === 0 || tcp.length === 0) {
        log.warn(
          { udp: udp.length, tcp: tcp.length },
          'answers DNS only in part: there must be a socket for UDP and one for TCP',
        )
      }
    },
    async close(): Promise<void> {
      await Promise.all([...udp.splice(0), ...tcp.splice(0)].map((one) => one.close()))
    },
    listening: () => (udp.length > 0 ? udp : tcp).flatMap(endpointsOf),
  }
}
