/**
 * Strict bencode (BEP 3): what is decoded is canonical, so that decode and encode are inverse and a
 * hash over re-encoded bytes is a hash over the original ones.
 */
import {
  type BencodeReader,
  createReader,
  DICT,
  END,
  fail,
  INTEGER,
  isDigit,
  LIST,
  readInteger,
  readKey,
  readString,
  skip,
} from './bencode-reader.ts'

/** Keys are byte strings written one character a byte (latin1). */
export type BDict = Map<string, BValue>
/** Integers outside the safe range come as bigint, up to 64 bits. */
export type BValue = number | bigint | Uint8Array | BValue[] | BDict

export interface BencodeLimits {
  /** How deep lists and dictionaries may nest; 1 is a flat list. */
  maxDepth: number
  /** How many values the whole document may hold. */
  maxValues: number
}

const DEFAULT_LIMITS: BencodeLimits = { maxDepth: 32, maxValues: 1_000_000 }

interface Decoder extends BencodeReader {
  readonly maxDepth: number
  valuesLeft: number
}

function createDecoder(bytes: Uint8Array, limits: Partial<BencodeLimits>): Decoder {
  const { maxDepth, maxValues } = { ...DEFAULT_LIMITS, ...limits }
  return { ...createReader(bytes), maxDepth, valuesLeft: maxValues }
}

function readList(decoder: Decoder, depth: number): BValue[] {
  decoder.at++
  const list: BValue[] = []
  while (decoder.bytes[decoder.at] !== END) list.push(readValue(decoder, depth))
  decoder.at++
  return list
}

function readDict(decoder: Decoder, depth: number): BDict {
  decoder.at++
  const dict: BDict = new Map()
  let previous: string | undefined
  while (decoder.bytes[decoder.at] !== END) {
    const key = readKeyAfter(decoder, previous)
    previous = key
    dict.set(key, readValue(decoder, depth))
  }
  decoder.at++
  return dict
}

function readKeyAfter(decoder: Decoder, previous: string | undefined): string {
  const key = readKey(decoder)
  if (previous !== undefined && key <= previous) {
    fail(decoder, 'dictionary keys out of order or twice')
  }
  return key
}

function readValue(decoder: Decoder, depth: number): BValue {
  if (--decoder.valuesLeft < 0) fail(decoder, 'too many values')
  const byte = decoder.bytes[decoder.at]
  if (isDigit(byte)) return readString(decoder)
  if (byte === INTEGER) return readInteger(decoder)
  if (byte !== LIST && byte !== DICT) {
    fail(decoder, byte === undefined ? 'the document ends too early' : 'an unknown type')
  }
  if (depth >= decoder.maxDepth) fail(decoder, 'nested too deep')
  return byte === LIST ? readList(decoder, depth + 1) : readDict(decoder, depth + 1)
}

/**
 * Decodes one whole document. Byte strings are views into `bytes`, not copies.
 * @throws BadBencode on anything that is not canonical, on trailing bytes, and over a limit
 */
export function decode(bytes: Uint8Array, limits: Partial<BencodeLimits> = {}): BValue {
  const decoder = createDecoder(bytes, limits)
  const value = readValue(decoder, 0)
  if (decoder.at !== bytes.length) fail(decoder, 'bytes after the end')
  return value
}

/**
 * The encoded bytes of each entry of the top dictionary, as they stand in the document: what a hash
 * or signature over one entry is made of (`info` of BEP 3, `v` of BEP 44). `maxValues` counts keys
 * and ends of lists too.
 */
export function rawEntries(
  bytes: Uint8Array,
  limits: Partial<BencodeLimits> = {},
): Map<string, Uint8Array> {
  const decoder = createDecoder(bytes, limits)
  if (bytes[0] !== DICT) fail(decoder, 'not a dictionary')
  const entries = new Map<string, Uint8Array>()
  let previous: string | undefined
  decoder.at++
  while (decoder.bytes[decoder.at] !== END) {
    const key = readKeyAfter(decoder, previous)
    previous = key
    const start = decoder.at
    decoder.valuesLeft = skip(decoder, [], decoder.maxDepth - 1, decoder.valuesLeft) - 1
    if (decoder.valuesLeft < 0) fail(decoder, 'too many values')
    entries.set(key, bytes.subarray(start, decoder.at))
  }
  decoder.at++
  if (decoder.at !== bytes.length) fail(decoder, 'bytes after the end')
  return entries
}

