/** Zip records for stored files whose sums come after them (APPNOTE 6.3.10 §4.3), with zip64 where 32 bits do not do. */

export interface ArchiveEntry {
  /** Path with slashes. */
  name: string
  /** Bytes. */
  length: number
}

export interface WrittenEntry extends ArchiveEntry {
  crc: number
  /** Where its local header stands. */
  offset: number
}

const MAX32 = 0xffffffff
const MAX16 = 0xffff
// Bit 3: sums follow the data; bit 11: names are UTF-8.
const FLAGS = 0x0808
const VERSION = 20
const VERSION_ZIP64 = 45
// 1980-01-01: the first date zip can write. Torrents carry no times.
const DOS_DATE = 0x21
const UNIX_FILE = 0o100644 * 0x10000

const isLarge = (length: number): boolean => length >= MAX32

function u16(...values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 2)
  values.forEach((value, i) => out.writeUInt16LE(value, i * 2))
  return out
}

function u32(...values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => out.writeUInt32LE(value >>> 0, i * 4))
  return out
}

function u64(...values: number[]): Buffer {
  const out = Buffer.alloc(values.length * 8)
  values.forEach((value, i) => out.writeBigUInt64LE(BigInt(value), i * 8))
  return out
}

const zip64Extra = (values: number[]): Buffer =>
  values.length === 0 ? Buffer.alloc(0) : Buffer.concat([u16(1, values.length * 8), u64(...values)])

export function zipLocalHeader({ name, length }: ArchiveEntry): Buffer {
  const bytes = Buffer.from(name)
  const large = isLarge(length)
  const size = large ? MAX32 : 0
  const extra = zip64Extra(large ? [0, 0] : [])
  return Buffer.concat([
    u32(0x04034b50),
    u16(large ? VERSION_ZIP64 : VERSION, FLAGS, 0, 0, DOS_DATE),
    u32(0, size, size),
    u16(bytes.length, extra.length),
    bytes,
    extra,
  ])
}

export function zipDescriptor(length: number, crc: number): Buffer {
  const sizes = isLarge(length) ? u64(length, length) : u32(length, length)
  return Buffer.concat([u32(0x08074b50, crc), sizes])
}

function centralHeader({ name, length, crc, offset }: WrittenEntry): Buffer {
  const bytes = Buffer.from(name)
  const large = isLarge(length)
  const far = offset >= MAX32
  const extra = zip64Extra([...(large ? [length, length] : []), ...(far ? [offset] : [])])
  const version = large || far ? VERSION_ZIP64 : VERSION
  return Buffer.concat([
    u32(0x02014b50),
    // Made by Unix (3), so that the mode is believed.
    u16((3 << 8) | version, version, FLAGS, 0, 0, DOS_DATE),
    u32(crc, large ? MAX32 : length, large ? MAX32 : length),
    u16(bytes.length, extra.length, 0, 0, 0),
    u32(UNIX_FILE, far ? MAX32 : offset),
    bytes,
    extra,
  ])
}

function endRecords(count: number, size: number, offset: number): Buffer {
  const wide = count >= MAX16 || size >= MAX32 || offset >= MAX32
  const end = Buffer.concat([
    u32(0x06054b50),
    u16(0, 0, wide ? MAX16 : count, wide ? MAX16 : count),
    u32(wide ? MAX32 : size, wide ? MAX32 : offset),
    u16(0),
  ])
  if (!wide) return end
  return Buffer.concat([
    u32(0x06064b50),
    u64(44),
    u16(VERSION_ZIP64, VERSION_ZIP64),
    u32(0, 0),
    u64(count, count, size, offset),
    u32(0x07064b50, 0),
    u64(offset + size),
    u32(1),
    end,
  ])
}

/** Central directory and end records. @param offset where the directory starts */
export function zipEnd(entries: readonly WrittenEntry[], offset: number): Buffer {
  const headers = Buffer.concat(entries.map(centralHeader))
  return Buffer.concat([headers, endRecords(entries.length, headers.length, offset)])
}

export function zipLength(entries: Iterable<ArchiveEntry>): number {
  const written: WrittenEntry[] = []
  let offset = 0
  for (const entry of entries) {
    written.push({ ...entry, crc: 0, offset })
    offset += zipLocalHeader(entry).length + entry.length + zipDescriptor(entry.length, 0).length
  }
  return offset + zipEnd(written, offset).length
}
