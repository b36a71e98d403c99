/** The tracker: one set of swarms behind HTTP, UDP and WebSocket. */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { messageOf } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { Stats } from '../../base/ports/component.ts'
import { type AddressSet, addressSet, clientAddress } from '../http/index.ts'
import { type Announce, NO_EVENT, PAUSED_EVENT, REFUSAL_KINDS } from './announce.ts'
import { createAskers } from './askers.ts'
import type { TrackerConfig } from './config.ts'
import { createConnectionIds } from './connection-ids.ts'
import type { Tracker, TrackerDeps } from './deps.ts'
import { TrackerBadProxy } from './errors.ts'
import { createHttpAnswers } from './http-answer.ts'
import { createHttpTracker } from './http-tracker.ts'
import { createIntroductions } from './introductions.ts'
import { createPeerTable, PARTIAL, SEED } from './peer-table.ts'
import { createRateLimit } from './rate-limit.ts'
import { createSelection } from './selection.ts'
import { createSnapshotFile, packSwarms, type SavedPeer } from './snapshot.ts'
import { createSocketTracker } from './socket-tracker.ts'
import { createSteadyClock } from './steady-clock.ts'
import { createSwarms, seedsOf, sizeOf } from './swarms.ts'
import { createTracking, isAllowed } from './tracking.ts'
import { createUdpTracker } from './udp-tracker.ts'
import { announceUrls } from './urls.ts'

const SNAPSHOT_FILE = 'swarms.benc'
const SNAPSHOT_MS = 10 * 60_000
const TICK_MS = 1000
/** Every swarm is looked at once a minute. */
const TICKS_PER_ROUND = 60

function proxiesOf(entries: readonly string[]): AddressSet | undefined {
  if (entries.length === 0) return undefined
  const set = addressSet(entries)
  if ('bad' in set) throw new TrackerBadProxy(set.bad)
  return set
}

