/**
 * Files that survive a power cut whole: the data reaches the disk first, then the name, then the folder
 * that holds the name (fsync(2): a new name is not durable before its folder is synced). Linux gives a
 * renamed file of FAT a new entry that says it is empty, and its size only when the file is synced again.
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from './errors.ts'

/** Makes the entries of a folder durable: what was created in it, renamed or removed. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } catch (error) {
    // FAT has nothing to sync for a folder on some kernels.
    if (codeOf(error) !== 'EINVAL') throw error
  } finally {
    await handle.close()
  }
}

/** Makes the name durable of a file, whose data is already synced, that another program has just named. */
export async function syncName(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
  await syncFolder(dirname(path))
}

/** Gives what is already synced its name. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncName(to)
}

export interface DurableOptions {
  /** Less what the umask takes. */
  mode: number
  /** A name in the same folder that nobody else uses meanwhile. */
  fresh?: string
  /** `wx` where two may write, or others have planted that name. */
  flag?: 'w' | 'wx'
  /** What is due before the file is synced and named: its owner, its exact mode. */
  prepare?: (file: FileHandle) => Promise<void>
}

/**
 * Writes a whole file in place of whatever has that name; durable when it resolves. Where it fails,
 * the file is as it was before, but that the last step alone may have failed: then it may be either.
 */
export async function writeDurably(
  path: string,
  data: string | Uint8Array,
  { mode, fresh = `${path}.tmp`, flag = 'w', prepare }: DurableOptions,
): Promise<void> {
  try {
    const file = await open(fresh, flag, mode)
    try {
      await file.writeFile(data)
      await prepare?.(file)
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
  await syncName(path)
}
