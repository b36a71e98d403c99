/**
 * Zone transfer (RFC 5936): the question, and the whole zone as framed messages. Incremental ones (RFC
 * 1995) are answered whole too, as its §4 allows: the zone is small.
 */
import { joinBytes } from '../../../base/bytes.ts'
import { FLAG, HEADER_BYTES, TYPE } from '../../../base/dns/codes.ts'
import { createCursor, readLong, readWord, skipName, take } from '../../../base/dns/cursor.ts'
import { decodeQuery, type Query } from '../../../base/dns/decode-query.ts'
import { ourEdns } from '../../../base/dns/edns.ts'
import { encodeMessage } from '../../../base/dns/encode-message.ts'
import type { ResourceRecord } from '../../../base/dns/message.ts'

export interface TransferAsked {
  query: Query
  /** The serial the asker has, where it said so. */
  held: number | undefined
}

/** RFC 5936 §3.1: pointers reach 16 KB, so longer messages compress no better. */
const MESSAGE_BYTES = 16 * 1024
const RECORD_BYTES = 10
/** The numbers at the end of an SOA record, the serial first. */
const SOA_NUMBERS = 20
const AUTHORITY_COUNT_AT = 8

export const serialOf = (soa: Uint8Array): number =>
  Buffer.from(soa).readUInt32BE(soa.length - SOA_NUMBERS)

/** Undefined for any other question, and for what is none. */
export function readTransferQuestion(packet: Uint8Array): TransferAsked | undefined {
  if (packet.length < HEADER_BYTES) return undefined
  const cursor = createCursor(packet, HEADER_BYTES)
  const { bytes } = cursor
  const authority = bytes.readUInt16BE(AUTHORITY_COUNT_AT)
  if (authority === 0) return asked(packet, undefined)
  skipName(cursor)
  const type = readWord(cursor)
  readWord(cursor)
  const questionEnd = cursor.at
  // RFC 1995 §3: what the asker has, as the one record of the authority section.
  skipName(cursor)
  const held = readWord(cursor)
  readWord(cursor)
  readLong(cursor)
  const length = readWord(cursor)
  const at = take(cursor, length)
  const isSound = type === TYPE.IXFR && authority === 1 && held === TYPE.SOA
  if (cursor.fault !== undefined || !isSound || length < SOA_NUMBERS + 2) return undefined
  const plain = joinBytes([bytes.subarray(0, questionEnd), bytes.subarray(cursor.at)])
  plain.fill(0, AUTHORITY_COUNT_AT, AUTHORITY_COUNT_AT + 2)
  return asked(plain, serialOf(bytes.subarray(at, at + length)))
}

function asked(packet: Uint8Array, held: number | undefined): TransferAsked | undefined {
  const query = decodeQuery(packet)
  if (query.kind !== 'query' || (query.type !== TYPE.AXFR && query.type !== TYPE.IXFR)) {
    return undefined
  }
  return { query, held }
}

/** Lists of records that fit a message each. */
function* parts(records: readonly ResourceRecord[]): Generator<ResourceRecord[]> {
  let part: ResourceRecord[] = []
  let room = MESSAGE_BYTES
  for (const record of records) {
    const bytes = record.name.length + RECORD_BYTES + record.data.length
    if (bytes > room && part.length > 0) {
      yield part
      part = []
      room = MESSAGE_BYTES
    }
    part.push(record)
    room -= bytes
  }
  if (part.length > 0) yield part
}

/** Messages with the records in their order, each behind its length as TCP wants it. */
export function transferStream(query: Query, records: readonly ResourceRecord[]): Uint8Array {
  const frames: Uint8Array[] = []
  for (const answers of parts(records)) {
    const { bytes } = encodeMessage({
      id: query.id,
      flags: FLAG.QR | FLAG.AA | (query.flags & FLAG.RD),
      rcode: 0,
      questions: [{ name: query.name, type: query.type, class: query.class }],
      answers,
      authority: [],
      additional: [],
      ...(query.edns && { edns: ourEdns() }),
    })
    frames.push(Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes)
  }
  return joinBytes(frames)
}
