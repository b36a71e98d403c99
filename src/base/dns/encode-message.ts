/** Messages as bytes, with names compressed as RFC 1035 §4.1.4 and RFC 3597 §4 allow. */
import { FLAG, HEADER_BYTES, MAX_MESSAGE_BYTES, RCODE, TYPE } from './codes.ts'
import { DNSSEC_OK } from './edns.ts'
import { layoutOf } from './layouts.ts'
import { endOfName } from './map-names.ts'
import type { Edns, Message, ResourceRecord } from './message.ts'
import type { DnsName } from './name.ts'

export interface Encoded {
  bytes: Uint8Array
  /** Whether records were left out and TC set because of `maxBytes`. */
  truncated: boolean
  /** Where the TTLs of the records are, for whoever keeps the bytes and counts them down. */
  ttlOffsets: readonly number[]
}

/** Beyond this a pointer cannot reach. */
const MAX_POINTER = 0x3fff
/** Endings of one name that are looked for and remembered; what lies deeper is rarely shared. */
const MAX_ENDINGS = 6
const OPT_BYTES = 11
const RECORD_BYTES = 10

interface Writer {
  bytes: Buffer
  at: number
  names: Map<string, number>
  ttlOffsets: number[]
}

/**
 * Writes a message of at most `maxBytes`. One that does not fit loses its additional records, which
 * are a courtesy; one that still does not becomes header, question and OPT with TC set, since a part of
 * an answer is worse than none (RFC 2181 §9).
 */
export function encodeMessage(message: Message, maxBytes = MAX_MESSAGE_BYTES): Encoded {
  const whole = write(message)
  if (whole.at <= maxBytes) return finished(whole, false)
  if (message.additional.length > 0) return encodeMessage({ ...message, additional: [] }, maxBytes)
  const flags = message.flags | FLAG.TC
  return finished(write({ ...message, flags, answers: [], authority: [] }), true)
}

const finished = ({ bytes, at, ttlOffsets }: Writer, truncated: boolean): Encoded => ({
  bytes: bytes.subarray(0, at),
  truncated,
  ttlOffsets,
})

function write(message: Message): Writer {
  const { questions, answers, authority, additional, edns } = message
  const writer: Writer = {
    bytes: Buffer.allocUnsafe(roomFor(message)),
    at: HEADER_BYTES,
    names: new Map(),
    ttlOffsets: [],
  }
  const { bytes } = writer
  const rcode = edns === undefined && message.rcode > 15 ? RCODE.SERVFAIL : message.rcode
  bytes.writeUInt16BE(message.id, 0)
  bytes.writeUInt16BE((message.flags & ~15) | (rcode & 15), 2)
  bytes.writeUInt16BE(questions.length, 4)
  bytes.writeUInt16BE(answers.length, 6)
  bytes.writeUInt16BE(authority.length, 8)
  bytes.writeUInt16BE(additional.length + (edns === undefined ? 0 : 1), 10)
  for (const question of questions) {
    writeName(writer, question.name)
    writer.at = bytes.writeUInt16BE(question.type, writer.at)
    writer.at = bytes.writeUInt16BE(question.class, writer.at)
  }
  for (const record of answers) writeRecord(writer, record)
  for (const record of authority) writeRecord(writer, record)
  for (const record of additional) writeRecord(writer, record)
  if (edns !== undefined) writeOpt(writer, edns, rcode)
  return writer
}

/** Bytes of the message without any compression. */
function roomFor({ questions, answers, authority, additional, edns }: Message): number {
  let room = HEADER_BYTES
  for (const { name } of questions) room += name.length + 4
  for (const section of [answers, authority, additional]) {
    for (const { name, data } of section) room += name.length + RECORD_BYTES + data.length
  }
  return room + (edns === undefined ? 0 : optBytes(edns))
}

export const optBytes = ({ options }: Edns): number =>
  options.reduce((sum, { data }) => sum + 4 + data.length, OPT_BYTES)

function writeName(writer: Writer, name: DnsName): void {
  const { bytes, names } = writer
  let from = 0
  for (let endings = 0; endings < MAX_ENDINGS && name.length - from > 1; endings++) {
    const ending = name.slice(from)
    const known = names.get(ending)
    if (known !== undefined) {
      if (from > 0) bytes.write(name.slice(0, from), writer.at, 'latin1')
      writer.at = bytes.writeUInt16BE(0xc000 | known, writer.at + from)
      return
    }
    // In its own case: a name that is written differently keeps its letters.
    if (writer.at + from <= MAX_POINTER) names.set(ending, writer.at + from)
    from += 1 + name.charCodeAt(from)
  }
  writer.at += bytes.write(name, writer.at, 'latin1')
}

function writeRecord(writer: Writer, record: ResourceRecord): void {
  const { bytes } = writer
  writeName(writer, record.name)
  writer.at = bytes.writeUInt16BE(record.type, writer.at)
  writer.at = bytes.writeUInt16BE(record.class, writer.at)
  writer.ttlOffsets.push(writer.at)
  writer.at = bytes.writeUInt32BE(record.ttl, writer.at)
  const lengthAt = writer.at
  writer.at += 2
  writeData(writer, record)
  bytes.writeUInt16BE(writer.at - lengthAt - 2, lengthAt)
}

function writeData(writer: Writer, { type, data }: ResourceRecord): void {
  let from = 0
  // Names come first after fixed numbers in every type that may be compressed.
  for (const part of layoutOf(type) ?? []) {
    if (typeof part === 'number') {
      copy(writer, data, from, from + part)
      from += part
    } else if (part === 'name') {
      const end = endOfName(data, from)
      const name = Buffer.from(data.buffer, data.byteOffset + from, end - from)
      writeName(writer, name.toString('latin1') as DnsName)
      from = end
    } else break
  }
  copy(writer, data, from, data.length)
}

function copy(writer: Writer, data: Uint8Array, from: number, end: number): void {
  if (end <= from) return
  writer.bytes.set(from === 0 && end === data.length ? data : data.subarray(from, end), writer.at)
  writer.at += end - from
}

function writeOpt(writer: Writer, edns: Edns, rcode: number): void {
  const { bytes } = writer
  const flags = edns.dnssecOk ? DNSSEC_OK : 0
  writer.at = bytes.writeUInt8(0, writer.at)
  writer.at = bytes.writeUInt16BE(TYPE.OPT, writer.at)
  writer.at = bytes.writeUInt16BE(edns.payloadBytes, writer.at)
  writer.at = bytes.writeUInt8(rcode >> 4, writer.at)
  writer.at = bytes.writeUInt8(edns.version, writer.at)
  writer.at = bytes.writeUInt16BE(flags, writer.at)
  writer.at = bytes.writeUInt16BE(optBytes(edns) - OPT_BYTES, writer.at)
  for (const { code, data } of edns.options) {
    writer.at = bytes.writeUInt16BE(code, writer.at)
    writer.at = bytes.writeUInt16BE(data.length, writer.at)
    bytes.set(data, writer.at)
    writer.at += data.length
  }
}
