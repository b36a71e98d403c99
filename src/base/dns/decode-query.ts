/**
 * Queries of clients: read as far as a server needs and no further (the question and OPT), without
 * making more than the name. What is wrong with one is a verdict, since strangers send them by the
 * thousand.
 */
import { FLAG, HEADER_BYTES, OPCODE, RCODE, TYPE } from './codes.ts'
import {
  type Cursor,
  createCursor,
  fail,
  readLong,
  readName,
  readWord,
  skipName,
  take,
} from './cursor.ts'
import { DNSSEC_OK, readOptions } from './edns.ts'
import { type DnsName, foldName } from './name.ts'

export interface Query {
  readonly kind: 'query'
  id: number
  /** Opcode and flags as they came; see `FLAG`. */
  flags: number
  /** As asked, in its own case. */
  name: DnsName
  /** For comparing and as a key. */
  folded: DnsName
  type: number
  class: number
  /** The bytes from 12 up to here are the question, to be echoed as they came (0x20). */
  questionEnd: number
  edns: QueryEdns | undefined
}

export interface QueryEdns {
  /** The largest UDP answer the client takes, as it said. */
  payloadBytes: number
  dnssecOk: boolean
  /** Whether it asked how long an idle connection is kept (RFC 7828). */
  keepalive: boolean
}

/** To be answered with nothing at all: an answer would go on for ever or hit a third party. */
export interface Unanswerable {
  readonly kind: 'drop'
  why: 'short' | 'response'
}

/** To be answered with this rcode and no data; see `encodeRefusal`. */
export interface Refusal {
  readonly kind: 'refuse'
  id: number
  flags: number
  rcode: number
  /** 12 where the question could not be read and is not echoed. */
  questionEnd: number
}

export type Verdict = Query | Unanswerable | Refusal

const SHORT: Unanswerable = { kind: 'drop', why: 'short' }
const RESPONSE: Unanswerable = { kind: 'drop', why: 'response' }

/** OPT, TSIG or SIG(0), and one to spare: more than a query can need. */
const MAX_ADDITIONAL = 3

const refuse = (header: Buffer, rcode: number, questionEnd = HEADER_BYTES): Refusal => ({
  kind: 'refuse',
  id: header.readUInt16BE(0),
  flags: header.readUInt16BE(2),
  rcode,
  questionEnd,
})

/** A loop over bytes, since this is done for every query of the house and folding for few. */
function hasCapitals(bytes: Uint8Array, end: number): boolean {
  for (let at = HEADER_BYTES; at < end; at++) {
    const byte = bytes[at] ?? 0
    // Lengths of labels are below `A`.
    if (byte > 64 && byte < 91) return true
  }
  return false
}

/** Reads one query; never throws. Bytes after its last record are not looked at. */
export function decodeQuery(bytes: Uint8Array): Verdict {
  if (bytes.length < HEADER_BYTES) return SHORT
  const cursor = createCursor(bytes, HEADER_BYTES)
  const header = cursor.bytes
  const flags = header.readUInt16BE(2)
  if ((flags & FLAG.QR) !== 0) return RESPONSE
  if (((flags >> 11) & 15) !== OPCODE.QUERY) return refuse(header, RCODE.NOTIMP)
  // RFC 9619: a query has one question. Answers and authority are for NOTIFY, UPDATE and IXFR.
  const isOneQuestion = header.readUInt16BE(4) === 1 && header.readUInt32BE(6) === 0
  const additional = header.readUInt16BE(10)
  if (!isOneQuestion || (flags & FLAG.TC) !== 0 || additional > MAX_ADDITIONAL) {
    return refuse(header, RCODE.FORMERR)
  }
  const name = readName(cursor)
  const nameEnd = cursor.at
  const type = readWord(cursor)
  const klass = readWord(cursor)
  if (cursor.fault !== undefined) return refuse(header, RCODE.FORMERR)
  const questionEnd = cursor.at
  const query: Query = {
    kind: 'query',
    id: header.readUInt16BE(0),
    flags,
    name,
    folded: hasCapitals(bytes, nameEnd) ? foldName(name) : name,
    type,
    class: klass,
    questionEnd,
    edns: undefined,
  }
  let version = 0
  for (let count = 0; count < additional; count++) version |= readAdditional(cursor, query)
  if (cursor.fault !== undefined || type === TYPE.OPT) {
    return refuse(header, RCODE.FORMERR, questionEnd)
  }
  return version === 0 ? query : refuse(header, RCODE.BADVERS, questionEnd)
}

/** Takes OPT into `query` and steps over anything else. Returns the EDNS version. */
function readAdditional(cursor: Cursor, query: Query): number {
  const { at } = cursor
  skipName(cursor)
  const isRoot = cursor.at === at + 1
  const type = readWord(cursor)
  const klass = readWord(cursor)
  const ttl = readLong(cursor)
  const length = readWord(cursor)
  if (type !== TYPE.OPT) {
    take(cursor, length)
    return 0
  }
  if (query.edns !== undefined) fail(cursor, 'second-opt')
  if (!isRoot) fail(cursor, 'misplaced-opt')
  const end = cursor.at + length
  if (end > cursor.bytes.length) fail(cursor, 'cut-short')
  if (cursor.fault !== undefined) return 0
  const edns = { payloadBytes: klass, dnssecOk: (ttl & DNSSEC_OK) !== 0, keepalive: false }
  query.edns = edns
  const version = (ttl >>> 16) & 255
  // Options of another version may look like anything.
  if (version !== 0) cursor.at = end
  else {
    readOptions(cursor, end, (code) => {
      if (code === KEEPALIVE) edns.keepalive = true
    })
  }
  return version
}

const KEEPALIVE = 11

/**
 * The answer to a query that gets none: the header, the question where it could be read, and OPT for
 * an EDNS version that nobody speaks (RFC 6891 §6.1.3).
 * @param payloadBytes what we take ourselves
 */
export function encodeRefusal(
  query: Uint8Array,
  refusal: Refusal,
  payloadBytes: number,
): Uint8Array {
  const { rcode, flags, id, questionEnd } = refusal
  const extended = rcode > 15
  const bytes = Buffer.alloc(questionEnd + (extended ? OPT_BYTES : 0))
  bytes.set(query.subarray(HEADER_BYTES, questionEnd), HEADER_BYTES)
  bytes.writeUInt16BE(id, 0)
  bytes.writeUInt16BE(FLAG.QR | (flags & KEPT_FLAGS) | (rcode & 15), 2)
  bytes.writeUInt16BE(questionEnd > HEADER_BYTES ? 1 : 0, 4)
  if (extended) {
    bytes.writeUInt16BE(1, 10)
    bytes.writeUInt16BE(TYPE.OPT, questionEnd + 1)
    bytes.writeUInt16BE(payloadBytes, questionEnd + 3)
    bytes.writeUInt8(rcode >> 4, questionEnd + 5)
  }
  return bytes
}

const OPT_BYTES = 11
/** Opcode, RD and CD go back as they came. */
const KEPT_FLAGS = 0x7800 | FLAG.RD | FLAG.CD
