/** POSIX.1-2001 tar headers (ustar with pax records where names or sizes do not fit), and the length of the whole before it is written. */

export interface ArchiveEntry {
  /** Path with slashes. */
  name: string
  /** Bytes. */
  length: number
}

const BLOCK = 512
const MAX_USTAR_SIZE = 0o77777777777
const MODE_FILE = 0o644

function octal(header: Buffer, value: number, at: number, width: number): void {
  header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1')
}

function block(name: string, length: number, type: '0' | 'x'): Buffer {
  const header = Buffer.alloc(BLOCK)
  header.write(name, 0, 100, 'utf8')
  octal(header, MODE_FILE, 100, 8)
  octal(header, 0, 108, 8)
  octal(header, 0, 116, 8)
  octal(header, length > MAX_USTAR_SIZE ? 0 : length, 124, 12)
  // Torrents carry no times: the same content gives the same archive.
  octal(header, 0, 136, 12)
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
  Buffer.alloc((BLOCK - (length % BLOCK)) % BLOCK)

/** Two blocks of zeros. */
export const tarEnd = (): Buffer => Buffer.alloc(BLOCK * 2)

/** Everything before the content of an entry. */
export function tarHeader({ name, length }: ArchiveEntry): Buffer {
  const records: Buffer[] = []
  const plain = name.replace(/[^\x20-\x7e]/g, '_')
  if (plain !== name || name.length > 100) records.push(record('path', name))
  if (length > MAX_USTAR_SIZE) records.push(record('size', String(length)))
  const own = block(plain.slice(0, 100), length, '0')
  if (records.length === 0) return own
  const pax = Buffer.concat(records)
  return Buffer.concat([
    block('PaxHeaders/entry', pax.length, 'x'),
    pax,
    tarPadding(pax.length),
    own,
  ])
}

export function tarLength(entries: Iterable<ArchiveEntry>): number {
  let total = BLOCK * 2
  for (const entry of entries) {
    total += tarHeader(entry).length + Math.ceil(entry.length / BLOCK) * BLOCK
  }
  return total
}
