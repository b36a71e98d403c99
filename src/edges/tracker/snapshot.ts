/**
 * Swarms in a file, so that a restarted box can introduce peers before they announce again. Peers
 * expire as if the box had run on; a file that is not sound is as good as none.
 *
 * The file is one bencoded dictionary: `at` (ms), `sum` (SHA-256 of `swarms`), `swarms`: for each an
 * infohash (20), `downloaded` (4), the number of peers (4), and for each peer address (16), port (2),
 * flags (1), peer id (20), key (4), seconds since it announced (4).
 */
import { createHash } from 'node:crypto'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { decode, encode } from '../../base/bencode.ts'
import { equalBytes } from '../../base/bytes.ts'
import { writeDurably } from '../../base/durable-file.ts'
import { codeOf, messageOf } from '../../base/errors.ts'
import { infoHash, type InfoHash } from '../../base/hashes.ts'
import type { Log } from '../../base/ports/log.ts'
import { groupsOf, sizeOf, type Swarms } from './swarms.ts'
import type { PeerTable } from './peer-table.ts'

export interface SavedPeer {
  /** 16 bytes. */
  address: Uint8Array
  port: number
  flags: number
  peerId: Uint8Array
  key: number
  /** Since its last announce. */
  ageSeconds: number
}

export interface SavedSwarm {
  infoHash: InfoHash
  downloaded: number
  peers: SavedPeer[]
}

const SWARM_BYTES = 28
const PEER_BYTES = 47
/** Writing takes the event loop: some 10 ms for so many. */
const MAX_SAVED_PEERS = 100_000
const MAX_SAVED_SWARMS = 100_000
const MAX_FILE_BYTES = MAX_SAVED_PEERS * PEER_BYTES + MAX_SAVED_SWARMS * SWARM_BYTES + 1024

const digest = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(bytes).digest())

/** @param now the room's seconds, as the table has them */
export function packSwarms(table: PeerTable, swarms: Swarms, now: number): Uint8Array {
  const torrents = Math.min(swarms.torrents(), MAX_SAVED_SWARMS)
  const room = torrents * SWARM_BYTES + Math.min(table.size(), MAX_SAVED_PEERS) * PEER_BYTES
  const packed = Buffer.alloc(room)
  let at = 0
  let peers = 0
  for (const swarm of swarms.all()) {
    const size = sizeOf(swarm)
    if (at + SWARM_BYTES > room || peers + size > MAX_SAVED_PEERS) break
    if (at + SWARM_BYTES + size * PEER_BYTES > room) break
    peers += size
    at += packed.write(swarm.infoHash, at, 'hex')
    at = packed.writeUInt32BE(swarm.downloaded, at)
    at = packed.writeUInt32BE(size, at)
    for (const group of groupsOf(swarm)) {
      for (const slot of group.slots) {
        const from = table.addressAt(slot)
        packed.set(table.bytes().subarray(from, from + 18), at)
        packed[at + 18] = table.flags(slot)
        const id = table.peerIdAt(slot)
        packed.set(table.bytes().subarray(id, id + 20), at + 19)
        packed.writeUInt32BE(table.key(slot), at + 39)
        packed.writeUInt32BE(Math.max(0, now - table.seenAt(slot)), at + 43)
        at += PEER_BYTES
      }
    }
  }
  return packed.subarray(0, at)
}

/** @returns undefined where the bytes are not what `packSwarms` writes */
export function unpackSwarms(packed: Buffer): SavedSwarm[] | undefined {
  const swarms: SavedSwarm[] = []
  let at = 0
  while (at < packed.length) {
    if (at + SWARM_BYTES > packed.length) return undefined
    const swarm: SavedSwarm = {
      infoHash: infoHash(packed.toString('hex', at, at + 20)),
      downloaded: packed.readUInt32BE(at + 20),
      peers: [],
    }
    const size = packed.readUInt32BE(at + 24)
    at += SWARM_BYTES
    if (size * PEER_BYTES > packed.length - at) return undefined
    for (let i = 0; i < size; i++, at += PEER_BYTES) {
      const port = packed.readUInt16BE(at + 16)
      if (port === 0) return undefined
      swarm.peers.push({
        address: new Uint8Array(packed.subarray(at, at + 16)),
        port,
        flags: packed[at + 18] ?? 0,
        peerId: new Uint8Array(packed.subarray(at + 19, at + 39)),
        key: packed.readUInt32BE(at + 39),
        ageSeconds: packed.readUInt32BE(at + 43),
      })
    }
    swarms.push(swarm)
  }
  return swarms
}

function parse(bytes: Uint8Array): { at: number; swarms: SavedSwarm[] } {
  const dict = decode(bytes, { maxDepth: 1, maxValues: 8 })
  if (!(dict instanceof Map)) throw new TypeError('not a dictionary')
  const [at, sum, packed] = [dict.get('at'), dict.get('sum'), dict.get('swarms')]
  if (typeof at !== 'number' || !(sum instanceof Uint8Array) || !(packed instanceof Uint8Array)) {
    throw new TypeError('a key is missing')
  }
  if (!equalBytes(sum, digest(packed))) throw new TypeError('the sum is wrong')
  const swarms = unpackSwarms(Buffer.from(packed.buffer, packed.byteOffset, packed.length))
  if (swarms === undefined) throw new TypeError('the records are malformed')
  return { at, swarms }
}

export function createSnapshotFile(path: string, log: Log) {
  return {
    /** Undefined where there is none, or none that is sound; that is said once. */
    async load(): Promise<{ at: number; swarms: SavedSwarm[] } | undefined> {
      try {
        if ((await stat(path)).size > MAX_FILE_BYTES) throw new TypeError('it is too large')
        return parse(await readFile(path))
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') {
          const fields = { path, error: messageOf(error) }
          log.warn(fields, 'the saved swarms cannot be used: the tracker starts without')
        }
        return undefined
      }
    },
    /** Whole or not at all. */
    async save(at: number, swarms: Uint8Array): Promise<void> {
      await mkdir(dirname(path), { recursive: true })
      const file = encode({ at: Math.trunc(at), sum: digest(swarms), swarms })
      await writeDurably(path, file, { mode: 0o600 })
    },
  }
}
