/** Whole messages: answers of upstreams, and anything on mDNS. */
import { FLAG, HEADER_BYTES, OPCODE, TYPE } from './codes.ts'
import { type Cursor, createCursor, fail, readLong, readName, readWord, take } from './cursor.ts'
import { DNSSEC_OK, readOptions } from './edns.ts'
import type { Edns, EdnsOption, Fault, Message, Question, ResourceRecord } from './message.ts'
import { readData } from './read-data.ts'

export interface DecodeLimits {
  /** Questions of one message. */
  maxQuestions?: number
  /** Records of one message, all sections together. */
  maxRecords?: number
}

export type Decoded = { ok: true; message: Message } | { ok: false; fault: Fault }

/** More than any honest answer has; what a message may cost is this times three names. */
const MAX_RECORDS = 250
const MAX_QUESTIONS = 32
const RCODE_BITS = 15
/** RFC 2181 §8: a TTL with the highest bit set is 0. */
const MAX_TTL = 0x7fffffff
const OPCODE_BITS = 0x7800

/**
 * Reads any message, strictly: every count, length, pointer and known type must be sound, and nothing
 * may follow. Never throws. Costs at most 2 ms for 65,535 bytes.
 */
export function decodeMessage(bytes: Uint8Array, limits: DecodeLimits = {}): Decoded {
  if (bytes.length < HEADER_BYTES) return { ok: false, fault: 'short-header' }
  const cursor = createCursor(bytes, HEADER_BYTES)
  const header = cursor.bytes
  const counts = {
    questions: header.readUInt16BE(4),
    answers: header.readUInt16BE(6),
    authority: header.readUInt16BE(8),
    additional: header.readUInt16BE(10),
  }
  const records = counts.answers + counts.authority + counts.additional
  if (counts.questions > (limits.maxQuestions ?? MAX_QUESTIONS)) fail(cursor, 'question-count')
  if (records > (limits.maxRecords ?? MAX_RECORDS)) fail(cursor, 'record-count')
  const flags = header.readUInt16BE(2)
  const message: Message = {
    id: header.readUInt16BE(0),
    flags: flags & ~RCODE_BITS,
    rcode: flags & RCODE_BITS,
    questions: readQuestions(cursor, counts.questions),
    answers: readRecords(cursor, counts.answers),
    authority: readRecords(cursor, counts.authority),
    additional: [],
  }
  message.additional = readRecords(cursor, counts.additional, message)
  if (cursor.at !== header.length) fail(cursor, 'trailing-bytes')
  return cursor.fault === undefined ? { ok: true, message } : { ok: false, fault: cursor.fault }
}

/**
 * Reads the answer of an upstream. Of a truncated one only the question counts: it is asked for again
 * over TCP, and servers cut where they like.
 */
export function decodeResponse(bytes: Uint8Array, limits: DecodeLimits = {}): Decoded {
  if (bytes.length < HEADER_BYTES) return { ok: false, fault: 'short-header' }
  const cursor = createCursor(bytes, HEADER_BYTES)
  const header = cursor.bytes
  const flags = header.readUInt16BE(2)
  if ((flags & FLAG.QR) === 0) return { ok: false, fault: 'not-a-response' }
  if ((flags & OPCODE_BITS) >> 11 !== OPCODE.QUERY) return { ok: false, fault: 'opcode' }
  if ((flags & FLAG.TC) === 0) return decodeMessage(bytes, { maxQuestions: 1, ...limits })
  const count = header.readUInt16BE(4)
  if (count > 1) return { ok: false, fault: 'question-count' }
  const questions = readQuestions(cursor, count)
  if (cursor.fault !== undefined) return { ok: false, fault: cursor.fault }
  const none: readonly ResourceRecord[] = []
  return {
    ok: true,
    message: {
      id: header.readUInt16BE(0),
      flags: flags & ~RCODE_BITS,
      rcode: flags & RCODE_BITS,
      questions,
      answers: none,
      authority: none,
      additional: none,
    },
  }
}

function readQuestions(cursor: Cursor, count: number): Question[] {
  const questions: Question[] = []
  for (let index = 0; index < count && cursor.fault === undefined; index++) {
    questions.push({ name: readName(cursor), type: readWord(cursor), class: readWord(cursor) })
  }
  return questions
}

/** @param message takes OPT, which stands in no other section than the last */
function readRecords(cursor: Cursor, count: number, message?: Message): ResourceRecord[] {
  const records: ResourceRecord[] = []
  for (let index = 0; index < count && cursor.fault === undefined; index++) {
    const { at } = cursor
    const name = readName(cursor)
    const type = readWord(cursor)
    const klass = readWord(cursor)
    const ttl = readLong(cursor)
    const length = readWord(cursor)
    if (type === TYPE.OPT) {
      if (message === undefined || cursor.bytes[at] !== 0) fail(cursor, 'misplaced-opt')
      else if (message.edns !== undefined) fail(cursor, 'second-opt')
      else {
        message.edns = readEdns(cursor, length, { payloadBytes: klass, ttl })
        message.rcode |= (ttl >>> 24) << 4
      }
      continue
    }
    const data = readData(cursor, type, length)
    records.push({ name, type, class: klass, ttl: ttl > MAX_TTL ? 0 : ttl, data })
  }
  return records
}

function readEdns(
  cursor: Cursor,
  length: number,
  { payloadBytes, ttl }: { payloadBytes: number; ttl: number },
): Edns {
  const { bytes, at } = cursor
  const options: EdnsOption[] = []
  const version = (ttl >>> 16) & 255
  if (at + length > bytes.length) fail(cursor, 'cut-short')
  if (version === 0) {
    readOptions(cursor, at + length, (code, from, size) => {
      options.push({ code, data: bytes.subarray(from, from + size) })
    })
  } else take(cursor, length)
  return { payloadBytes, version, dnssecOk: (ttl & DNSSEC_OK) !== 0, options }
}
