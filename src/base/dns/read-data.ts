/** Data of records as it comes: checked against its layout, names written out. */
import { joinBytes } from '../bytes.ts'
import { type Cursor, fail, readName, readWord, take } from './cursor.ts'
import { layoutOf, type Part } from './layouts.ts'
import { bytesOfName } from './name.ts'

/** Moves over `length` bytes of data and gives them with every name in full; a view where none is in it. */
export function readData(cursor: Cursor, type: number, length: number): Uint8Array {
  const { bytes, at } = cursor
  const end = at + length
  if (end > bytes.length) fail(cursor, 'cut-short')
  const layout = layoutOf(type)
  if (cursor.fault !== undefined || layout === undefined) {
    take(cursor, length)
    return bytes.subarray(at, end)
  }
  const pieces: Uint8Array[] = []
  let from = at
  for (const part of layout) {
    if (part === 'name' || part === 'wide') {
      if (cursor.at > from) pieces.push(bytes.subarray(from, cursor.at))
      pieces.push(bytesOfName(readName(cursor)))
      from = cursor.at
    } else readPart(cursor, part, end)
  }
  if (cursor.at !== end) fail(cursor, 'record-data')
  if (cursor.fault !== undefined || pieces.length === 0) return bytes.subarray(at, end)
  if (end > from) pieces.push(bytes.subarray(from, end))
  return pieces.length === 1 ? (pieces[0] ?? bytes) : joinBytes(pieces)
}

function readPart(cursor: Cursor, part: Exclude<Part, 'name' | 'wide'>, end: number): void {
  switch (part) {
    case 'plain':
      readPlainName(cursor)
      break
    case 'string':
      readString(cursor, end)
      break
    case 'tag':
      if (readString(cursor, end) === 0) fail(cursor, 'record-data')
      break
    case 'strings':
      do readString(cursor, end)
      while (cursor.at < end && cursor.fault === undefined)
      break
    case 'params':
      readParams(cursor, end)
      break
    case 'rest':
      take(cursor, Math.max(0, end - cursor.at))
      break
    default:
      if (cursor.at + part > end) fail(cursor, 'record-data')
      take(cursor, part)
  }
}

/** RFC 9460 §2.2: the target of SVCB is not compressed. */
function readPlainName(cursor: Cursor): void {
  const { at } = cursor
  const name = readName(cursor)
  if (cursor.at - at !== name.length) fail(cursor, 'record-data')
}

/** Its length; 0 also where it passes the end. */
function readString(cursor: Cursor, end: number): number {
  const length = cursor.bytes[cursor.at] ?? 0
  if (cursor.at + 1 + length > end) {
    fail(cursor, 'record-data')
    return 0
  }
  take(cursor, 1 + length)
  return length
}

/** RFC 9460 §2.2: keys strictly increase. */
function readParams(cursor: Cursor, end: number): void {
  let last = -1
  while (cursor.at < end && cursor.fault === undefined) {
    const key = readWord(cursor)
    const length = readWord(cursor)
    if (key <= last || cursor.at + length > end) fail(cursor, 'record-data')
    last = key
    take(cursor, length)
  }
}
