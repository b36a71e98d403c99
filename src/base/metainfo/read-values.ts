/** The values of an info dict, each of the one type it may have. */
import {
  type BencodeReader,
  DICT,
  END,
  fail,
  INTEGER,
  isDigit,
  LIST,
  readInteger,
  readKey,
  readString,
  type SkipState,
  skip,
} from '../bencode-reader.ts'
import { refuse } from './errors.ts'
import type { Slices } from './slices.ts'

// A v2 file tree nests as deep as the paths in it, and three levels more.
const MAX_DEPTH = 80
const STEPS_A_SLICE = 10_000

/** @param what names the value in messages; so it does below */
export function bytesOf(reader: BencodeReader, what: string): Uint8Array {
  if (!isDigit(reader.bytes[reader.at])) refuse(`${what} is no byte string`)
  return readString(reader)
}

/** An integer from 0 to 2^53 - 1. */
export function sizeOf(reader: BencodeReader, what: string): number {
  if (reader.bytes[reader.at] !== INTEGER) refuse(`${what} is no integer`)
  const value = readInteger(reader)
  if (typeof value === 'bigint') refuse(`${what} is out of range`)
  if (value < 0) refuse(`${what} is negative`)
  return value
}

/** Stands before the first item afterwards; `hasMore` says whether there is one. */
export function openList(reader: BencodeReader, what: string): void {
  if (reader.bytes[reader.at] !== LIST) refuse(`${what} is no list`)
  reader.at++
}

export function openDict(reader: BencodeReader, what: string): void {
  if (reader.bytes[reader.at] !== DICT) refuse(`${what} is no dictionary`)
  reader.at++
}

/** Whether an item or key follows; passes over the end where none does. */
export function hasMore(reader: BencodeReader): boolean {
  const byte = reader.bytes[reader.at]
  if (byte === undefined) fail(reader, 'the document ends too early')
  if (byte !== END) return true
  reader.at++
  return false
}

export function keyAfter(reader: BencodeReader, previous: string | undefined): string {
  const key = readKey(reader)
  if (previous !== undefined && key <= previous) {
    fail(reader, 'dictionary keys out of order or twice')
  }
  return key
}

/** Passes over a small value nobody reads, or refuses it as not small. */
export function skipSmall(reader: BencodeReader): void {
  if (skip(reader, [], MAX_DEPTH, 1000) === 0) refuse('a value nobody asked for is too large')
}

/** Passes over a value of any size. */
export function* skipLarge(reader: BencodeReader): Slices<void> {
  const state: SkipState = []
  while (skip(reader, state, MAX_DEPTH, STEPS_A_SLICE) === 0) yield
}
