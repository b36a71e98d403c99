/** The one webtorrent client of the process: its port, its limits, and the ways to find peers. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type WebTorrent from 'webtorrent'
import type { Torrent } from 'webtorrent'
import { messageOf } from '../../base/errors.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { DhtNode, PeerAddress } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'
import type { Stats } from '../../base/ports/component.ts'
import { trackerUrls } from '../../base/hint-urls.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { WebRtc } from '../../base/ports/web-rtc.ts'
import { type Bandwidth, createBandwidth } from './wire/bandwidth.ts'
import type { SwarmConfig } from './config.ts'
import { createDiscovery, type Sought } from './discovery/discovery.ts'
import { TorrentBindFailed } from './errors.ts'
import { hardenWires } from './wire/harden-wire.ts'
import { loadWebTorrent } from './wire/load-webtorrent.ts'
import { createLsd } from './discovery/lsd.ts'
import { createMetPeers } from './discovery/met-peers.ts'
import { reachOf } from '../../base/ip-reach.ts'
import { type BanList, createBanList, type DialSource } from './wire/peer-policy.ts'
import { regulate } from './wire/peer-flow.ts'
import { createPortMapping } from './discovery/port-mapping.ts'
import { createReception, type Reception } from './wire/reception.ts'
import type { Scheduler } from './pieces/scheduler.ts'
import { joinSwarm, type Swarm, type SwarmDeps } from './swarm.ts'
import { createTrackers } from './trackers/trackers.ts'
import type { Signaller } from './trackers/ws-tracker.ts'
import { createWsTrackers } from './trackers/ws-trackers.ts'

const USER_AGENT = 'btlinkd'
// A connection that says nothing for so long was never a peer.
const MAX_SILENT_CONNECTIONS = 64
const MAX_PER_ADDRESS = 12
const RESTART_MS = 5000
const OFFERS_MS = 15_000
const READY_MS = 10_000

export interface SwarmHostDeps {
  dht: Pick<DhtNode, 'peers' | 'announce'>
  webrtc: WebRtc
  browsers: Pick<Signaller, 'answer' | 'accept' | 'hasBrowser'>
  /** Whether peers of a torrent are here. */
  isBusy: (infoHash: InfoHash) => boolean
  log: Log
  clock: Clock
}

export interface HostEvents {
  /** The client ended by itself: every torrent has left the swarm. */
  lost(): void
  /** It listens again. */
  back(): void
  /** Whether a seed sleeps that the caller may have. */
  canWake(infoHash: InfoHash, host: string): boolean
  /** Brings it into the swarm; false where that is not to be. */
  wake(infoHash: InfoHash): Promise<boolean>
  /** Bytes of payload went to a peer outside the own network. */
  given(infoHash: InfoHash, bytes: number): void
}

export interface SwarmHost {
  readonly bans: BanList
  readonly bandwidth: Bandwidth
  isRunning(): boolean
  port(): number
  /** 40 hex digits, as in handshakes; empty while the client is not running. */
  peerId(): string
  start(events: HostEvents): Promise<void>
  stop(): Promise<void>
  join(
    torrent: Pick<SwarmDeps, 'metainfo' | 'have' | 'uploads' | 'failed' | 'mayMeet'>,
    scheduler: () => Scheduler,
  ): Swarm
  /** Peers that announced themselves at our own tracker. */
  meet(infoHash: InfoHash, peers: readonly PeerAddress[]): void
  discover(
    sought: Sought,
    found: (peers: PeerAddress[], source: DialSource) => void,
    signal: AbortSignal,
  ): void
  /** Says on the own network, in turns, that a seeded torrent is here. */
  present(infoHash: InfoHash, isHere: boolean): void
  /** Keeps a seeded torrent at its trackers until `signal`. */
  track(
    sought: Sought,
    found: (peers: PeerAddress[], source: DialSource) => void,
    signal: AbortSignal,
  ): void
  /** To the DHT; resolves to how many nodes took it. */
  announce(sought: Sought, signal: AbortSignal): Promise<number>
  stats(): Stats
}

