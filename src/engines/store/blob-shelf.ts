/** The folder of blobs: who may put a file on it, and when one may go. */
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../../base/durable-file.ts'
import { codeOf } from '../../base/errors.ts'
import type { Sha256 } from '../../base/hashes.ts'
import { blobPath, type StoreLayout } from '../../base/layout.ts'
import type { StoredBlob } from '../../base/ports/store.ts'
import { linkFileOver } from './link-file.ts'
import { createLock, type Lock } from './lock.ts'

/**
 * A blob's owners are its links: the name under `blobs/` and one in every torrent folder. Between a
 * put and the link that follows it nobody owns it yet; `hold` counts those puts, so that removing
 * another torrent at that moment does not take the bytes away. Holds are forgotten by a restart,
 * and then nobody is between put and link.
 */
export interface BlobShelf {
  find(hash: Sha256): Promise<StoredBlob | undefined>
  /** The blob, if it is there whole and no power cut can take it back; so it need not be written again. */
  findDurable(hash: Sha256, length: number): Promise<StoredBlob | undefined>
  /** Moves the synced file `temp` on the shelf, or drops it where the blob is there already. */
  place(temp: string, hash: Sha256, length: number): Promise<StoredBlob>
  /** Puts a link to `path` on the shelf, or makes `path` a link to the blob that is there. */
  share(path: string, hash: Sha256, length: number): Promise<StoredBlob>
  hold(hash: Sha256): void
  release(hash: Sha256): void
  /** Removes the blob when no torrent and no put holds it. Call it under `lock`. */
  dropUnowned(hash: Sha256): Promise<void>
  /** Linking and removing take turns. */
  lock: Lock
}

export function createBlobShelf(layout: StoreLayout): BlobShelf {
  const holds = new Map<Sha256, number>()
  const syncedFolders = new Set<string>()
  // Shelves whose names, but for those being placed, are known to be durable.
  const cleanShelves = new Set<string>()
  const placing = new Map<Sha256, number>()

  async function sizeOf(path: string): Promise<number | undefined> {
    try {
      return (await stat(path)).size
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  async function makeShelf(folder: string): Promise<void> {
    if (syncedFolders.has(folder)) return
    await mkdir(folder, { recursive: true })
    await syncFolder(dirname(folder))
    syncedFolders.add(folder)
  }

  const lock = createLock()

  return {
    lock,
    async find(hash) {
      const path = blobPath(layout, hash)
      const length = await sizeOf(path)
      return length === undefined ? undefined : { sha256: hash, length, path }
    },
    async findDurable(hash, length) {
      const path = blobPath(layout, hash)
      // Looked for in turn, after the caller's hold: what is found is not being removed.
      const found = await lock(async () => (await sizeOf(path)) === length)
      if (!found || placing.has(hash)) return undefined
      const folder = dirname(path)
      if (!cleanShelves.has(folder)) {
        await syncFolder(folder)
        cleanShelves.add(folder)
      }
      return { sha256: hash, length, path }
    },
    place: async (temp, hash, length) => {
      const path = blobPath(layout, hash)
      placing.set(hash, (placing.get(hash) ?? 0) + 1)
      try {
        await lock(async () => {
          await makeShelf(dirname(path))
          // A blob of another length is the wreck of a broken disk: the new bytes take its place.
          if ((await sizeOf(path)) === length) await rm(temp)
          else await rename(temp, path)
        })
        // Outside the turn: it is slow, and also needed for a blob that another put has just placed.
        await syncFolder(dirname(path))
      } finally {
        const left = (placing.get(hash) ?? 0) - 1
        if (left > 0) placing.set(hash, left)
        else placing.delete(hash)
      }
      return { sha256: hash, length, path }
    },
    share: (file, hash, length) =>
      lock(async () => {
        const path = blobPath(layout, hash)
        await makeShelf(dirname(path))
        if ((await sizeOf(path)) === length) await linkFileOver(path, file, layout.torrents)
        else await linkFileOver(file, path, layout.blobs)
        await syncFolder(dirname(path))
        return { sha256: hash, length, path }
      }),
    hold(hash) {
      holds.set(hash, (holds.get(hash) ?? 0) + 1)
    },
    release(hash) {
      const left = (holds.get(hash) ?? 0) - 1
      if (left > 0) holds.set(hash, left)
      else holds.delete(hash)
    },
    async dropUnowned(hash) {
      if (holds.has(hash)) return
      const path = blobPath(layout, hash)
      try {
        if ((await stat(path)).nlink === 1) await rm(path, { force: true })
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
      }
    },
  }
}
