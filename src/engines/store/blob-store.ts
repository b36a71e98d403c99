/** Immutable files by sha256: streamed to a temporary file, synced, then named by their hash. */
import { createHash } from 'node:crypto'
import { chmod, open, statfs } from 'node:fs/promises'
import { type Sha256, sha256 } from '../../base/hashes.ts'
import type { BlobStore } from '../../base/ports/store.ts'
import type { BlobShelf } from './blob-shelf.ts'
import { onDisk } from './durable.ts'
import { Full, TooLarge } from './errors.ts'
import { BLOB_MODE } from './link-file.ts'
import { createTempFile, type TempFile } from './temp-file.ts'

export interface BlobStoreDeps {
  shelf: BlobShelf
  /** Folder of the blobs; temporary files stand in it too, so that a rename moves no bytes. */
  folder: string
  /** Bytes to leave free on its disk. */
  minFree: number
}

type PutOptions = NonNullable<Parameters<BlobStore['put']>[1]>

// Hashed at once: a few milliseconds on a Raspberry Pi.
const READ_BYTES = 262_144
const ASK_FREE_EVERY_BYTES = 33_554_432

/** Sha256 and length of a file, read once; `observe` sees every chunk, valid until it returns. */
export async function hashFile(
  path: string,
  options: { observe?: (chunk: Uint8Array) => void; signal?: AbortSignal | undefined } = {},
): Promise<{ hash: Sha256; length: number }> {
  const hash = createHash('sha256')
  const handle = await open(path, 'r')
  try {
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    let length = 0
    for (;;) {
      options.signal?.throwIfAborted()
      const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, length)
      if (bytesRead === 0) return { hash: sha256(hash.digest('hex')), length }
      const chunk = buffer.subarray(0, bytesRead)
      hash.update(chunk)
      options.observe?.(chunk)
      length += bytesRead
    }
  } finally {
    await handle.close()
  }
}

/** Makes a file that something else wrote as durable and as unchangeable as a blob. */
export async function seal(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
  await chmod(path, BLOB_MODE)
}

export function createBlobStore({ shelf, folder, minFree }: BlobStoreDeps): BlobStore {
  async function checkFree(): Promise<void> {
    if (minFree === 0) return
    const disk = await onDisk(folder, () => statfs(folder))
    if (disk.bavail * disk.bsize < minFree) throw new Full(folder)
  }

  /** Streams the source into `file`; what the source throws is thrown as it is. */
  async function drain(
    source: AsyncIterable<Uint8Array>,
    file: TempFile,
    { observe, maxBytes = Infinity, signal }: PutOptions,
  ): Promise<{ hash: Sha256; length: number }> {
    const hash = createHash('sha256')
    let length = 0
    let askAt = ASK_FREE_EVERY_BYTES
    for await (const chunk of source) {
      signal?.throwIfAborted()
      length += chunk.length
      if (length > maxBytes) throw new TooLarge(maxBytes)
      hash.update(chunk)
      observe?.(chunk)
      await file.write(chunk)
      if (length >= askAt) {
        await checkFree()
        askAt = length + ASK_FREE_EVERY_BYTES
      }
    }
    return { hash: sha256(hash.digest('hex')), length }
  }

  return {
    async put(source, options = {}) {
      const file = createTempFile(folder)
      let held: Sha256 | undefined
      try {
        options.signal?.throwIfAborted()
        await checkFree()
        const { hash, length } = await drain(source, file, options)
        // Before the look whether it is there: from now on a removal elsewhere leaves it alone.
        shelf.hold(hash)
        held = hash
        const known = await onDisk(folder, () => shelf.findDurable(hash, length))
        if (known) return known
        const sealed = await file.seal()
        return await onDisk(folder, () => shelf.place(sealed, hash, length))
      } catch (error) {
        if (held) shelf.release(held)
        throw error
      } finally {
        await file.drop()
      }
    },
    get: (hash) => shelf.find(hash),
    async adopt(path, signal) {
      return onDisk(path, async () => {
        const { hash, length } = await hashFile(path, { signal })
        await seal(path)
        return shelf.share(path, hash, length)
      })
    },
    async discard(hash) {
      shelf.release(hash)
      await shelf.lock(() => shelf.dropUnowned(hash))
    },
  }
}
