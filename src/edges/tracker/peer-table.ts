/**
 * All peers of all swarms in one block of memory, 64 bytes each, found by swarm, address and port.
 * Objects would take five times as much, and the garbage collector would walk over them.
 */

export const PEER_ID_BYTES = 20
const RECORD = 64
const PORT = 16
const FLAGS = 18
const PEER_ID = 20
const SWARM = 40
const KEY = 44
const SEEN_AT = 48
const PLACE = 52
const UPLOADED = 56
const PAYER = 60
const FIRST_CAPACITY = 1024
const NONE = -1

export const SEED = 1
/** A partial seed (BEP 21): has what it wants, though not all. */
export const PARTIAL = 2
export const GREW = 4
export const V4 = 8
export const COMPLETED = 16

/** @param at where the 16 address bytes stand */
function hashOf(start: number, view: DataView, at: number, port: number): number {
  let hash = start
  for (let i = 0; i < 16; i += 4) {
    hash = Math.imul(hash ^ view.getUint32(at + i), 0x85ebca6b)
    hash ^= hash >>> 13
  }
  hash = Math.imul(hash ^ port, 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/**
 * @param maxPeers the table grows up to here
 * @param seed random, so that nobody can pick addresses that fall into one place
 */
export function createPeerTable(maxPeers: number, seed: number) {
  let capacity = Math.min(maxPeers, FIRST_CAPACITY)
  let bytes = new Uint8Array(capacity * RECORD)
  let view = new DataView(bytes.buffer)
  let index = newIndex()
  let mask = index.length - 1
  let size = 0
  let used = 0
  let free = NONE
  const probe = new Uint8Array(16)
  const probeView = new DataView(probe.buffer)

  /** Slot + 1 at its hash or the next free place after it; 0 is free. At most half full. */
  function newIndex(): Int32Array {
    return new Int32Array(2 ** Math.ceil(Math.log2(capacity * 2)))
  }

  const homeOf = (slot: number): number => {
    const at = slot * RECORD
    return hashOf(seed ^ view.getUint32(at + SWARM), view, at, view.getUint16(at + PORT)) & mask
  }

  function enter(slot: number): void {
    let place = homeOf(slot)
    while (index[place] !== 0) place = (place + 1) & mask
    index[place] = slot + 1
  }

  function grow(): boolean {
    if (capacity >= maxPeers) return false
    capacity = Math.min(maxPeers, capacity * 2)
    const larger = new Uint8Array(capacity * RECORD)
    larger.set(bytes)
    bytes = larger
    view = new DataView(larger.buffer)
    index = newIndex()
    mask = index.length - 1
    // No slot is free when the table grows.
    for (let slot = 0; slot < used; slot++) enter(slot)
    return true
  }

  function matches(slot: number, swarm: number, port: number): boolean {
    const at = slot * RECORD
    return (
      view.getUint32(at + SWARM) === swarm &&
      view.getUint16(at + PORT) === port &&
      view.getUint32(at + 12) === probeView.getUint32(12) &&
      view.getUint32(at + 8) === probeView.getUint32(8) &&
      view.getUint32(at + 4) === probeView.getUint32(4) &&
      view.getUint32(at) === probeView.getUint32(0)
    )
  }

  /** Closes the hole at `hole` by moving what probing pushed behind it. */
  function vacate(hole: number): void {
    let place = (hole + 1) & mask
    for (let entry = index[place] ?? 0; entry !== 0; entry = index[place] ?? 0) {
      const home = homeOf(entry - 1)
      if (((place - home) & mask) >= ((place - hole) & mask)) {
        index[hole] = entry
        hole = place
      }
      place = (place + 1) & mask
    }
    index[hole] = 0
  }

  return {
    size: () => size,
    isFull: () => size >= maxPeers,
    /** How many slots were ever in use: a bound for picking one at random. */
    used: () => used,
    /** @returns the slot or -1 */
    find(swarm: number, address: Uint8Array, port: number): number {
      probe.set(address)
      let place = hashOf(seed ^ swarm, probeView, 0, port) & mask
      for (let entry = index[place] ?? 0; entry !== 0; entry = index[place] ?? 0) {
        if (matches(entry - 1, swarm, port)) return entry - 1
        place = (place + 1) & mask
      }
      return NONE
    },
    /** Adds one that `find` did not find; -1 where the table is full. */
    add(swarm: number, address: Uint8Array, port: number, payer: number): number {
      if (free === NONE && used === capacity && !grow()) return NONE
      const slot = free === NONE ? used++ : free
      const at = slot * RECORD
      if (slot === free) free = view.getInt32(at + PLACE)
      bytes.fill(0, at, at + RECORD)
      bytes.set(address, at)
      view.setUint16(at + PORT, port)
      view.setUint32(at + SWARM, swarm)
      view.setInt32(at + PAYER, payer)
      enter(slot)
      size++
      return slot
    },
    remove(slot: number): void {
      let place = homeOf(slot)
      while (index[place] !== slot + 1) place = (place + 1) & mask
      vacate(place)
      const at = slot * RECORD
      // Swarms count from 1: a slot of swarm 0 is free.
      view.setUint32(at + SWARM, 0)
      view.setInt32(at + PLACE, free)
      free = slot
      size--
    },
    swarm: (slot: number): number => view.getUint32(slot * RECORD + SWARM),
    port: (slot: number): number => view.getUint16(slot * RECORD + PORT),
    payer: (slot: number): number => view.getInt32(slot * RECORD + PAYER),
    flags: (slot: number): number => view.getUint8(slot * RECORD + FLAGS),
    setFlags(slot: number, flags: number): void {
      view.setUint8(slot * RECORD + FLAGS, flags)
    },
    key: (slot: number): number => view.getUint32(slot * RECORD + KEY),
    setKey(slot: number, key: number): void {
      view.setUint32(slot * RECORD + KEY, key)
    },
    /** Seconds of the room's clock. */
    seenAt: (slot: number): number => view.getUint32(slot * RECORD + SEEN_AT),
    setSeenAt(slot: number, seconds: number): void {
      view.setUint32(slot * RECORD + SEEN_AT, seconds)
    },
    place: (slot: number): number => view.getInt32(slot * RECORD + PLACE),
    setPlace(slot: number, place: number): void {
      view.setInt32(slot * RECORD + PLACE, place)
    },
    /** Units of 1 KiB, up to 4 TiB. */
    uploaded: (slot: number): number => view.getUint32(slot * RECORD + UPLOADED),
    setUploaded(slot: number, kib: number): void {
      view.setUint32(slot * RECORD + UPLOADED, kib)
    },
    setPeerId(slot: number, peerId: Uint8Array): void {
      bytes.set(peerId, slot * RECORD + PEER_ID)
    },
    hasPeerId(slot: number, peerId: Uint8Array): boolean {
      const at = slot * RECORD + PEER_ID
      // From the end: the beginning names the client and is the same for many.
      for (let i = PEER_ID_BYTES - 1; i >= 0; i--) if (bytes[at + i] !== peerId[i]) return false
      return true
    },
    /** The block itself, to copy from; replaced when the table grows. */
    bytes: () => bytes,
    /** Where the 16 address bytes of a slot stand in the block; the port follows. */
    addressAt: (slot: number): number => slot * RECORD,
    peerIdAt: (slot: number): number => slot * RECORD + PEER_ID,
  }
}

export type PeerTable = ReturnType<typeof createPeerTable>
