/**
 * Reads bencode (BEP 3) piece by piece out of bytes, canonical or not at all: for `decode`, and for
 * who wants to walk through a large document without making values of it.
 */
import { declareError } from './errors.ts'

export const BadBencode = declareError(
  'BTL_ERR_BASE_BENCODE',
  'not canonical bencode: %s at byte %s',
  400,
)

export const COLON = 0x3a
export const DICT = 0x64
export const END = 0x65
export const INTEGER = 0x69
export const LIST = 0x6c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
// A 64-bit integer has at most 20 characters with its sign.
const MAX_INTEGER_CHARACTERS = 20
const MAX_LENGTH_DIGITS = 10
// As many digits as a number holds exactly.
const EXACT_DIGITS = 15

export interface BencodeReader {
  readonly bytes: Buffer
  at: number
}

export function createReader(bytes: Uint8Array): BencodeReader {
  return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), at: 0 }
}

export function fail(reader: BencodeReader, what: string): never {
  throw new BadBencode(what, reader.at)
}

export const isDigit = (byte: number | undefined): byte is number =>
  byte !== undefined && byte >= ZERO && byte <= NINE

/** Reads `<length>:` and leaves the reader before the string's first byte. */
export function readLength(reader: BencodeReader): number {
  const { bytes } = reader
  const start = reader.at
  let at = start
  let length = 0
  for (let byte = bytes[at]; isDigit(byte); byte = bytes[++at]) {
    if (at - start >= MAX_LENGTH_DIGITS) fail(reader, 'a byte string length out of range')
    length = length * 10 + (byte - ZERO)
  }
  if (at === start || bytes[at] !== COLON) fail(reader, 'a byte string without length')
  if (at - start > 1 && bytes[start] === ZERO) fail(reader, 'a length with leading zero')
  if (length > bytes.length - at - 1) fail(reader, 'a byte string longer than the document')
  reader.at = at + 1
  return length
}

/** A view into the document. */
export function readString(reader: BencodeReader): Uint8Array {
  const length = readLength(reader)
  const { bytes } = reader
  const string = new Uint8Array(bytes.buffer, bytes.byteOffset + reader.at, length)
  reader.at += length
  return string
}

/** A byte string with one character a byte. */
export function readKey(reader: BencodeReader): string {
  if (!isDigit(reader.bytes[reader.at])) fail(reader, 'a dictionary key that is no byte string')
  const length = readLength(reader)
  const start = reader.at
  reader.at += length
  return length === 1
    ? String.fromCharCode(reader.bytes[start] ?? 0)
    : reader.bytes.toString('latin1', start, reader.at)
}

/** Integers outside the safe range come as bigint, up to 64 bits. */
export function readInteger(reader: BencodeReader): number | bigint {
  const { bytes } = reader
  const start = reader.at + 1
  const negative = bytes[start] === MINUS
  const first = negative ? start + 1 : start
  let at = first
  let value = 0
  for (let byte = bytes[at]; isDigit(byte); byte = bytes[++at]) {
    if (at - start >= MAX_INTEGER_CHARACTERS) fail(reader, 'an integer beyond 64 bits')
    value = value * 10 + (byte - ZERO)
  }
  if (at === first || bytes[at] !== END) fail(reader, 'a malformed integer')
  if (bytes[first] === ZERO && (at - first > 1 || negative)) {
    fail(reader, 'an integer with leading zero')
  }
  if (at - first > EXACT_DIGITS) return readWideInteger(reader, start, at)
  reader.at = at + 1
  return negative ? -value : value
}

function readWideInteger(reader: BencodeReader, start: number, end: number): number | bigint {
  const wide = BigInt(reader.bytes.toString('latin1', start, end))
  if (wide !== BigInt.asIntN(64, wide)) fail(reader, 'an integer beyond 64 bits')
  reader.at = end + 1
  const value = Number(wide)
  return Number.isSafeInteger(value) ? value : wide
}

/** Where `skip` stands within nested lists and dictionaries; three numbers a level. */
export type SkipState = number[]
const IN_LIST = 0
const BEFORE_KEY = 1
const BEFORE_VALUE = 2

function isAfter(bytes: Uint8Array, before: [number, number], key: [number, number]): boolean {
  const length = Math.min(before[1] - before[0], key[1] - key[0])
  for (let i = 0; i < length; i++) {
    const difference = (bytes[key[0] + i] ?? 0) - (bytes[before[0] + i] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return key[1] - key[0] > before[1] - before[0]
}

function skipKey(reader: BencodeReader, state: SkipState, level: number): void {
  if (!isDigit(reader.bytes[reader.at])) fail(reader, 'a dictionary key that is no byte string')
  const length = readLength(reader)
  const end = reader.at + length
  const beforeEnd = state[level + 2] ?? 0
  const before: [number, number] = [state[level + 1] ?? 0, beforeEnd]
  // The end of a key is never 0, so 0 says that there was none before.
  if (beforeEnd !== 0 && !isAfter(reader.bytes, before, [reader.at, end])) {
    fail(reader, 'dictionary keys out of order or twice')
  }
  state[level] = BEFORE_VALUE
  state[level + 1] = reader.at
  state[level + 2] = end
  reader.at = end
}

/** Skips a value or the beginning of one; true where a whole one ended at this level. */
function skipOne(reader: BencodeReader, state: SkipState, maxDepth: number): boolean {
  const byte = reader.bytes[reader.at]
  if (isDigit(byte)) {
    const length = readLength(reader)
    reader.at += length
    return true
  }
  if (byte === INTEGER) {
    readInteger(reader)
    return true
  }
  if (byte !== LIST && byte !== DICT) {
    fail(reader, byte === undefined ? 'the document ends too early' : 'an unknown type')
  }
  if (state.length >= maxDepth * 3) fail(reader, 'nested too deep')
  state.push(byte === LIST ? IN_LIST : BEFORE_KEY, 0, 0)
  reader.at++
  return false
}

/**
 * Walks over one value, checking all of it, without making anything of it.
 * @param state empty at first; holds the place where the walk stopped
 * @param steps how many values, keys and ends to pass at most
 * @returns how many steps are left, 0 where the walk is not over: call again with the same state
 */
export function skip(
  reader: BencodeReader,
  state: SkipState,
  maxDepth: number,
  steps: number,
): number {
  for (let left = steps; left > 0; left--) {
    const level = state.length - 3
    const place = level < 0 ? undefined : state[level]
    let whole = false
    if (place !== undefined && place !== BEFORE_VALUE && reader.bytes[reader.at] === END) {
      state.length = level
      reader.at++
      whole = true
    } else if (place === BEFORE_KEY) {
      skipKey(reader, state, level)
      continue
    } else {
      whole = skipOne(reader, state, maxDepth)
    }
    if (!whole) continue
    if (state.length === 0) return left
    const parent = state.length - 3
    if (state[parent] === BEFORE_VALUE) state[parent] = BEFORE_KEY
  }
  return 0
}
