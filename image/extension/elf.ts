/** What a program or library of Linux says it needs: the list that ld.so goes by. */

// ELF-64 object file format: e_phoff, e_phentsize, e_phnum; program headers; entries of the dynamic section.
const LOAD = 1
const DYNAMIC = 2
const NEEDED = 1n
const STRTAB = 5n
const MAX_HEADERS = 256

interface Segment {
  type: number
  offset: number
  address: number
  bytes: number
}

function segmentsOf(file: Buffer): Segment[] {
  const at = Number(file.readBigUInt64LE(32))
  const size = file.readUInt16LE(54)
  const count = Math.min(file.readUInt16LE(56), MAX_HEADERS)
  return Array.from({ length: count }, (_, index) => {
    const from = at + index * size
    return {
      type: file.readUInt32LE(from),
      offset: Number(file.readBigUInt64LE(from + 8)),
      address: Number(file.readBigUInt64LE(from + 16)),
      bytes: Number(file.readBigUInt64LE(from + 32)),
    }
  })
}

/**
 * Names of libraries as in `DT_NEEDED`; undefined where the file is no 64-bit little-endian ELF.
 * @throws RangeError where it is one and is cut short
 */
export function neededBy(file: Buffer): string[] | undefined {
  // 0x7f E L F, 64 bits, little-endian.
  if (file.length < 64 || !file.subarray(0, 6).equals(Buffer.from('7f454c460201', 'hex'))) {
    return undefined
  }
  const segments = segmentsOf(file)
  const dynamic = segments.find(({ type }) => type === DYNAMIC)
  // Linked statically.
  if (!dynamic) return []
  const names: number[] = []
  let strings = 0
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.bytes; at += 16) {
    const tag = file.readBigInt64LE(at)
    const value = Number(file.readBigUInt64LE(at + 8))
    if (tag === 0n) break
    if (tag === NEEDED) names.push(value)
    if (tag === STRTAB) strings = value
  }
  const holder = segments.find(
    ({ type, address, bytes }) => type === LOAD && strings >= address && strings < address + bytes,
  )
  if (!holder) throw new RangeError('no segment holds the names')
  const base = strings - holder.address + holder.offset
  return names.map((name) => {
    const end = file.indexOf(0, base + name)
    if (base + name >= file.length || end < 0) throw new RangeError('a name ends nowhere')
    return file.toString('latin1', base + name, end)
  })
}