/** What `encode` takes: also strings (as UTF-8) and plain objects, for writing by hand. */
export type Encodable =
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Encodable[]
  | ReadonlyMap<string, Encodable>
  | { readonly [key: string]: Encodable | undefined }

type EncodableDict =
  | ReadonlyMap<string, Encodable>
  | { readonly [key: string]: Encodable | undefined }

/** Bytes that grow as they are written. */
interface Writer {
  bytes: Buffer
  at: number
}

const createWriter = (): Writer => ({ bytes: Buffer.allocUnsafe(512), at: 0 })

function reserve(writer: Writer, more: number): void {
  const needed = writer.at + more
  if (needed <= writer.bytes.length) return
  const grown = Buffer.allocUnsafe(Math.max(needed, writer.bytes.length * 2))
  grown.set(writer.bytes.subarray(0, writer.at))
  writer.bytes = grown
}

// Nearly all are lengths and keys: a loop beats the call into native code.
const SHORT_TEXT = 32

function writeLatin1(writer: Writer, text: string): void {
  reserve(writer, text.length)
  if (text.length > SHORT_TEXT) {
    writer.at += writer.bytes.write(text, writer.at, 'latin1')
    return
  }
  for (let i = 0; i < text.length; i++) writer.bytes[writer.at++] = text.charCodeAt(i)
}

function writeByte(writer: Writer, byte: number): void {
  reserve(writer, 1)
  writer.bytes[writer.at++] = byte
}

function writeBytes(writer: Writer, bytes: Uint8Array): void {
  reserve(writer, bytes.length)
  writer.bytes.set(bytes, writer.at)
  writer.at += bytes.length
}

function write(value: Encodable, writer: Writer): void {
  if (typeof value === 'number' || typeof value === 'bigint') {
    writeInteger(value, writer)
  } else if (typeof value === 'string') {
    const length = Buffer.byteLength(value)
    writeLatin1(writer, `${length}:`)
    reserve(writer, length)
    writer.at += writer.bytes.write(value, writer.at)
  } else if (value instanceof Uint8Array) {
    writeLatin1(writer, `${value.length}:`)
    writeBytes(writer, value)
  } else if (Array.isArray(value)) {
    writeByte(writer, LIST)
    for (const item of value as readonly Encodable[]) write(item, writer)
    writeByte(writer, END)
  } else {
    writeDict(value as EncodableDict, writer)
  }
}

function writeInteger(value: number | bigint, writer: Writer): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new TypeError(`cannot bencode the number ${value}`)
  }
  if (typeof value === 'bigint' && value !== BigInt.asIntN(64, value)) {
    throw new TypeError(`cannot bencode ${value}: it is beyond 64 bits`)
  }
  writeLatin1(writer, `i${value}e`)
}

const isMap = (value: EncodableDict): value is ReadonlyMap<string, Encodable> =>
  value instanceof Map

// Keys are latin1, so comparing characters compares bytes, as BEP 3 asks.
const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0

function writeKey(key: string, writer: Writer): void {
  if (/[\u0100-\uffff]/.test(key)) throw new TypeError(`cannot bencode the key "${key}": not bytes`)
  writeLatin1(writer, `${key.length}:${key}`)
}

function writeDict(value: EncodableDict, writer: Writer): void {
  const entries: [string, Encodable | undefined][] = isMap(value)
    ? [...value]
    : Object.entries(value)
  if (entries.length > 1) entries.sort(byKey)
  writeByte(writer, DICT)
  for (const [key, item] of entries) {
    if (item === undefined) continue
    writeKey(key, writer)
    write(item, writer)
  }
  writeByte(writer, END)
}

// A copy of its own: the grown buffer may be twice as large and would be kept alive whole.
const written = (writer: Writer): Uint8Array => new Uint8Array(writer.bytes.subarray(0, writer.at))

/**
 * Encodes canonically; entries whose value is undefined are left out.
 * @throws TypeError on what bencode cannot hold: fractions, integers beyond 64 bits, and keys with
 * characters beyond latin1
 */
export function encode(value: Encodable): Uint8Array {
  const writer = createWriter()
  write(value, writer)
  return written(writer)
}

/** A dictionary of values that are already in bencode, put into it as they are. */
export function encodeRawDict(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const writer = createWriter()
  writeByte(writer, DICT)
  for (const [key, raw] of [...entries].sort(byKey)) {
    writeKey(key, writer)
    writeBytes(writer, raw)
  }
  writeByte(writer, END)
  return written(writer)
}
