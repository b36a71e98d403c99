/** A .tar.gz in memory: the disk may be full (POSIX.1-1988 ustar). */
import { gzip } from 'node:zlib'
import { promisify } from 'node:util'

export interface TarFile {
  /** At most 99 bytes, without anything that leads elsewhere. */
  name: string
  bytes: Uint8Array
}

const BLOCK = 512
const MODE = '0000600'

function header({ name, bytes }: TarFile, seconds: number): Uint8Array {
  const block = Buffer.alloc(BLOCK)
  block.write(name.slice(0, 99), 0)
  block.write(`${MODE}\0`, 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  block.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124)
  block.write(`${Math.max(0, Math.floor(seconds)).toString(8).padStart(11, '0')}\0`, 136)
  block.write('        ', 148)
  block.write('0', 156)
  block.write('ustar\u000000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

export async function tarGz(files: readonly TarFile[], now: number): Promise<Uint8Array> {
  const parts = files.flatMap((file) => [
    header(file, now / 1000),
    file.bytes,
    new Uint8Array((BLOCK - (file.bytes.length % BLOCK)) % BLOCK),
  ])
  return promisify(gzip)(Buffer.concat([...parts, new Uint8Array(2 * BLOCK)]))
}
