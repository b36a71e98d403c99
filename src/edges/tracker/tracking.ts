/** What every transport asks: may this torrent be tracked here, who is in its swarm, who else should know. */
import type { InfoHash } from '../../base/hashes.ts'
import { addressBytes, HOUSE, isMapped, LINK, PUBLIC, reachOf } from './address.ts'
import {
  type Announce,
  type Answer,
  type BoxPeer,
  FULL,
  NOT_TRACKED,
  PAUSED_EVENT,
  COMPLETED_EVENT,
  type Refusal,
  STOPPED_EVENT,
  TOO_OFTEN,
} from './announce.ts'
import type { Asker } from './askers.ts'
import { CLIENT_NAMES, clientOf } from './clients.ts'
import type { TrackerConfig } from './config.ts'
import type { TrackerBox } from './deps.ts'
import type { Introductions } from './introductions.ts'
import type { PeerTable } from './peer-table.ts'
import type { RateLimit } from './rate-limit.ts'
import type { Selection, Wish } from './selection.ts'
import { seedsOf, sizeOf, type Swarms } from './swarms.ts'

export interface Counts {
  complete: number
  incomplete: number
  downloaded: number
}

export interface TrackingDeps {
  box: TrackerBox
  table: PeerTable
  swarms: Swarms
  selection: Selection
  rateLimit: RateLimit
  introductions: Introductions
  /** Peers by WebSocket. */
  socketCounts(infoHash: InfoHash): { complete: number; incomplete: number }
}

// A peer that the box met lately need not be dialled for every announce.
const MEET_AGAIN_SECONDS = 60
// Clients that were started together shall not announce together for ever.
const JITTER = 0.05
const NO_PEERS: BoxPeer[] = []

export const isAllowed = (
  config: TrackerConfig,
  box: TrackerBox,
): ((infoHash: InfoHash) => boolean) => {
  const listed = new Set(config.allowed.map((text) => text.toLowerCase()))
  return (infoHash) =>
    box.holds(infoHash) !== undefined || (config.access === 'list' && listed.has(infoHash))
}

