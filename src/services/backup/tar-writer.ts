/** Plain files as a tar (POSIX.1-2017 pax), which every tar reads. */

export interface TarFile {
  /** Below no folder of the reader's, with `/`; ASCII. */
  name: string
  size: number
  /** Unix time in seconds. */
  mtime: number
  /** Exactly `size` bytes. */
  content: AsyncIterable<Uint8Array>
}

export const BLOCK_BYTES = 512
// POSIX ustar: eleven octal digits, and a name of 100 characters.
const MAX_USTAR_SIZE = 8 ** 11 - 1
const MAX_USTAR_NAME = 100

export const padding = (size: number): number => (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES

const octal = (value: number, digits: number): string =>
  `${value.toString(8).padStart(digits, '0')}\0`

function header(name: string, size: number, mtime: number, type: '0' | 'x'): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  block.write(name, 0, MAX_USTAR_NAME, 'latin1')
  // Whoever unpacks it by hand gets keys that only they can read.
  block.write(octal(0o600, 7), 100, 'latin1')
  block.write(octal(0, 7), 108, 'latin1')
  block.write(octal(0, 7), 116, 'latin1')
  block.write(octal(size, 11), 124, 'latin1')
  block.write(octal(Math.max(0, Math.trunc(mtime)), 11), 136, 'latin1')
  block.write('        ', 148, 'latin1')
  block.write(type, 156, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** A pax record counts its own length. */
function record(key: string, value: string): string {
  const body = ` ${key}=${value}\n`
  let length = body.length + 1
  while (`${length}${body}`.length !== length) length = `${length}${body}`.length
  return `${length}${body}`
}

function* head({ name, size, mtime }: TarFile): Generator<Buffer, void, undefined> {
  const isLong = name.length > MAX_USTAR_NAME
  const isLarge = size > MAX_USTAR_SIZE
  if (isLong || isLarge) {
    const text =
      (isLong ? record('path', name) : '') + (isLarge ? record('size', String(size)) : '')
    yield header('pax', text.length, mtime, 'x')
    yield Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc(padding(text.length))])
  }
  yield header(name, isLarge ? 0 : size, mtime, '0')
}

export async function* writeTar(
  files: AsyncIterable<TarFile>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const file of files) {
    yield* head(file)
    yield* file.content
    if (padding(file.size) > 0) yield Buffer.alloc(padding(file.size))
  }
  yield Buffer.alloc(2 * BLOCK_BYTES)
}
