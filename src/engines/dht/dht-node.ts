/** The DHT node: puts the parts of this room together behind the port of `base/ports/dht-node.ts`. */
import { randomBytes } from 'node:crypto'
import { immutableTarget, mutableTarget } from '../../base/bep44.ts'
import { toHex } from '../../base/bytes.ts'
import { messageOf } from '../../base/errors.ts'
import { type InfoHash, type Target, target as asTarget } from '../../base/hashes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Health } from '../../base/ports/component.ts'
import type { DhtInfo, DhtNode, PeerAddress, PutOutcome } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'
import { canonicalHost, type Family, familyOf, isLocal, isUsable } from './address.ts'
import { type Bootstrap, createBootstrap, type ResolveHost } from './bootstrap.ts'
import type { DhtConfig } from './config.ts'
import { createFamilyNode, type FamilyNode } from './family-node.ts'
import type { Contact } from './krpc.ts'
import { createItemStore } from './item-store.ts'
import { createBackgroundBudget, createRecentSet } from './limits.ts'
import type { RandomBytes } from './node-id.ts'
import { createPeerStore } from './peer-store.ts'
import { createReachability } from './reachability.ts'
import { createSearch } from './search.ts'
import { createItemSeeker } from './seek-items.ts'
import { createPeerSeeker } from './seek-peers.ts'
import { createServer } from './server.ts'
import { createStateFile } from './state-file.ts'
import { collectStats } from './stats.ts'
import { createTokens } from './tokens.ts'
import type { OpenSocket } from './udp-link.ts'
import { createUpkeep } from './upkeep.ts'

export interface DhtDeps {
  log: Log
  clock: Clock
  /** Folder for nodes and items of the last run. */
  statePath: string
  random?: RandomBytes
  openSocket?: OpenSocket
  resolveHost?: ResolveHost
}

/** How long a lookup right after the start waits for the first node. */
const FIRST_NODE_WAIT_MS = 5000
const OWN_TORRENT_TTL_MS = 45 * 60_000

/** Everything that lives from start to stop. */
type Running = Awaited<ReturnType<typeof startParts>>

async function startParts(deps: DhtDeps, config: DhtConfig) {
  const { clock, log } = deps
  const random: RandomBytes = deps.random ?? ((length) => randomBytes(length))
  const allowLocal = config.allow_local
  const stateFile = createStateFile(deps.statePath)
  const saved = await stateFile.load()
  const families: FamilyNode[] = []
  const familyNode = (family: Family): FamilyNode | undefined =>
    families.find((node) => node.family === family)

  const items = createItemStore(config.max_items, () => familyNode(4)?.id() ?? random(20), clock)
  for (const item of saved.items) items.restore(item)
  const peers = createPeerStore(
    { maxTorrents: config.max_torrents, maxPeersPerTorrent: config.max_peers_per_torrent },
    clock,
  )
  const tokens = createTokens(clock, random)
  const reachability = createReachability(config.read_only, clock, saved.readOnly)
  const rate = { perSecond: config.packets_per_second, burst: config.burst }
  const background = createBackgroundBudget(rate, clock)
  /** Torrents of this box with their port, as `hash|port`. */
  const own = {
    hashes: new Map<string, number>(),
    recent: createRecentSet(OWN_TORRENT_TTL_MS, config.max_torrents, clock),
  }

  /** Our own address as the asker would reach it; a home router hides all but the external one. */
  function ownHost(asker: PeerAddress): string | undefined {
    const family = familyOf(asker.host)
    const external = familyNode(family)?.externalHostFor(asker.host)
    if (external && isLocal(external) === isLocal(asker.host)) return external
    const bound = family === 4 ? config.bind_address : config.bind_address6
    return isUsable({ host: bound, port: 1 }, isLocal(asker.host)) ? bound : undefined
  }

  function ownPeers(target: Uint8Array, asker: PeerAddress): PeerAddress[] {
    const hash = toHex(target)
    const port = own.recent.has(hash) ? own.hashes.get(hash) : undefined
    const host = port === undefined ? undefined : ownHost(asker)
    return port !== undefined && host ? [{ host, port }] : []
  }

  const server = createServer({
    ownId: (family) => familyNode(family)?.id() ?? new Uint8Array(20),
    closest: (family, target) => familyNode(family)?.table().closest(target, 8) ?? [],
    tokens,
    peers,
    items,
    ownPeers,
    allowLocal,
  })

  const familyDeps = {
    log,
    clock,
    random,
    server,
    reachability,
    background,
    allowLocal,
    ...(deps.openSocket && { openSocket: deps.openSocket }),
    ...(config.ipv6 && { want: [4, 6] satisfies Family[] }),
    introduce(nodes: Contact[]): void {
      for (const node of nodes) familyNode(familyOf(node.host))?.consider(node)
    },
  }
  const first = createFamilyNode(4, saved.ids[4], familyDeps)
  await first.link.open(config.port, config.bind_address)
  families.push(first)
  if (config.ipv6) {
    const second = createFamilyNode(6, saved.ids[6], familyDeps)
    try {
      await second.link.open(first.link.port(), config.bind_address6)
      families.push(second)
    } catch (error) {
      log.info({ error: messageOf(error) }, 'the DHT runs without IPv6')
    }
  }

  const bootstrap: Bootstrap = createBootstrap({
    log,
    families,
    allowLocal,
    random,
    named: config.bootstrap_nodes,
    saved: saved.nodes,
    retryMs: config.min_interval,
    ...(deps.resolveHost && { resolveHost: deps.resolveHost }),
  })
  const ready = (signal?: AbortSignal): Promise<void> => bootstrap.ready(FIRST_NODE_WAIT_MS, signal)
  const search = createSearch({ families, ready })
  const seekers = {
    ...createPeerSeeker({ search, peers, allowLocal }),
    ...createItemSeeker({ search, items }),
  }

  const nodeCount = (): number => families.reduce((sum, family) => sum + family.table().size(), 0)

  async function save(): Promise<void> {
    const nodes = families.flatMap((family) => family.table().all())
    const ids = Object.fromEntries(families.map((family) => [family.family, family.id()]))
    try {
      await stateFile.save({
        ids,
        // An empty table after a day offline says nothing against the nodes of before.
        nodes: nodes.length > 0 ? nodes : saved.nodes,
        items: items.all(),
        readOnly: reachability.readOnly(),
      })
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'the DHT state could not be saved')
    }
  }

  const upkeep = createUpkeep({
    families,
    random,
    pauseMs: config.min_interval,
    sweep: () => {
      items.sweep()
      peers.sweep()
      for (const hash of own.hashes.keys()) if (!own.recent.has(hash)) own.hashes.delete(hash)
    },
    review: () => {
      bootstrap.review()
      reachability.review(nodeCount())
    },
    save,
  })
  void bootstrap.run()
  upkeep.start()

  return {
    families,
    seekers,
    ready,
    nodeCount,
    readOnly: reachability.readOnly,
    stats: () => collectStats({ families, items, peers, background }),
    remember(infoHash: InfoHash, port: number): void {
      own.recent.add(infoHash)
      own.hashes.set(infoHash, port)
    },
    async stop(): Promise<void> {
      background.stop()
      for (const family of families) family.rpc.stop()
      await Promise.all([bootstrap.stop(), upkeep.stop()])
      await save()
      await Promise.all(families.map((family) => family.stop()))
    },
  }
}

