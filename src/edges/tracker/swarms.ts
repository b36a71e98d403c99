/** Which peers are in which swarm: joining, leaving, expiring, and what happens when there is no room. */
import type { InfoHash } from '../../base/hashes.ts'
import { PUBLIC } from './address.ts'
import { type Announce, COMPLETED_EVENT, PAUSED_EVENT, STOPPED_EVENT } from './announce.ts'
import { addToGroup, type Group, removeFromGroup } from './group.ts'
import { COMPLETED, GREW, PARTIAL, type PeerTable, SEED, V4 } from './peer-table.ts'

export interface Swarm {
  readonly id: number
  readonly infoHash: InfoHash
  public4: Group | undefined
  public6: Group | undefined
  house4: Group | undefined
  house6: Group | undefined
  /** Peers that completed the torrent, each counted once. */
  downloaded: number
  /** Hashes of the peer ids that completed last. */
  completers: number[] | undefined
}

export interface SwarmLimits {
  maxTorrents: number
  maxPeersPerTorrent: number
  maxPeersPerAddress: number
  /** Seconds between the announces of a well-behaved client. */
  intervalSeconds: number
}

/** What became of an announce. */
export type Recorded = 'kept' | 'gone' | 'ignored' | 'no room'

const MAX_COMPLETERS = 64
const MAX_PEERS_OF_ADDRESS_IN_TORRENT = 50
const MAX_EVICTION_LOOK = 64
const KIB = 1024
const MAX_UINT32 = 0xffff_ffff

/** Silent for so many intervals, a peer is gone. */
const EXPIRY_INTERVALS = 1.8

const idHash = (peerId: Uint8Array): number => {
  let hash = 0
  for (let i = 0; i < peerId.length; i++) hash = Math.imul(hash, 31) + (peerId[i] ?? 0)
  return hash | 0
}

export const sizeOf = ({ public4, public6, house4, house6 }: Swarm): number =>
  (public4?.slots.length ?? 0) +
  (public6?.slots.length ?? 0) +
  (house4?.slots.length ?? 0) +
  (house6?.slots.length ?? 0)

export const seedsOf = ({ public4, public6, house4, house6 }: Swarm): number =>
  (public4?.seeds ?? 0) + (public6?.seeds ?? 0) + (house4?.seeds ?? 0) + (house6?.seeds ?? 0)

export const groupsOf = ({ public4, public6, house4, house6 }: Swarm): Group[] =>
  [public4, public6, house4, house6].filter((group) => group !== undefined)

/**
 * @param now seconds that never go back
 * @param isOurs whether a torrent is one the box wants tracked: it always finds room
 */
