/** Files that survive a power cut: data first, then the name, then the folder that holds the name. */
import { open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the entries of a folder durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Gives what is already synced its name. */
export async function settle(partial: string, path: string): Promise<void> {
  await rename(partial, path)
  await syncFolder(dirname(path))
}

export async function replaceFile(path: string, bytes: Uint8Array | string): Promise<void> {
  const partial = `${path}.part`
  await rm(partial, { force: true })
  await writeFile(partial, bytes, { flag: 'wx', mode: 0o644, flush: true })
  await settle(partial, path)
}
