/** The resolver as a part of the daemon: its listeners on every address of the house, and what they share. */
import { performance } from 'node:perf_hooks'
import { foldName } from '../../base/dns/name.ts'
import { messageOf } from '../../base/errors.ts'
import { ipBytes } from '../../base/ip-address.ts'
import type { Health, Stats } from '../../base/ports/component.ts'
import type { DnsUpstream } from '../../base/ports/dns-upstream.ts'
import type { DnsEndpoint, HouseDns } from '../../base/ports/house-dns.ts'
import type { Log } from '../../base/ports/log.ts'
import { createBoxAddresses, type Interfaces } from './box-addresses.ts'
import { createChain } from './chain.ts'
import type { DnsConfig } from './config.ts'
import { DnsBadNetwork, DnsOpenResolver } from './errors.ts'
import { createGivenPlaces, type GivenPlaces } from './given-places.ts'
import { createGuard } from './guard.ts'
import type { Links } from './links.ts'
import { createNetworks, HOUSE } from './networks.ts'
import type { Way } from './reply.ts'
import { parseFront } from './transfer/front-talk.ts'
import { createPolicyZone } from './transfer/policy-zone.ts'
import { createResolver } from './resolver.ts'
import { createConnections, listenTcp } from './server-tcp.ts'
import { type Listening, listenUdp, type ServerDeps } from './server-udp.ts'
import { nameOf } from './zone.ts'

export interface DnsDeps {
  log: Log
  upstream: Pick<DnsUpstream, 'ask'>
  /** Sites of ordinary domains, for `link_check` and `intercept_links`; without it there are none. */
  links?: Links
  /** The top-level domain of content names. */
  tld: string
  /** Domains that the upstream has servers of their own for. */
  routed?: readonly string[]
  /** Monotonic ms. */
  now?: () => number
  interfaces?: Interfaces
  /** How often addresses that came or went are looked for. */
  watchMs?: number
  /** Sockets that are bound already, in place of `listen` and `port`. */
  given?: GivenPlaces
}

export interface Dns extends HouseDns {
  listening(): readonly DnsEndpoint[]
  stats(): Stats
}

/** A device that comes up with the box asks as soon as the cable is seen. */
const WATCH_MS = 2000
const PORT_TRIES = 20

const house = createNetworks(HOUSE)

/** @throws DnsBadNetwork, DnsOpenResolver */
function checkListen({ listen, allow }: DnsConfig): void {
  for (const text of listen) {
    if (text === 'auto') continue
    const bytes = ipBytes(text.split('%', 1)[0] ?? '')
    if (bytes === undefined) throw new DnsBadNetwork(text)
    if (!house.has(bytes) && allow.length === 0) throw new DnsOpenResolver(text)
  }
}

interface Place {
  udp: Listening
  tcp: Listening
}

