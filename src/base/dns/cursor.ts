/**
 * A place in the bytes of a message, and what was found wrong there. The first fault stays and every
 * read after it gives nothing, so that a reader looks once, at the end.
 */
import { Buffer } from 'node:buffer'
import { HEADER_BYTES } from './codes.ts'
import type { Fault } from './message.ts'
import { type DnsName, MAX_LABEL_BYTES, MAX_NAME_BYTES, ROOT } from './name.ts'

/** Far above what any server writes: a name of n jumps needs n earlier names. */
const MAX_JUMPS = 16

export interface Cursor {
  readonly bytes: Buffer
  at: number
  fault: Fault | undefined
}

export function createCursor(bytes: Uint8Array, at: number): Cursor {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { bytes: buffer, at, fault: undefined }
}

export function fail(cursor: Cursor, fault: Fault): void {
  cursor.fault ??= fault
}

/** Moves over `count` bytes and gives where they begin; -1 where they are not all there. */
export function take(cursor: Cursor, count: number): number {
  const { at } = cursor
  if (cursor.fault !== undefined || at + count > cursor.bytes.length) {
    fail(cursor, 'cut-short')
    return -1
  }
  cursor.at = at + count
  return at
}

export function readWord(cursor: Cursor): number {
  const at = take(cursor, 2)
  return at < 0 ? 0 : cursor.bytes.readUInt16BE(at)
}

export function readLong(cursor: Cursor): number {
  const at = take(cursor, 4)
  return at < 0 ? 0 : cursor.bytes.readUInt32BE(at)
}

/** Where the run of labels from `at` ends: at its root or its pointer. -1 where it is faulty. */
function endOfRun(cursor: Cursor, at: number): number {
  const { bytes } = cursor
  for (let place = at; ; ) {
    const length = bytes[place]
    if (length === undefined) {
      fail(cursor, 'cut-short')
      return -1
    }
    if (length === 0 || length >= 0xc0) return place
    if (length > MAX_LABEL_BYTES) {
      // 0x40 was EDNS0's extended labels, withdrawn by RFC 6891; 0x80 was never given out.
      fail(cursor, 'label-type')
      return -1
    }
    place += 1 + length
    if (place - at >= MAX_NAME_BYTES) {
      fail(cursor, 'name-too-long')
      return -1
    }
  }
}

/** Where the pointer at `place`, which ends a run begun at `runAt`, leads. -1 where that is forbidden. */
function pointerTarget(cursor: Cursor, place: number, runAt: number): number {
  const low = cursor.bytes[place + 1]
  if (low === undefined) {
    fail(cursor, 'cut-short')
    return -1
  }
  const target = (((cursor.bytes[place] ?? 0) & 0x3f) << 8) | low
  // Strictly before the run it ends: no chain of pointers can come back to where it was.
  if (target >= runAt) fail(cursor, 'pointer-forward')
  else if (target < HEADER_BYTES) fail(cursor, 'pointer-into-header')
  else return target
  return -1
}

/** Reads a name, compressed (RFC 1035 §4.1.4) or not, in the case it has. */
export function readName(cursor: Cursor): DnsName {
  if (cursor.fault !== undefined) return ROOT
  const { bytes } = cursor
  let name = ''
  let runAt = cursor.at
  for (let jumps = 0; ; jumps++) {
    const end = endOfRun(cursor, runAt)
    if (end < 0) return ROOT
    const isRoot = bytes[end] === 0
    const stop = isRoot ? end + 1 : end
    if (name.length + stop - runAt > MAX_NAME_BYTES - (isRoot ? 0 : 1)) {
      fail(cursor, 'name-too-long')
      return ROOT
    }
    if (stop > runAt) name += bytes.toString('latin1', runAt, stop)
    if (jumps === 0) cursor.at = isRoot ? stop : end + 2
    if (isRoot) return name as DnsName
    const target = pointerTarget(cursor, end, runAt)
    if (target < 0) return ROOT
    if (jumps === MAX_JUMPS) {
      fail(cursor, 'pointer-chain')
      return ROOT
    }
    runAt = target
  }
}

/** Moves over a name without making it, for records nobody asked for. */
export function skipName(cursor: Cursor): void {
  if (cursor.fault !== undefined) return
  const runAt = cursor.at
  const end = endOfRun(cursor, runAt)
  if (end < 0) return
  if (cursor.bytes[end] === 0) cursor.at = end + 1
  else if (pointerTarget(cursor, end, runAt) >= 0) cursor.at = end + 2
}
