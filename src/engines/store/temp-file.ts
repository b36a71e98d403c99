/** A file in the making: bytes are gathered in memory, and reach the disk only once they are many. */
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { onDisk, tempName } from './durable.ts'
import { BLOB_MODE } from './link-file.ts'

// A source of small chunks must not cost a call to the disk for each.
const GATHERED_BYTES = 262_144

export interface TempFile {
  write(chunk: Uint8Array): Promise<void>
  /** Writes the rest, makes it durable and unchangeable, and gives its path, which the caller moves. */
  seal(): Promise<string>
  /** Closes it, and removes what was not moved away. */
  drop(): Promise<void>
}

export function createTempFile(folder: string): TempFile {
  const path = join(folder, tempName('put'))
  let handle: FileHandle | undefined
  let waiting: Uint8Array[] = []
  let bytes = 0

  async function flush(): Promise<FileHandle> {
    handle ??= await open(path, 'wx', 0o600)
    const all = waiting
    waiting = []
    bytes = 0
    if (all.length > 0)
      await handle.writeFile(all.length === 1 ? (all[0] ?? '') : Buffer.concat(all))
    return handle
  }

  return {
    async write(chunk) {
      bytes += chunk.length
      const isFull = bytes > GATHERED_BYTES
      // A source may use its buffer again once it is asked for the next chunk.
      waiting.push(isFull ? chunk : new Uint8Array(chunk))
      if (isFull) await onDisk(folder, flush)
    },
    seal: () =>
      onDisk(folder, async () => {
        const file = await flush()
        await file.chmod(BLOB_MODE)
        await file.sync()
        return path
      }),
    async drop() {
      await handle?.close()
      if (handle) await rm(path, { force: true })
    },
  }
}