/** @throws DnsBadRecord, DnsBadNetwork */
export function createDns(deps: DnsDeps, config: DnsConfig): Dns {
  checkListen(config)
  const { log, upstream, tld } = deps
  const now = deps.now ?? (() => performance.now())
  const routed = (deps.routed ?? []).map((text) => foldName(nameOf(text)))
  const isBehind = config.front.length > 0
  const forTheFront = isBehind ? config.house_addresses : undefined
  const addresses = createBoxAddresses(now, deps.interfaces, forTheFront)
  const fronts = config.front.map((text) => parseFront(text).address)
  const guard = createGuard({ now, networks: () => addresses.networks(), fronts }, config)
  const policyZone = isBehind
    ? createPolicyZone({ log, tld, routed, house: () => addresses.seenFrom('127.0.0.1') }, config)
    : undefined
  const { handlers, forward } = createChain(
    { upstream, links: deps.links, now, tld, routed, policyZone },
    config,
  )
  const resolver = createResolver({
    log,
    handlers,
    remembered: (query, time) => forward.remembered(query, time),
  })
  const connections = createConnections(config, now)
  const server: ServerDeps = { log, resolver, guard, addresses, now, policyZone }
  const given = createGivenPlaces(server, deps.given ?? { udp: [], tcp: [] })
  const places = new Map<string, Place>()
  // For parts of this box that ask.
  const ownAddresses = () => addresses.seenFrom('127.0.0.1')
  const ownWay: Way = { transport: 'tcp', idleMs: config.idle_timeout }
  let watch: NodeJS.Timeout | undefined
  /** Addresses whose failure was said. */
  const told = new Set<string>()
  let port = config.port
  let isRunning = false

  function wanted(): string[] {
    const texts = config.listen.flatMap((text) => (text === 'auto' ? addresses.ofTheHouse() : text))
    return [...new Set(texts)]
  }

  async function open(address: string): Promise<void> {
    const udp = await listenUdp(server, { address, port }, config.discard_after)
    // Port 0 is picked once: clients expect TCP, and every address, at the same one.
    port = udp.port
    try {
      const tcp = await listenTcp(server, { address, port }, connections, config)
      places.set(address, { udp, tcp })
    } catch (error) {
      await udp.close()
      throw error
    }
  }

  /** Port 0 must be free for both protocols at every address: one that is not is given back. */
  async function openAll(list: readonly string[]): Promise<void> {
    for (let left = config.port === 0 ? PORT_TRIES : 1; ; left--) {
      try {
        for (const address of list) await open(address)
        return
      } catch (error) {
        if (left <= 1) throw error
        await Promise.all([...places.keys()].map(close))
        port = config.port
      }
    }
  }

  async function close(address: string): Promise<void> {
    const place = places.get(address)
    places.delete(address)
    await Promise.all([place?.udp.close(), place?.tcp.close()])
  }

  /** Follows the machine's addresses; what cannot be bound now is tried again. */
  async function follow(): Promise<void> {
    const list = wanted()
    for (const address of told) if (!list.includes(address)) told.delete(address)
    for (const address of places.keys()) if (!list.includes(address)) await close(address)
    for (const address of list) {
      if (places.has(address) || !isRunning) continue
      try {
        await open(address)
        told.delete(address)
      } catch (error) {
        const said = { address, error: messageOf(error) }
        log[told.has(address) ? 'debug' : 'warn'](said, 'cannot answer DNS at an address')
        told.add(address)
      }
    }
  }

  function schedule(): void {
    watch = setTimeout(() => {
      void follow().finally(() => {
        if (isRunning) schedule()
      })
    }, deps.watchMs ?? WATCH_MS)
    watch.unref()
  }

  async function openWanted(): Promise<void> {
    // A link-local address may still be looked for on the network (RFC 4862 §5.4): it comes later.
    const list = wanted().filter((text) => !text.includes('%') || config.listen.includes(text))
    await openAll(list)
    await follow()
    schedule()
  }

  const listening = (): readonly DnsEndpoint[] =>
    given.isEmpty ? [...places.keys()].map((address) => ({ address, port })) : given.listening()

  return {
    name: 'dns',
    async start() {
      isRunning = true
      try {
        if (given.isEmpty) await openWanted()
        else await given.open(connections, config)
      } catch (error) {
        await this.stop()
        throw error
      }
      policyZone?.start()
      log.info(
        { addresses: listening().map(({ address }) => address), port: listening()[0]?.port ?? 0 },
        'answers DNS',
      )
    },
    async stop() {
      isRunning = false
      clearTimeout(watch)
      forward.stop()
      await policyZone?.stop()
      connections.destroyAll()
      await Promise.all([...places.keys()].map(close))
      await given.close()
    },
    listening,
    health(): Health {
      return listening().length === 0
        ? { status: 'down', score: 0, detail: 'answers at no address' }
        : { status: 'ok', score: 100 }
    },
    answer: async (packet) => resolver.answer(packet, ownAddresses, ownWay),
    explain: async (packet) => resolver.explain(packet, ownAddresses, ownWay),
    stats: () => ({
      ...resolver.stats,
      ...forward.stats(),
      ...guard.stats,
      ...policyZone?.stats,
      connections: connections.size(),
      connectionsRefused: connections.stats.refused,
    }),
  }
}
