/**
 * Strict bencode (BEP 3): what is decoded is canonical, so that decode and encode are inverse and a
 * hash over re-encoded bytes is a hash over the original ones.
 */
import { fromLatin1, latin1 } from './bytes.ts'
import { declareError } from './errors.ts'

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

export const BadBencode = declareError(
  'BTL_ERR_BASE_BENCODE',
  'not canonical bencode: %s at byte %s',
  400,
)

const DEFAULT_LIMITS: BencodeLimits = { maxDepth: 32, maxValues: 1_000_000 }
const COLON = 0x3a
const DICT = 0x64
const END = 0x65
const INTEGER = 0x69
const LIST = 0x6c
const MINUS = 0x2d
const ZERO = 0x30
// A 64-bit integer has at most 20 characters with its sign.
const MAX_INTEGER_CHARACTERS = 20
const MAX_LENGTH_DIGITS = 10

interface Reader {
  readonly bytes: Uint8Array
  readonly limits: BencodeLimits
  at: number
  values: number
}

const isDigit = (byte: number | undefined): byte is number =>
  byte !== undefined && byte >= ZERO && byte <= ZERO + 9

function fail(reader: Reader, what: string): never {
  throw new BadBencode(what, reader.at)
}

function readLength(reader: Reader): number {
  const { bytes } = reader
  const start = reader.at
  while (isDigit(bytes[reader.at])) reader.at++
  const digits = reader.at - start
  if (digits === 0 || bytes[reader.at] !== COLON) fail(reader, 'a byte string without length')
  if (digits > MAX_LENGTH_DIGITS) fail(reader, 'a byte string length out of range')
  if (digits > 1 && bytes[start] === ZERO) fail(reader, 'a length with leading zero')
  const length = Number(latin1(bytes.subarray(start, reader.at)))
  reader.at++
  if (length > bytes.length - reader.at) fail(reader, 'a byte string longer than the document')
  return length
}

function readString(reader: Reader): Uint8Array {
  const length = readLength(reader)
  const string = reader.bytes.subarray(reader.at, reader.at + length)
  reader.at += length
  return string
}

function readInteger(reader: Reader): number | bigint {
  const { bytes } = reader
  const start = ++reader.at
  if (bytes[reader.at] === MINUS) reader.at++
  const firstDigit = reader.at
  while (isDigit(bytes[reader.at])) reader.at++
  const digits = reader.at - firstDigit
  if (digits === 0 || bytes[reader.at] !== END) fail(reader, 'a malformed integer')
  if (reader.at - start > MAX_INTEGER_CHARACTERS) fail(reader, 'an integer beyond 64 bits')
  const negative = firstDigit !== start
  if (bytes[firstDigit] === ZERO && (digits > 1 || negative))
    fail(reader, 'an integer with leading zero')
  const text = latin1(bytes.subarray(start, reader.at))
  reader.at++
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  const wide = BigInt(text)
  if (wide !== BigInt.asIntN(64, wide)) fail(reader, 'an integer beyond 64 bits')
  return wide
}

/** Calls `each` with every key, in order, with the reader standing before the key's value. */
function readEntries(reader: Reader, each: (key: string) => void): void {
  reader.at++
  let previous: string | undefined
  while (reader.bytes[reader.at] !== END) {
    if (!isDigit(reader.bytes[reader.at])) fail(reader, 'a dictionary key that is no byte string')
    const key = latin1(readString(reader))
    if (previous !== undefined && key <= previous)
      fail(reader, 'dictionary keys out of order or twice')
    previous = key
    each(key)
  }
  reader.at++
}

function readList(reader: Reader, depth: number): BValue[] {
  reader.at++
  const list: BValue[] = []
  while (reader.bytes[reader.at] !== END) list.push(readValue(reader, depth))
  reader.at++
  return list
}

function readDict(reader: Reader, depth: number): BDict {
  const dict: BDict = new Map()
  readEntries(reader, (key) => dict.set(key, readValue(reader, depth)))
  return dict
}

