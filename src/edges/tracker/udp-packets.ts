/** The datagrams of BEP 15 and 41: reading what a client sent, writing what it gets. */
import type { InfoHash } from '../../base/hashes.ts'
import type { AnnounceEvent, Answer } from './announce.ts'
import { type PeerTable } from './peer-table.ts'

/** The magic of BEP 15 in two halves. */
export const PROTOCOL_HIGH = 0x417
export const PROTOCOL_LOW = 0x27101980
export const CONNECT = 0
export const ANNOUNCE = 1
export const SCRAPE = 2
export const ERROR = 3

export const CONNECT_BYTES = 16
const ANNOUNCE_BYTES = 98
const SCRAPE_HEAD_BYTES = 16
const HASH_BYTES = 20
/** BEP 15: more would not fit into one datagram. */
export const MAX_SCRAPED = 74
/** Fits the smallest MTU of IPv6 with its headers, and bounds what a stolen connection id is worth. */
export const MAX_REPLY_BYTES = 1200
const ANNOUNCE_HEAD_BYTES = 20
const MAX_EVENT = 4
const TWO_POW_32 = 0x1_0000_0000

/** BEP 41: kinds of options behind an announce. */
const END_OF_OPTIONS = 0
const NOP = 1

export interface UdpAnnounce {
  infoHash: InfoHash
  /** A view into the datagram. */
  peerId: Uint8Array
  left: number
  uploaded: number
  event: AnnounceEvent
  key: number
  numwant: number | undefined
  port: number
}

const uint64 = (packet: Buffer, at: number): number =>
  packet.readUInt32BE(at) * TWO_POW_32 + packet.readUInt32BE(at + 4)

const eventOf = (number: number): AnnounceEvent | undefined =>
  number <= MAX_EVENT ? (number as AnnounceEvent) : undefined

/**
 * Whether what stands behind an announce are options of BEP 41. Unknown ones are skipped by their
 * length; older clients put two bytes of flags there, which is an end of options or a nop.
 */
export function hasSoundOptions(packet: Uint8Array): boolean {
  for (let at = ANNOUNCE_BYTES; at < packet.length; ) {
    const kind = packet[at]
    if (kind === END_OF_OPTIONS) return true
    if (kind === NOP) {
      at++
      continue
    }
    const length = packet[at + 1]
    if (length === undefined) return false
    at += 2 + length
    if (at > packet.length) return false
  }
  return true
}

/** @returns undefined where the packet is too short, a fault where a field is out of range */
export function readAnnounce(packet: Buffer): UdpAnnounce | { fault: string } | undefined {
  if (packet.length < ANNOUNCE_BYTES) return undefined
  const event = eventOf(packet.readUInt32BE(80))
  if (event === undefined) return { fault: 'unknown event' }
  const port = packet.readUInt16BE(96)
  if (port === 0) return { fault: 'port must not be 0' }
  if (!hasSoundOptions(packet)) return { fault: 'options are cut off' }
  const numwant = packet.readInt32BE(92)
  return {
    infoHash: packet.toString('hex', 16, 36) as InfoHash,
    peerId: packet.subarray(36, 56),
    left: uint64(packet, 64),
    uploaded: uint64(packet, 72),
    event,
    key: packet.readUInt32BE(88),
    numwant: numwant < 0 ? undefined : numwant,
    port,
  }
}

/** The infohashes asked about; undefined where there are none, too many, or half a one. */
export function readScrape(packet: Buffer): InfoHash[] | undefined {
  const count = (packet.length - SCRAPE_HEAD_BYTES) / HASH_BYTES
  if (!Number.isInteger(count) || count < 1 || count > MAX_SCRAPED) return undefined
  return Array.from({ length: count }, (_, i) => {
    const at = SCRAPE_HEAD_BYTES + i * HASH_BYTES
    return packet.toString('hex', at, at + HASH_BYTES) as InfoHash
  })
}

/** How many peers of a family fit into one reply. */
export const peersThatFit = (v4: boolean): number =>
  Math.floor((MAX_REPLY_BYTES - ANNOUNCE_HEAD_BYTES) / (v4 ? 6 : 18))

function head(bytes: number, action: number, transaction: number): Buffer {
  const reply = Buffer.allocUnsafe(bytes)
  reply.writeUInt32BE(action, 0)
  reply.writeUInt32BE(transaction, 4)
  return reply
}

export function connectReply(transaction: number, high: number, low: number): Buffer {
  const reply = head(CONNECT_BYTES, CONNECT, transaction)
  reply.writeUInt32BE(high, 8)
  reply.writeUInt32BE(low, 12)
  return reply
}

/** @param answer holds only peers of the family `v4` says */
export function announceReply(
  table: PeerTable,
  answer: Answer,
  transaction: number,
  v4: boolean,
): Buffer {
  const { box, count, slots } = answer
  const stride = v4 ? 6 : 18
  const skip = v4 ? 12 : 0
  const reply = head(ANNOUNCE_HEAD_BYTES + (box.length + count) * stride, ANNOUNCE, transaction)
  reply.writeUInt32BE(answer.interval, 8)
  reply.writeUInt32BE(answer.incomplete, 12)
  reply.writeUInt32BE(answer.complete, 16)
  let at = ANNOUNCE_HEAD_BYTES
  for (const peer of box) {
    reply.set(peer.address.subarray(skip), at)
    at = reply.writeUInt16BE(peer.port, at + stride - 2)
  }
  const source = table.bytes()
  for (let i = 0; i < count; i++) {
    const from = table.addressAt(slots[i] ?? 0)
    // Address and port stand behind each other in the table as they do here.
    for (let byte = from + skip; byte < from + 18; byte++) reply[at++] = source[byte] ?? 0
  }
  return reply
}

export function scrapeReply(
  transaction: number,
  counts: readonly ({ complete: number; downloaded: number; incomplete: number } | undefined)[],
): Buffer {
  const reply = head(8 + counts.length * 12, SCRAPE, transaction)
  counts.forEach((entry, i) => {
    reply.writeUInt32BE(entry?.complete ?? 0, 8 + i * 12)
    reply.writeUInt32BE(entry?.downloaded ?? 0, 12 + i * 12)
    reply.writeUInt32BE(entry?.incomplete ?? 0, 16 + i * 12)
  })
  return reply
}

/** @param maxBytes the size of what it answers: an error shall never be larger */
export function errorReply(transaction: number, message: string, maxBytes: number): Buffer {
  const text = message.slice(0, Math.max(0, maxBytes - 8))
  const reply = head(8 + text.length, ERROR, transaction)
  reply.write(text, 8, 'latin1')
  return reply
}