/**
 * A node of the Mainline DHT on one UDP port; see the README of this room. Before `start`, after
 * `stop` and when switched off it asks nobody, so nobody answers.
 */
export function createDhtNode(deps: DhtDeps, config: DhtConfig): DhtNode {
  let running: Running | undefined
  const unheard = { asked: 0, answered: 0, holders: 0, rejected: 0 }
  const unstored = (target: Target): PutOutcome => ({ target, asked: 0, stored: 0, errors: {} })

  return {
    name: 'dht',
    async start(): Promise<void> {
      if (!config.enabled) return
      running ??= await startParts(deps, config)
      const port = running.families[0]?.link.port()
      deps.log.info({ port, families: running.families.length }, 'the DHT node listens')
    },
    async stop(): Promise<void> {
      const old = running
      running = undefined
      await old?.stop()
    },
    health(): Health {
      if (!config.enabled) return { status: 'ok', score: 100, detail: 'switched off' }
      if (!running) return { status: 'down', score: 0, detail: 'not running' }
      const nodes = running.nodeCount()
      if (nodes === 0) return { status: 'degraded', score: 20, detail: 'no DHT node answers' }
      if (nodes < 8) return { status: 'ok', score: 80, detail: `only ${nodes} DHT nodes known` }
      return { status: 'ok', score: 100 }
    },
    async *peers(infoHash, signal) {
      if (running) yield* running.seekers.peers(infoHash, signal)
    },
    async announce(infoHash, port, signal) {
      running?.remember(infoHash, port)
      return running?.seekers.announce(infoHash, port, signal) ?? unstored(asTarget(infoHash))
    },
    async getImmutable(target, signal) {
      return running?.seekers.getImmutable(target, signal) ?? unheard
    },
    async getMutable(key, salt, signal) {
      return running?.seekers.getMutable(key, salt, signal) ?? unheard
    },
    async putImmutable(value, signal) {
      return running?.seekers.putImmutable(value, signal) ?? unstored(immutableTarget(value))
    },
    async putMutable(item, cas, signal) {
      const target = mutableTarget(item.publicKey, item.salt)
      return running?.seekers.putMutable(item, cas, signal) ?? unstored(target)
    },
    async addNode(address) {
      const host = canonicalHost(address.host)
      const family = host && running?.families.find((node) => node.family === familyOf(host))
      if (!host || !family || !isUsable({ host, port: address.port }, config.allow_local)) return
      const question = { method: 'find_node', target: family.id() } as const
      await family.ask({ host, port: address.port }, question)
    },
    async info(): Promise<DhtInfo> {
      const at = (family: Family): FamilyNode | undefined =>
        running?.families.find((node) => node.family === family)
      return {
        nodeId: toHex(at(4)?.id() ?? new Uint8Array(20)),
        nodes4: at(4)?.table().size() ?? 0,
        nodes6: at(6)?.table().size() ?? 0,
        port: at(4)?.link.port() ?? 0,
        readOnly: running?.readOnly() ?? config.read_only === 'on',
        stats: running?.stats() ?? {},
      }
    },
  }
}
