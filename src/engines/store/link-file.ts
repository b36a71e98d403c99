/** One more name for a blob's bytes; a copy where the file system has no hard links to give. */
import { constants } from 'node:fs'
import { chmod, copyFile, link, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../base/errors.ts'
import { NO_LINK, tempName } from './durable.ts'

/** Blobs never change: nobody is meant to open one for writing. */
export const BLOB_MODE = 0o444

async function copyDurably(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  await chmod(to, BLOB_MODE)
  const copy = await open(to, 'r')
  try {
    await copy.sync()
  } finally {
    await copy.close()
  }
}

/** Gives `from` the free name `to`. The caller makes the folder durable. */
export async function linkFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (!NO_LINK.has(codeOf(error) ?? '')) throw error
    await copyDurably(from, to)
  }
}

/**
 * Gives `from` the name `to` at once, whatever had it before, by way of a hidden name in
 * `tempFolder` of the same file system. The caller makes the folder durable.
 */
export async function linkFileOver(from: string, to: string, tempFolder: string): Promise<void> {
  const temp = join(tempFolder, tempName('link'))
  try {
    await linkFile(from, temp)
    await rename(temp, to)
  } finally {
    // Renaming one link of a file over another does nothing, and leaves the first (POSIX rename).
    await rm(temp, { force: true })
  }
}
