/**
 * Queries of clients: checked as far as a server needs and no further (the question and OPT), and the
 * name made only for whoever looks at it: most questions are answered by comparing bytes. What is wrong
 * with one is a verdict, since strangers send them by the thousand.
 */
import { FLAG, HEADER_BYTES, OPCODE, RCODE, TYPE } from './codes.ts'
import { type Cursor, createCursor, fail, readLong, readWord, skipName, take } from './cursor.ts'
import { DNSSEC_OK, readOptions } from './edns.ts'
import { type DnsName, foldName } from './name.ts'

export interface Query {
  readonly kind: 'query'
  /** The bytes it came in. */
  readonly packet: Uint8Array
  readonly id: number
  /** Opcode and flags as they came; see `FLAG`. */
  readonly flags: number
  /** As asked, in its own case. */
  readonly name: DnsName
  /** For comparing and as a key. */
  readonly folded: DnsName
  readonly type: number
  readonly class: number
  /** The bytes from 12 up to here are the name, with its root. */
  readonly nameEnd: number
  /** The bytes from 12 up to here are the question, to be echoed as they came (0x20). */
  readonly questionEnd: number
  readonly edns: QueryEdns | undefined
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

/** A query whose question was found sound. */
class SoundQuery implements Query {
  readonly kind = 'query'
  readonly packet: Buffer
  readonly id: number
  readonly flags: number
  readonly type: number
  readonly class: number
  readonly nameEnd: number
  readonly questionEnd: number
  edns: QueryEdns | undefined = undefined
  #name: DnsName | undefined = undefined
  #folded: DnsName | undefined = undefined

  constructor(packet: Buffer, nameEnd: number, type: number, klass: number) {
    this.packet = packet
    this.id = packet.readUInt16BE(0)
    this.flags = packet.readUInt16BE(2)
    this.type = type
    this.class = klass
    this.nameEnd = nameEnd
    this.questionEnd = nameEnd + 4
  }

  // There is nothing before a question that its name could point at: it stands there in full.
  get name(): DnsName {
    this.#name ??= this.packet.toString('latin1', HEADER_BYTES, this.nameEnd) as DnsName
    return this.#name
  }

  get folded(): DnsName {
    this.#folded ??= foldName(this.name)
    return this.#folded
  }
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
  skipName(cursor)
  const nameEnd = cursor.at
  const type = readWord(cursor)
  const klass = readWord(cursor)
  if (cursor.fault !== undefined) return refuse(header, RCODE.FORMERR)
  const questionEnd = cursor.at
  const query = new SoundQuery(header, nameEnd, type, klass)
  let version = 0
  for (let count = 0; count < additional; count++) version |= readAdditional(cursor, query)
  if (cursor.fault !== undefined || type === TYPE.OPT) {
    return refuse(header, RCODE.FORMERR, questionEnd)
  }
  return version === 0 ? query : refuse(header, RCODE.BADVERS, questionEnd)
}

/** Takes OPT into `query` and steps over anything else. Returns the EDNS version. */
function readAdditional(cursor: Cursor, query: SoundQuery): number {
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
