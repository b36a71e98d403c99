/** A file that is there whole or not at all, and that belongs to whom its folder belongs. */
import { randomBytes } from 'node:crypto'
import { open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const folder = dirname(path)
  const unfinished = join(folder, `.tmp-${randomBytes(9).toString('base64url')}`)
  try {
    const handle = await open(unfinished, 'wx', mode)
    try {
      await handle.writeFile(text)
      const { uid, gid } = await stat(folder)
      if (process.geteuid?.() === 0) await handle.chown(uid, gid)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
  await syncFolder(folder)
}
