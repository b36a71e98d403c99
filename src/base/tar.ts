/** POSIX.1-2001 tar headers (ustar with pax records where names or sizes do not fit), and the length of the whole before it is written. */

export interface TarEntry {
  /** Path with slashes. */
  name: string
  /** Bytes. */
  length: number
  /** 0o644 where nothing is said. */
  mode?: number
  /** Unix time in seconds; 1970 where nothing is said, so that the same content gives the same archive. */
  mtime?: number
}

export const TAR_BLOCK_BYTES = 512
const MAX_USTAR_SIZE = 0o77777777777
const MAX_USTAR_NAME = 100

function octal(header: Buffer, value: number, at: number, width: number): void {
  header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1')
}

function block({ name, length, mode = 0o644, mtime = 0 }: TarEntry, type: '0' | 'x'): Buffer {
  const header = Buffer.alloc(TAR_BLOCK_BYTES)
  header.write(name, 0, MAX_USTAR_NAME, 'latin1')
  octal(header, mode, 100, 8)
  octal(header, 0, 108, 8)
  octal(header, 0, 116, 8)
  octal(header, length > MAX_USTAR_SIZE ? 0 : length, 124, 12)
  octal(header, Math.max(0, Math.trunc(mtime)), 136, 12)
  header.write('        ', 148, 'latin1')
  header.write(type, 156, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

/** `<length> key=value\n`, where the length counts itself. */
function record(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`)
  let total = rest.length + 1
  while (String(total).length + rest.length !== total) total = String(total).length + rest.length
  return Buffer.concat([Buffer.from(String(total)), rest])
}

/** Zeros that fill the last block of `length` bytes. */
export const tarPadding = (length: number): Buffer =>
  Buffer.alloc((TAR_BLOCK_BYTES - (length % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES)

/** Two blocks of zeros. */
export const tarEnd = (): Buffer => Buffer.alloc(TAR_BLOCK_BYTES * 2)

/** Everything before the content of an entry. */
export function tarHeader(entry: TarEntry): Buffer {
  const { name, length } = entry
  const records: Buffer[] = []
  const plain = name.replace(/[^\x20-\x7e]/g, '_')
  if (plain !== name || name.length > MAX_USTAR_NAME) records.push(record('path', name))
  if (length > MAX_USTAR_SIZE) records.push(record('size', String(length)))
  const own = block({ ...entry, name: plain }, '0')
  if (records.length === 0) return own
  const pax = Buffer.concat(records)
  return Buffer.concat([
    block({ name: 'PaxHeaders/entry', length: pax.length }, 'x'),
    pax,
    tarPadding(pax.length),
    own,
  ])
}

/** Of the whole, with its end. */
export function tarLength(entries: Iterable<TarEntry>): number {
  let total = tarEnd().length
  for (const entry of entries) {
    total += tarHeader(entry).length + entry.length + tarPadding(entry.length).length
  }
  return total
}