/** @throws TrackerBadProxy */
export function createTracker(deps: TrackerDeps, config: TrackerConfig): Tracker {
  const { box, log, clock, ticks = () => performance.now() } = deps
  const proxies = proxiesOf(config.trusted_proxies)
  const steady = createSteadyClock(ticks)
  const seed = randomBytes(4).readUInt32BE(0)
  const table = createPeerTable(config.max_peers, seed)
  const isOurs = isAllowed(config, box)
  const intervalSeconds = Math.max(1, Math.round(config.announce_interval / 1000))
  const swarms = createSwarms(
    table,
    {
      maxTorrents: config.max_torrents,
      maxPeersPerTorrent: config.max_peers_per_torrent,
      maxPeersPerAddress: config.max_peers_per_address,
      intervalSeconds,
    },
    steady.seconds,
    isOurs,
  )
  const askers = createAskers(seed, steady.ms)
  const introductions = createIntroductions((infoHash, peers) => box.meet(infoHash, peers))
  const address = (req: IncomingMessage): string =>
    proxies === undefined ? (req.socket.remoteAddress ?? '') : clientAddress(req, proxies)
  const sockets = createSocketTracker(
    {
      box,
      allowed: (infoHash) => config.access === 'open' || isOurs(infoHash),
      addressPeers: countAddressPeers,
      completed: (infoHash) => swarms.countCompleted(infoHash),
      clientAddress: address,
      log,
      clock: { now: steady.ms },
    },
    config,
  )
  const tracking = createTracking(
    {
      box,
      table,
      swarms,
      selection: createSelection(table, steady.seconds, intervalSeconds * 1.1),
      rateLimit: createRateLimit(config.requests_per_second, config.burst, steady.ms),
      introductions,
      socketCounts: (infoHash) => sockets.counts(infoHash),
    },
    config,
    isOurs,
  )
  const http = createHttpTracker({
    tracking,
    askers,
    answers: createHttpAnswers(table, config.max_numwant),
    clientAddress: address,
  })
  const udp = createUdpTracker({
    tracking,
    askers,
    table,
    connectionIds: createConnectionIds(randomBytes(32), steady.seconds),
    log,
  })
  const snapshot = createSnapshotFile(join(deps.statePath, SNAPSHOT_FILE), log)
  let tick: NodeJS.Timeout | undefined
  let saving: NodeJS.Timeout | undefined
  let savedChanges = 0
  let saveFailed = false
  let running = false
  let upkeeps = 0

  function countAddressPeers(infoHash: InfoHash) {
    const swarm = swarms.get(infoHash)
    const held = box.holds(infoHash)
    const seeds = swarm === undefined ? 0 : seedsOf(swarm)
    return {
      complete: seeds + (held === 'whole' ? 1 : 0),
      incomplete: (swarm === undefined ? 0 : sizeOf(swarm) - seeds) + (held === 'part' ? 1 : 0),
      downloaded: swarm?.downloaded ?? 0,
    }
  }

  function upkeep(): void {
    swarms.sweep(Math.ceil(swarms.torrents() / TICKS_PER_ROUND))
    if (++upkeeps % TICKS_PER_ROUND === 0) askers.forget()
  }

  async function save(): Promise<void> {
    const changes = swarms.changes()
    if (changes === savedChanges) return
    try {
      await snapshot.save(clock.now(), packSwarms(table, swarms, steady.seconds()))
      savedChanges = changes
      saveFailed = false
    } catch (error) {
      if (!saveFailed) log.warn({ error: messageOf(error) }, 'the swarms cannot be saved')
      saveFailed = true
    }
  }

  async function load(): Promise<void> {
    const saved = await snapshot.load()
    if (saved === undefined) return
    const awaySeconds = Math.max(0, Math.floor((clock.now() - saved.at) / 1000))
    for (const { infoHash, downloaded, peers } of saved.swarms) {
      const fresh = peers.filter((peer) => peer.ageSeconds + awaySeconds < swarms.ttlSeconds)
      if (fresh.length === 0 && downloaded === 0) continue
      const swarm = swarms.open(infoHash)
      if (swarm === undefined) continue
      swarm.downloaded = downloaded
      for (const peer of fresh) {
        const seenAt = steady.seconds() - peer.ageSeconds - awaySeconds
        swarms.restore(swarm, restored(infoHash, peer), peer.flags, seenAt)
      }
    }
  }

  function restored(infoHash: InfoHash, peer: SavedPeer): Announce {
    return {
      infoHash,
      asker: askers.ofBytes(peer.address),
      port: peer.port,
      peerId: peer.peerId,
      key: peer.key,
      event: (peer.flags & PARTIAL) === 0 ? NO_EVENT : PAUSED_EVENT,
      left: (peer.flags & SEED) === 0 ? Infinity : 0,
      uploaded: 0,
      numwant: 0,
      families: 'both',
    }
  }

  function stats(): Stats {
    const refusals = REFUSAL_KINDS.map((kind) => [
      `refused_${kind}`,
      http.refused[kind] + udp.refused[kind],
    ])
    return {
      announces_http: http.stats.announces,
      announces_udp: udp.stats.announces,
      scrapes_http: http.stats.scrapes,
      scrapes_udp: udp.stats.scrapes,
      udp_connects: udp.stats.connects,
      udp_malformed: udp.stats.malformed,
      udp_bad_connection: udp.stats.badConnections,
      udp_failures: udp.stats.sendFailures + udp.stats.socketFailures,
      ...(Object.fromEntries(refusals) as Stats),
      ...Object.fromEntries(
        Object.entries(tracking.byClient).map(([name, count]) => [`client_${name}`, count]),
      ),
      swarms: swarms.torrents(),
      peers: table.size(),
      ...sockets.stats(),
    }
  }

  return {
    name: 'tracker',
    get udpPort() {
      return udp.port()
    },
    async start() {
      if (!config.enabled || running) return
      running = true
      if (config.allowed.length > 0 && config.access !== 'list') {
        log.warn({ access: config.access }, 'tracker.allowed does nothing without `access: list`')
      }
      await load()
      if (config.udp) await udp.start(config.udp_port)
      tick = setInterval(upkeep, TICK_MS).unref()
      saving = setInterval(() => void save(), SNAPSHOT_MS).unref()
    },
    async stop() {
      clearInterval(tick)
      clearInterval(saving)
      introductions.stop()
      await Promise.all([udp.stop(), sockets.stop()])
      if (running) await save()
      running = false
    },
    health() {
      if (!config.enabled) return { status: 'ok', score: 100, detail: 'switched off' }
      if (!running) return { status: 'down', score: 0, detail: 'not started' }
      if (table.isFull() || swarms.torrents() >= config.max_torrents) {
        return { status: 'degraded', score: 60, detail: 'no room for further peers or torrents' }
      }
      if (saveFailed) return { status: 'degraded', score: 80, detail: 'the swarms cannot be saved' }
      return { status: 'ok', score: 100 }
    },
    answer: (req, res) => config.enabled && http.answer(req, res),
    upgrade(req, socket, head) {
      const path = (req.url ?? '').split('?', 1)[0]
      if (!config.enabled || path !== '/announce') return false
      sockets.upgrade(req, socket, head)
      return true
    },
    announceUrls: (host, apiPort) => announceUrls(config, host, apiPort, udp.port()),
    stats,
  }
}