function readValue(reader: Reader, depth: number): BValue {
  if (++reader.values > reader.limits.maxValues) fail(reader, 'too many values')
  const byte = reader.bytes[reader.at]
  if (isDigit(byte)) return readString(reader)
  if (byte === INTEGER) return readInteger(reader)
  if (byte !== LIST && byte !== DICT) {
    fail(reader, byte === undefined ? 'the document ends too early' : 'an unknown type')
  }
  if (depth >= reader.limits.maxDepth) fail(reader, 'nested too deep')
  return byte === LIST ? readList(reader, depth + 1) : readDict(reader, depth + 1)
}

/**
 * Decodes one whole document. Byte strings are views into `bytes`, not copies.
 * @throws BadBencode on anything that is not canonical, on trailing bytes, and over a limit
 */
export function decode(bytes: Uint8Array, limits: Partial<BencodeLimits> = {}): BValue {
  const reader: Reader = { bytes, limits: { ...DEFAULT_LIMITS, ...limits }, at: 0, values: 0 }
  const value = readValue(reader, 0)
  if (reader.at !== bytes.length) fail(reader, 'bytes after the end')
  return value
}

/**
 * The encoded bytes of each entry of the top dictionary, as they stand in the document: what a hash
 * or signature over one entry is made of (`info` of BEP 3, `v` of BEP 44).
 */
export function rawEntries(
  bytes: Uint8Array,
  limits: Partial<BencodeLimits> = {},
): Map<string, Uint8Array> {
  const reader: Reader = { bytes, limits: { ...DEFAULT_LIMITS, ...limits }, at: 0, values: 0 }
  if (bytes[0] !== DICT) fail(reader, 'not a dictionary')
  const entries = new Map<string, Uint8Array>()
  readEntries(reader, (key) => {
    const start = reader.at
    readValue(reader, 1)
    entries.set(key, bytes.subarray(start, reader.at))
  })
  if (reader.at !== bytes.length) fail(reader, 'bytes after the end')
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

function write(value: Encodable, out: Uint8Array[]): void {
  if (typeof value === 'number' || typeof value === 'bigint') {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      throw new TypeError(`cannot bencode the number ${value}`)
    }
    out.push(Buffer.from(`i${value}e`))
  } else if (typeof value === 'string') {
    const bytes = Buffer.from(value)
    out.push(Buffer.from(`${bytes.length}:`), bytes)
  } else if (value instanceof Uint8Array) {
    out.push(Buffer.from(`${value.length}:`), value)
  } else if (Array.isArray(value)) {
    out.push(Buffer.from('l'))
    for (const item of value as readonly Encodable[]) write(item, out)
    out.push(Buffer.from('e'))
  } else {
    writeDict(value as EncodableDict, out)
  }
}

type EncodableDict =
  | ReadonlyMap<string, Encodable>
  | { readonly [key: string]: Encodable | undefined }

const isMap = (value: EncodableDict): value is ReadonlyMap<string, Encodable> =>
  value instanceof Map

function writeDict(value: EncodableDict, out: Uint8Array[]): void {
  const entries: [string, Encodable | undefined][] = isMap(value)
    ? [...value]
    : Object.entries(value)
  // Keys are latin1, so comparing characters compares bytes, as BEP 3 asks.
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  out.push(Buffer.from('d'))
  for (const [key, item] of entries) {
    if (item === undefined) continue
    const bytes = fromLatin1(key)
    out.push(Buffer.from(`${bytes.length}:`), bytes)
    write(item, out)
  }
  out.push(Buffer.from('e'))
}

/** Encodes canonically; entries whose value is undefined are left out. */
export function encode(value: Encodable): Uint8Array {
  const out: Uint8Array[] = []
  write(value, out)
  return Buffer.concat(out)
}

/** A value already in bencode, put as it is into a document written by `encodeRawDict`. */
export function encodeRawDict(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  const out: Uint8Array[] = [Buffer.from('d')]
  for (const [key, raw] of sorted) {
    const bytes = fromLatin1(key)
    out.push(Buffer.from(`${bytes.length}:`), bytes, raw)
  }
  out.push(Buffer.from('e'))
  return Buffer.concat(out)
}