export function createSwarms(
  table: PeerTable,
  limits: SwarmLimits,
  now: () => number,
  isOurs: (infoHash: InfoHash) => boolean,
) {
  const byHash = new Map<InfoHash, Swarm>()
  const byPayer = new Map<number, number>()
  const ttlSeconds = Math.ceil(limits.intervalSeconds * EXPIRY_INTERVALS)
  let ids = 0
  let walk: MapIterator<Swarm> | undefined
  let changes = 0

  function groupFor(swarm: Swarm, slot: number, isPublic: boolean): Group {
    const v4 = (table.flags(slot) & V4) !== 0
    if (isPublic) {
      if (v4) return (swarm.public4 ??= { slots: [], seeds: 0 })
      return (swarm.public6 ??= { slots: [], seeds: 0 })
    }
    if (v4) return (swarm.house4 ??= { slots: [], seeds: 0 })
    return (swarm.house6 ??= { slots: [], seeds: 0 })
  }

  function holderOf(swarm: Swarm, slot: number): Group | undefined {
    const place = table.place(slot)
    const v4 = (table.flags(slot) & V4) !== 0
    const outside = v4 ? swarm.public4 : swarm.public6
    return outside?.slots[place] === slot ? outside : v4 ? swarm.house4 : swarm.house6
  }

  function drop(swarm: Swarm, slot: number): void {
    const group = holderOf(swarm, slot)
    if (group) removeFromGroup(table, group, slot)
    const payer = table.payer(slot)
    const count = byPayer.get(payer) ?? 1
    if (count > 1) byPayer.set(payer, count - 1)
    else byPayer.delete(payer)
    table.remove(slot)
  }

  function dropSwarm(swarm: Swarm): void {
    for (const group of groupsOf(swarm)) {
      for (let slot = group.slots.at(-1); slot !== undefined; slot = group.slots.at(-1)) {
        drop(swarm, slot)
      }
    }
    byHash.delete(swarm.infoHash)
  }

  /** Makes room for a torrent of ours by ending a stranger's, the smallest of a few. */
  function evictTorrent(): boolean {
    let victim: Swarm | undefined
    let looked = 0
    for (const swarm of byHash.values()) {
      if (isOurs(swarm.infoHash)) continue
      if (victim === undefined || sizeOf(swarm) < sizeOf(victim)) victim = swarm
      if (sizeOf(victim) === 0 || ++looked >= MAX_EVICTION_LOOK) break
    }
    if (victim) dropSwarm(victim)
    return victim !== undefined
  }

  /**
   * Those who are here stay: whoever fills the tracker with made-up infohashes keeps out newcomers
   * for an hour, but drives out nobody, and never a torrent of the box.
   */
  function open(infoHash: InfoHash): Swarm | undefined {
    if (byHash.size >= limits.maxTorrents && !(isOurs(infoHash) && evictTorrent())) return undefined
    const swarm: Swarm = {
      id: ++ids,
      infoHash,
      public4: undefined,
      public6: undefined,
      house4: undefined,
      house6: undefined,
      downloaded: 0,
      completers: undefined,
    }
    byHash.set(infoHash, swarm)
    return swarm
  }

  /** Ends one of a few peers that missed their announce. */
  function evictPeer(swarm: Swarm): boolean {
    for (const group of groupsOf(swarm)) {
      const start = Math.floor(Math.random() * group.slots.length)
      for (let i = 0; i < Math.min(MAX_EVICTION_LOOK, group.slots.length); i++) {
        const slot = group.slots[(start + i) % group.slots.length]
        if (slot !== undefined && now() - table.seenAt(slot) > limits.intervalSeconds * 1.2) {
          drop(swarm, slot)
          return true
        }
      }
    }
    return false
  }

  function evictStranger(): boolean {
    let looked = 0
    for (const swarm of byHash.values()) {
      if (++looked > MAX_EVICTION_LOOK) return false
      if (isOurs(swarm.infoHash) || sizeOf(swarm) === 0) continue
      dropSwarm(swarm)
      return true
    }
    return false
  }

  function hasRoom(swarm: Swarm, { asker, infoHash }: Announce): boolean {
    const ofPayer = byPayer.get(asker.payer) ?? 0
    if (limits.maxPeersPerAddress > 0 && ofPayer >= limits.maxPeersPerAddress) return false
    if (ofPayer >= MAX_PEERS_OF_ADDRESS_IN_TORRENT && crowded(swarm, asker.payer)) return false
    if (sizeOf(swarm) >= limits.maxPeersPerTorrent && !evictPeer(swarm)) return false
    return !table.isFull() || evictPeer(swarm) || (isOurs(infoHash) && evictStranger())
  }

  function crowded(swarm: Swarm, payer: number): boolean {
    let count = 0
    for (const group of groupsOf(swarm)) {
      for (const slot of group.slots) if (table.payer(slot) === payer) count++
    }
    return count >= MAX_PEERS_OF_ADDRESS_IN_TORRENT
  }

  function join(swarm: Swarm, announce: Announce): number {
    const { asker, port, peerId } = announce
    if (!hasRoom(swarm, announce)) return -1
    const slot = table.add(swarm.id, asker.bytes, port, asker.payer)
    if (slot < 0) return slot
    table.setFlags(slot, asker.v4 ? V4 : 0)
    table.setPeerId(slot, peerId)
    byPayer.set(asker.payer, (byPayer.get(asker.payer) ?? 0) + 1)
    addToGroup(table, groupFor(swarm, slot, asker.reach === PUBLIC), slot, false)
    return slot
  }

  /**
   * Behind one address live many: the port is a peer's as long as it announces, and only who knows
   * its key (or its peer id, where it sends none) speaks for it.
   */
  function isOwner(slot: number, { key, peerId }: Announce): boolean {
    const known = table.key(slot)
    return known !== 0 && key !== 0 ? known === key : table.hasPeerId(slot, peerId)
  }

  function complete(swarm: Swarm, peerId: Uint8Array): void {
    const hash = idHash(peerId)
    swarm.completers ??= []
    if (swarm.completers.includes(hash)) return
    if (swarm.completers.length >= MAX_COMPLETERS) swarm.completers.shift()
    swarm.completers.push(hash)
    swarm.downloaded++
  }

  function refresh(swarm: Swarm, slot: number, announce: Announce): void {
    const { left, event, uploaded, key } = announce
    const before = table.flags(slot)
    // Some clients say "completed" with what was left before.
    const seed = left === 0 || event === COMPLETED_EVENT
    let flags = before & V4
    if (seed) flags |= SEED
    if (event === PAUSED_EVENT && !seed) flags |= PARTIAL
    const kib = Math.min(MAX_UINT32, Math.floor(uploaded / KIB))
    if (kib > table.uploaded(slot)) flags |= GREW
    if ((before & COMPLETED) !== 0) flags |= COMPLETED
    if (event === COMPLETED_EVENT && (before & COMPLETED) === 0) {
      flags |= COMPLETED
      complete(swarm, announce.peerId)
    }
    if (((before ^ flags) & SEED) !== 0) {
      const group = holderOf(swarm, slot)
      if (group) {
        removeFromGroup(table, group, slot)
        addToGroup(table, group, slot, seed)
      }
    }
    table.setFlags(slot, flags)
    table.setUploaded(slot, kib)
    table.setSeenAt(slot, now())
    if (key !== 0) table.setKey(slot, key)
  }

  function expire(swarm: Swarm): void {
    const limit = now() - ttlSeconds
    for (const group of groupsOf(swarm)) {
      for (let i = group.slots.length - 1; i >= 0; i--) {
        const slot = group.slots[i]
        if (slot !== undefined && table.seenAt(slot) < limit) drop(swarm, slot)
      }
    }
    if (sizeOf(swarm) > 0) return
    if (swarm.downloaded > 0 && isOurs(swarm.infoHash)) return
    byHash.delete(swarm.infoHash)
  }

  return {
    ttlSeconds,
    torrents: () => byHash.size,
    /** Grows with every change: whether there is something to save. */
    changes: () => changes,
    all: (): Iterable<Swarm> => byHash.values(),
    get: (infoHash: InfoHash): Swarm | undefined => byHash.get(infoHash),
    /** The swarm, made where it is missing; undefined where there is no room. */
    open: (infoHash: InfoHash): Swarm | undefined => byHash.get(infoHash) ?? open(infoHash),
    /** @param outcome gets the slot of the announcing peer, -1 where it has none, and the age of what was known */
    record(swarm: Swarm, announce: Announce, outcome: { slot: number; idle: number }): Recorded {
      changes++
      let slot = table.find(swarm.id, announce.asker.bytes, announce.port)
      outcome.slot = slot
      outcome.idle = Infinity
      if (slot >= 0) {
        outcome.idle = now() - table.seenAt(slot)
        if (!isOwner(slot, announce)) {
          if (outcome.idle < limits.intervalSeconds || announce.event === STOPPED_EVENT)
            return 'ignored'
          table.setPeerId(slot, announce.peerId)
          table.setKey(slot, announce.key)
        }
      }
      if (announce.event === STOPPED_EVENT) {
        if (slot >= 0) drop(swarm, slot)
        outcome.slot = -1
        return 'gone'
      }
      if (slot < 0) {
        slot = join(swarm, announce)
        outcome.slot = slot
        if (slot < 0) {
          // An address at its limit must not fill the tracker with empty swarms.
          if (sizeOf(swarm) === 0 && swarm.downloaded === 0) byHash.delete(swarm.infoHash)
          return 'no room'
        }
        table.setUploaded(slot, Math.min(MAX_UINT32, Math.floor(announce.uploaded / KIB)))
      }
      refresh(swarm, slot, announce)
      return 'kept'
    },
    /** A peer elsewhere (a browser) completed the torrent. */
    countCompleted(infoHash: InfoHash): void {
      const swarm = byHash.get(infoHash) ?? open(infoHash)
      if (swarm) swarm.downloaded++
    },
    /** Puts back a peer of the last run. */
    restore(swarm: Swarm, announce: Announce, flags: number, seenAt: number): void {
      const slot = join(swarm, announce)
      if (slot < 0) return
      refresh(swarm, slot, announce)
      table.setFlags(slot, (table.flags(slot) & ~(GREW | COMPLETED)) | (flags & (GREW | COMPLETED)))
      table.setSeenAt(slot, seenAt)
    },
    /** Ends expired peers and empty swarms among the next `count` swarms: all at once would take too long. */
    sweep(count: number): void {
      for (let left = count; left > 0; left--) {
        const next = (walk ??= byHash.values()).next()
        if (next.done === true) {
          walk = undefined
          return
        }
        expire(next.value)
      }
    },
  }
}

export type Swarms = ReturnType<typeof createSwarms>
