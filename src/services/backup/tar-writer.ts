/** Plain files as a tar, which every tar reads. */
import { tarEnd, tarHeader, tarPadding } from '../../base/tar.ts'

export interface TarFile {
  /** Below no folder of the reader's, with `/`; ASCII. */
  name: string
  size: number
  /** Unix time in seconds. */
  mtime: number
  /** Exactly `size` bytes. */
  content: AsyncIterable<Uint8Array>
}

export async function* writeTar(
  files: AsyncIterable<TarFile>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { name, size, mtime, content } of files) {
    // Whoever unpacks it by hand gets keys that only they can read.
    yield tarHeader({ name, length: size, mode: 0o600, mtime })
    yield* content
    if (tarPadding(size).length > 0) yield tarPadding(size)
  }
  yield tarEnd()
}