export function createSwarmHost(deps: SwarmHostDeps, config: SwarmConfig): SwarmHost {
  const { dht, webrtc, log, clock } = deps
  const bans = createBanList(() => performance.now())
  const callers = new Map<string, number>()
  const bandwidth = createBandwidth({ clock }, config)
  /** webtorrent's own list has to be searched from its start. */
  const joined = new Map<string, Torrent>()
  let reception: Reception | undefined
  let client: WebTorrent | undefined
  let restarting: NodeJS.Timeout | undefined
  const port = () => (client?.listening === true ? client.torrentPort : 0)
  const mapping = createPortMapping({ log })
  /** Where peers outside the own network call. */
  const publicPort = () => mapping.externalPort() || port()
  const trackers = createTrackers({ log, port: publicPort }, config)
  const lsd = createLsd({ log, port }, config)
  const met = createMetPeers(() => performance.now())
  const signaller: Signaller = {
    ...deps.browsers,
    peerId: () => client?.peerId ?? '',
    offers: async (infoHash, count) =>
      webrtc.offer(infoHash, count, AbortSignal.timeout(OFFERS_MS)).catch(() => []),
  }
  const wsTrackers = createWsTrackers({ log, signaller, isBusy: deps.isBusy }, config)
  const discovery = createDiscovery({ dht, log, trackers, wsTrackers, lsd, met })

  /** One address alone must not take every place, least of all with sockets that say nothing. */
  function admit(socket: Socket): void {
    const address = socket.remoteAddress ?? ''
    const count = (callers.get(address) ?? 0) + 1
    callers.set(address, count)
    socket.once('close', () => {
      const left = (callers.get(address) ?? 1) - 1
      if (left > 0) callers.set(address, left)
      else callers.delete(address)
    })
    if (count > MAX_PER_ADDRESS && reachOf(address) !== 'loopback') socket.destroy()
  }

  function again(events: HostEvents): void {
    clearTimeout(restarting)
    restarting = setTimeout(() => {
      void (async () => {
        try {
          client = await listen(events)
          events.back()
        } catch (error) {
          log.warn({ err: error }, 'the torrent client cannot be started again yet')
          if (restarting) again(events)
        }
      })()
    }, RESTART_MS).unref()
  }

  /** Whether it is in the swarm and takes peers. */
  async function isReady(infoHash: InfoHash): Promise<boolean> {
    const torrent = joined.get(infoHash)
    if (torrent === undefined || torrent.destroyed) return false
    if (torrent.ready) return true
    const ended = new AbortController()
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(READY_MS)])
    torrent.once('close', () => ended.abort())
    await once(torrent, 'ready', { signal }).catch(() => {})
    return torrent.ready && !torrent.destroyed
  }

  /** Puts our reception before webtorrent's, which knows awake torrents only. */
  function receive(fresh: WebTorrent, events: HostEvents): void {
    const pool = fresh._connPool
    const server = pool?.tcpServer
    if (!pool || !server) return
    const pass = pool._onConnection.bind(pool)
    const open = createReception({
      log,
      isHere(infoHash) {
        const torrent = joined.get(infoHash)
        return torrent?.ready === true && !torrent.destroyed
      },
      canWake: (infoHash, host) => joined.has(infoHash) || events.canWake(infoHash, host),
      wake: async (infoHash) => (await events.wake(infoHash)) && isReady(infoHash),
      isTrusted: (host) => bandwidth.isExempt(host),
      pass: (socket) => pass(socket, 'tcp'),
    })
    reception?.stop()
    reception = open
    joined.clear()
    pool._onConnection = (socket) => {
      if (bans.has(socket.remoteAddress ?? '')) socket.destroy()
      else open.receive(socket)
    }
    fresh.get = async (infoHash) => joined.get(infoHash) ?? null
    server.maxConnections = config.max_connections + MAX_SILENT_CONNECTIONS
    server.on('connection', admit)
  }

  async function listen(events: HostEvents): Promise<WebTorrent> {
    const Client = await loadWebTorrent()
    const fresh = new Client({
      torrentPort: config.port,
      maxConns: config.max_connections_per_torrent,
      utPex: config.pex,
      userAgent: USER_AGENT,
      dht: false,
      lsd: false,
      tracker: false,
      natUpnp: false,
      natPmp: false,
      utp: false,
      webSeeds: false,
      secure: 0,
    })
    regulate(fresh.throttleGroups, {
      bandwidth,
      given: (infoHash, bytes) => events.given(infoHash as InfoHash, bytes),
    })
    const failed = new AbortController()
    let started = false
    fresh.on('error', (error: unknown) => {
      failed.abort(error)
      if (!started || client !== fresh) return
      log.error({ err: error }, 'the torrent client ended and is started again')
      client = undefined
      events.lost()
      again(events)
    })
    try {
      await once(fresh, 'listening', { signal: failed.signal })
    } catch {
      const cause: unknown = failed.signal.reason
      throw new TorrentBindFailed(config.port, messageOf(cause), { cause })
    }
    started = true
    receive(fresh, events)
    return fresh
  }

  const connections = () =>
    (client?.torrents ?? []).reduce((sum, torrent) => sum + torrent._numConns, 0)

  return {
    bans,
    bandwidth,
    isRunning: () => client !== undefined,
    port,
    peerId: () => client?.peerId ?? '',
    async start(events) {
      hardenWires()
      for (const url of config.announce_urls) {
        if (trackerUrls([url]).length === 0)
          log.warn({ url }, 'swarm.announce_urls names something that is no tracker')
      }
      bandwidth.start()
      client = await listen(events)
      if (config.map_port) mapping.start(port())
      await lsd.start()
    },
    async stop() {
      clearTimeout(restarting)
      restarting = undefined
      bandwidth.stop()
      reception?.stop()
      await mapping.stop()
      await lsd.stop()
      trackers.stop()
      wsTrackers.stop()
      const ending = client
      client = undefined
      if (ending === undefined || ending.destroyed) return
      await new Promise<void>((resolve) => {
        ending.destroy(() => resolve())
      })
    },
    join(torrent, scheduler) {
      if (client === undefined) throw new Error('the client is not running')
      const { infoHash } = torrent.metainfo
      const swarm = joinSwarm(
        {
          ...torrent,
          client,
          bans,
          log,
          scheduler,
          openConnections: connections,
        },
        {
          maxConnections: config.max_connections,
          maxConnectionsPerTorrent: config.max_connections_per_torrent,
          uploadSlots: config.upload_slots,
          allowLocal: config.allow_local,
        },
      )
      const added = client.torrents.at(-1)
      if (added) {
        joined.set(infoHash, added)
        added.once('close', () => {
          if (joined.get(infoHash) === added) joined.delete(infoHash)
        })
      }
      return {
        ...swarm,
        async leave() {
          if (joined.get(infoHash) === added) joined.delete(infoHash)
          await swarm.leave()
          webrtc.close(infoHash)
        },
      }
    },
    present: (infoHash, isHere) => lsd.present(infoHash, isHere),
    meet: (infoHash, peers) => met.add(infoHash, peers),
    discover: (sought, found, signal) => discovery.run(sought, found, signal),
    track: (sought, found, signal) => discovery.keep(sought, found, signal),
    async announce({ infoHash }, signal) {
      return (await dht.announce(infoHash, publicPort(), signal)).stored
    },
    stats: () => ({
      connections: connections(),
      banned_peers: bans.size,
      mapped_port: mapping.externalPort(),
      ...wsTrackers.stats(),
      ...Object.fromEntries(
        Object.entries(webrtc.stats()).map(([name, value]) => [`webrtc_${name}`, value]),
      ),
      download_bytes_per_second: Math.round(client?.downloadSpeed ?? 0),
      upload_bytes_per_second: Math.round(client?.uploadSpeed ?? 0),
    }),
  }
}