export function createTracking(
  deps: TrackingDeps,
  config: TrackerConfig,
  isOurs: (infoHash: InfoHash) => boolean,
) {
  const { box, swarms, selection, rateLimit } = deps
  const seconds = (ms: number): number => Math.max(1, Math.round(ms / 1000))
  const interval = seconds(config.announce_interval)
  const publicAddresses: BoxPeer[] = config.public_hosts
    .map((host) => addressBytes(host.replace(/^\[(.*)\]$/, '$1')))
    .filter((address) => address !== undefined)
    .map((address) => ({ address, v4: isMapped(address), port: 0 }))
  const outcome = { slot: -1, idle: Infinity }
  const byClient: Record<string, number> = Object.fromEntries(CLIENT_NAMES.map((name) => [name, 0]))
  const counts: Counts = { complete: 0, incomplete: 0, downloaded: 0 }
  const answer: Answer = {
    refused: undefined,
    complete: 0,
    incomplete: 0,
    downloaded: 0,
    interval,
    minInterval: Math.min(interval, seconds(config.min_interval)),
    slots: new Int32Array(Math.max(1, config.max_numwant)),
    count: 0,
    box: NO_PEERS,
    warning: undefined,
  }

  function count(infoHash: InfoHash, held: 'whole' | 'part' | undefined, into: Counts): void {
    const swarm = swarms.get(infoHash)
    const sockets = deps.socketCounts(infoHash)
    const seeds = swarm ? seedsOf(swarm) : 0
    into.complete = seeds + sockets.complete + (held === 'whole' ? 1 : 0)
    into.incomplete =
      (swarm ? sizeOf(swarm) - seeds : 0) + sockets.incomplete + (held === 'part' ? 1 : 0)
    into.downloaded = swarm?.downloaded ?? 0
  }

  /** An engine of the box that announces here is the peer that every answer has anyway. */
  const isBoxItself = ({ asker, port }: Announce): boolean => asker.isBox && port === box.peerPort()

  function boxPeers(asker: Asker, arrivedAt: string | undefined): BoxPeer[] {
    const port = box.peerPort()
    if (port === 0) return NO_PEERS
    if (!asker.inHouse) return publicAddresses.map((peer) => ({ ...peer, port }))
    const arrived = arrivedAt === undefined ? undefined : addressBytes(arrivedAt)
    // Behind a proxy the request arrives at an address that the asker may not know.
    const usable =
      arrived !== undefined &&
      isMapped(arrived) === asker.v4 &&
      (reachOf(arrived) === asker.reach || reachOf(arrived) >= HOUSE)
    const address = usable ? arrived : asker.boxAddress
    return address === undefined ? NO_PEERS : [{ address, v4: isMapped(address), port }]
  }

  function introduce({ infoHash, asker, port, left }: Announce, held: 'whole' | 'part'): void {
    // Two who have all of it have nothing to say to each other.
    if (held === 'whole' && left === 0) return
    if (outcome.slot < 0 || outcome.idle < MEET_AGAIN_SECONDS) return
    // Without its zone nobody can dial it.
    if (asker.reach === LINK && !asker.v4) return
    deps.introductions.add(infoHash, asker.host, port)
  }

  function wantedOf({ event, numwant }: Announce): number {
    if (event === STOPPED_EVENT) return 0
    return Math.min(numwant ?? config.default_numwant, config.max_numwant)
  }

  function fillPeers(
    announce: Announce,
    held: 'whole' | 'part' | undefined,
    arrivedAt: string | undefined,
  ): void {
    const { infoHash, asker, peerId, left, event, families } = announce
    const givesOnly = left === 0 || event === PAUSED_EVENT || event === COMPLETED_EVENT
    let wanted = wantedOf(announce)
    answer.box = NO_PEERS
    if (wanted > 0 && held !== undefined && !(held === 'whole' && givesOnly)) {
      const peers = isBoxItself(announce) ? NO_PEERS : boxPeers(asker, arrivedAt)
      answer.box = peers
        .filter(({ v4 }) => families === 'both' || v4 === (families === 4))
        .slice(0, wanted)
      wanted -= answer.box.length
    }
    const swarm = wanted > 0 ? swarms.get(infoHash) : undefined
    const wish: Wish = {
      asker,
      peerId,
      slot: outcome.slot,
      givesOnly,
      numwant: wanted,
      families,
    }
    answer.count = swarm ? selection.pick(swarm, wish, answer.slots) : 0
  }

  function record(announce: Announce): Refusal | undefined {
    outcome.slot = -1
    answer.warning = undefined
    const { infoHash, event } = announce
    const swarm = event === STOPPED_EVENT ? swarms.get(infoHash) : swarms.open(infoHash)
    if (swarm === undefined) return event === STOPPED_EVENT ? undefined : FULL
    if (swarms.record(swarm, announce, outcome) === 'no room') {
      answer.warning = 'no room for another peer: you get peers, but are not told to others'
    }
    return undefined
  }

  return {
    /** Announces that were answered, by the program that sent them. */
    byClient,
    /** Whether an asker may ask now; announces and scrapes cost the same. */
    mayAsk: (asker: Asker): boolean => rateLimit.takes(asker.payer),
    /**
     * @param arrivedAt the address of the box that the request came to, where the transport knows it
     * @returns an object that the next call fills anew
     */
    announce(announce: Announce, arrivedAt?: string): Answer | Refusal {
      const { infoHash, asker } = announce
      if (!rateLimit.takes(asker.payer)) return TOO_OFTEN
      const held = box.holds(infoHash)
      if (held === undefined && config.access !== 'open' && !isOurs(infoHash)) return NOT_TRACKED
      const client = clientOf(announce.peerId)
      byClient[client.name] = (byClient[client.name] ?? 0) + 1
      if (!client.steadyKey) announce.key = 0
      if (!isBoxItself(announce)) {
        const refusal = record(announce)
        if (refusal) return refusal
        if (held !== undefined) introduce(announce, held)
      } else {
        outcome.slot = -1
        answer.warning = undefined
      }
      fillPeers(announce, held, arrivedAt)
      count(infoHash, held, counts)
      answer.complete = counts.complete
      answer.incomplete = counts.incomplete
      answer.downloaded = counts.downloaded
      answer.interval = interval + Math.floor(Math.random() * interval * JITTER)
      return answer
    },
    /** Undefined for torrents that are not tracked here. */
    scrape(infoHash: InfoHash): Counts | undefined {
      const held = box.holds(infoHash)
      if (held === undefined && config.access !== 'open' && !isOurs(infoHash)) return undefined
      if (held === undefined && swarms.get(infoHash) === undefined) {
        const sockets = deps.socketCounts(infoHash)
        if (sockets.complete + sockets.incomplete === 0 && config.access === 'open')
          return undefined
      }
      count(infoHash, held, counts)
      return counts
    },
    /** BEP 24 is for those who want to know how the world sees them. */
    externalAddress: (asker: Asker): Uint8Array | undefined =>
      asker.reach === PUBLIC ? asker.bytes : undefined,
  }
}

export type Tracking = ReturnType<typeof createTracking>
