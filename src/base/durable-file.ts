/**
 * Files that survive a power cut whole: the data reaches the disk first, then the name, then the folder
 * that holds the name (fsync(2): a new name is not durable before its folder is synced).
 */
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the entries of a folder durable: what was created in it, renamed or removed. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Writes a whole file in place of whatever has that name; durable when it resolves. Where it fails,
 * the file is as it was before, but that the last step alone may have failed: then it may be either.
 * @param fresh a name in the same folder that nobody else uses meanwhile; `wx` where two may write
 */
export async function writeDurably(
  path: string,
  data: string | Uint8Array,
  { mode, fresh = `${path}.tmp`, flag = 'w' }: { mode: number; fresh?: string; flag?: 'w' | 'wx' },
): Promise<void> {
  try {
    const file = await open(fresh, flag, mode)
    try {
      await file.writeFile(data)
      // A failed fsync is never tried again: the kernel has thrown the pages away, and would say yes.
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => undefined)
    throw error
  }
  await syncFolder(dirname(path))
}
