/** Answers on their way out: made on the spot, or kept as bytes and patched for whoever asks. */
import {
  EDNS_OPTION,
  EXTENDED_ERROR,
  FLAG,
  HEADER_BYTES,
  MAX_MESSAGE_BYTES,
  PLAIN_UDP_BYTES,
  SAFE_UDP_BYTES,
  TYPE,
} from '../../base/dns/codes.ts'
import type { Query } from '../../base/dns/decode-query.ts'
import {
  type ExtendedError,
  extendedErrorOption,
  keepaliveOption,
  ourEdns,
} from '../../base/dns/edns.ts'
import { encodeMessage } from '../../base/dns/encode-message.ts'
import type { EdnsOption, ResourceRecord } from '../../base/dns/message.ts'
import { Buffer } from 'node:buffer'
import type { BoxAddresses } from './box-addresses.ts'
import type { Entry } from './cache.ts'

export interface Asked {
  query: Query
  /** Under which addresses this client finds the box. */
  box: () => BoxAddresses
}

/** An answer of our own. */
export interface Made {
  kind: 'made'
  rcode: number
  /** AA where we are the authority. */
  isOurs: boolean
  answers: readonly ResourceRecord[]
  authority: readonly ResourceRecord[]
  error?: ExtendedError
}

/** An answer of somebody else, as it is kept. */
export interface Kept {
  kind: 'kept'
  /** The name of its question is replaced by the client's spelling. */
  entry: Entry
  /** Taken off each TTL. */
  ageSeconds: number
  /** Its time is over: it says so, and its TTLs become these seconds. */
  staleTtl: number | undefined
}

/** No answer at all. */
export interface Silence {
  kind: 'silence'
}

export type Reply = Made | Kept | Silence

/** One rule of the chain. */
export interface Handler {
  readonly name: string
  /** Undefined, at once or later, where the question is somebody else's. */
  answer(asked: Asked): Reply | undefined | Promise<Reply | undefined>
}

export interface Way {
  transport: 'udp' | 'tcp'
  /** How long we keep idle connections. */
  idleMs: number
}

const OPT_BYTES = 11
const NO_OPTIONS: EdnsOption[] = []
const COPIED = FLAG.RD | FLAG.CD
const STALE = extendedErrorOption({ code: EXTENDED_ERROR.STALE_ANSWER, text: '' })

/** T2: no client gets more over UDP than what passes any path, whatever it says it takes. */
const roomFor = (query: Query, { transport }: Way): number => {
  if (transport === 'tcp') return MAX_MESSAGE_BYTES
  if (query.edns === undefined) return PLAIN_UDP_BYTES
  return Math.min(SAFE_UDP_BYTES, Math.max(PLAIN_UDP_BYTES, query.edns.payloadBytes))
}

function optionsFor(query: Query, way: Way, error: EdnsOption | undefined): EdnsOption[] {
  const options: EdnsOption[] = error ? [error] : []
  if (way.transport === 'tcp' && query.edns?.keepalive === true) {
    options.push(keepaliveOption(way.idleMs))
  }
  return options
}

/** The bytes of a reply to the query in `packet`; undefined for silence. */
export function encodeReply(
  packet: Uint8Array,
  query: Query,
  reply: Reply,
  way: Way,
): Uint8Array | undefined {
  if (reply.kind === 'silence') return undefined
  return reply.kind === 'made'
    ? encodeMade(query, reply, way)
    : encodeKept(packet, query, reply, way)
}

function encodeMade(query: Query, reply: Made, way: Way): Uint8Array {
  const { rcode, answers, authority, isOurs, error } = reply
  const { edns } = query
  const base = {
    id: query.id,
    flags: FLAG.QR | FLAG.RA | (query.flags & COPIED) | (isOurs ? FLAG.AA : 0),
    rcode,
    questions: [{ name: query.name, type: query.type, class: query.class }],
    answers,
    authority,
    additional: [],
  }
  const why = error && extendedErrorOption(error)
  const message = edns
    ? { ...base, edns: ourEdns(optionsFor(query, way, why), edns.dnssecOk) }
    : base
  return encodeMessage(message, roomFor(query, way)).bytes
}

/** Why a kept answer is what it is; undefined where it is as it should be. */
function errorOf({ entry, staleTtl }: Kept): EdnsOption | undefined {
  const { bytes, at, messageBytes, ttlCount, errorBytes } = entry
  if (staleTtl !== undefined) return STALE
  const from = at + messageBytes + 2 * ttlCount
  return errorBytes === 0
    ? undefined
    : { code: EDNS_OPTION.EXTENDED_ERROR, data: bytes.subarray(from, from + errorBytes) }
}

// Not those of Buffer, which check their arguments: there are a dozen in an answer from memory.
const readWord = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)

function writeWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

function encodeKept(packet: Uint8Array, query: Query, reply: Kept, way: Way): Uint8Array {
  const { entry, ageSeconds, staleTtl } = reply
  const { bytes, at: from, messageBytes, ttlCount } = entry
  const { edns } = query
  const options = edns === undefined ? NO_OPTIONS : optionsFor(query, way, errorOf(reply))
  const optBytes =
    edns === undefined ? 0 : options.reduce((sum, { data }) => sum + 4 + data.length, OPT_BYTES)
  const isCut = messageBytes + optBytes > roomFor(query, way)
  const bodyBytes = isCut ? query.questionEnd : messageBytes
  const out = Buffer.allocUnsafe(bodyBytes + optBytes)
  bytes.copy(out, 0, from, from + bodyBytes)
  // 0x20: the question goes back as it came, and names that point at it with it.
  for (let at = HEADER_BYTES; at < query.nameEnd; at++) out[at] = packet[at] ?? 0
  writeWord(out, 0, query.id)
  const wantsAuthentic = (query.flags & FLAG.AD) !== 0 || edns?.dnssecOk === true
  const flags =
    (readWord(out, 2) & ~(COPIED | FLAG.AD)) |
    (query.flags & COPIED) |
    (entry.isAuthentic && wantsAuthentic ? FLAG.AD : 0) |
    (isCut ? FLAG.TC : 0)
  writeWord(out, 2, flags)
  if (isCut) out.fill(0, 6, HEADER_BYTES)
  else {
    const offsets = from + messageBytes
    for (let place = offsets; place < offsets + 2 * ttlCount; place += 2) {
      const at = readWord(bytes, place)
      const ttl = readWord(out, at) * 0x10000 + readWord(out, at + 2)
      const left = staleTtl ?? Math.max(0, ttl - ageSeconds)
      writeWord(out, at, left >>> 16)
      writeWord(out, at + 2, left)
    }
  }
  if (edns !== undefined) writeOpt(out, bodyBytes, options, edns.dnssecOk)
  return out
}

function writeOpt(
  out: Buffer,
  start: number,
  options: readonly EdnsOption[],
  dnssecOk: boolean,
): void {
  out.writeUInt16BE(1, 10)
  let at = out.writeUInt8(0, start)
  at = out.writeUInt16BE(TYPE.OPT, at)
  at = out.writeUInt16BE(SAFE_UDP_BYTES, at)
  at = out.writeUInt16BE(0, at)
  at = out.writeUInt16BE(dnssecOk ? 0x8000 : 0, at)
  at = out.writeUInt16BE(out.length - start - OPT_BYTES, at)
  for (const { code, data } of options) {
    at = out.writeUInt16BE(code, at)
    at = out.writeUInt16BE(data.length, at)
    out.set(data, at)
    at += data.length
  }
}
