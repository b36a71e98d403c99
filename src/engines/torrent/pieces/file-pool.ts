/** Open files of all torrents, the least recently used closed first: a torrent of 10,000 files needs few descriptors. */
import { constants } from 'node:fs'
import { copyFile, type FileHandle, lstat, open, rename, rm } from 'node:fs/promises'
import { codeOf } from '../../../base/errors.ts'

const MAX_OPEN = 128

interface Entry {
  path: string
  writable: boolean
  handle: Promise<FileHandle>
  users: number
  /** Written since the last sync. */
  dirty: boolean
}

export interface FilePool {
  read<Result>(path: string, use: (file: FileHandle) => Promise<Result>): Promise<Result>
  /** Opens for writing; a file that has other names is copied first, so that they keep their bytes. */
  write<Result>(path: string, use: (file: FileHandle) => Promise<Result>): Promise<Result>
  /** Brings what was written below `folder` to the disk. */
  sync(folder: string): Promise<void>
  /** Closes what lies below `folder`, or everything. */
  close(folder?: string): Promise<void>
}

/** A blob of the store is a hard link: whoever writes gets its own copy. */
async function ownCopy(path: string): Promise<void> {
  let links: number
  try {
    const stat = await lstat(path)
    links = stat.isFile() ? stat.nlink : 1
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  if (links < 2) return
  const copy = `${path}.copy`
  await rm(copy, { force: true })
  await copyFile(path, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  await rename(copy, path)
}

export function createFilePool(maxOpen = MAX_OPEN): FilePool {
  const entries = new Map<string, Entry>()

  // NOFOLLOW: a symbolic link in the folder is none of ours.
  async function openReading(path: string): Promise<FileHandle> {
    return open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  }
  async function openWriting(path: string): Promise<FileHandle> {
    await ownCopy(path)
    return open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o640)
  }

  async function shut(entry: Entry): Promise<void> {
    if (entries.get(entry.path) === entry) entries.delete(entry.path)
    try {
      const file = await entry.handle
      if (entry.dirty) await file.datasync()
      await file.close()
    } catch {
      // A file that never opened has nothing to close; a failed close leaves nothing to do.
    }
  }

  async function evict(): Promise<void> {
    for (const entry of entries.values()) {
      if (entries.size <= maxOpen) return
      if (entry.users === 0) await shut(entry)
    }
  }

  async function use<Result>(
    path: string,
    writable: boolean,
    work: (file: FileHandle) => Promise<Result>,
  ): Promise<Result> {
    let entry = entries.get(path)
    if (entry && writable && !entry.writable) {
      // Readers of the old descriptor go on; it is closed when the last of them leaves.
      entries.delete(path)
      if (entry.users === 0) await shut(entry)
      entry = entries.get(path)
    }
    if (entry) {
      entries.delete(path)
      entries.set(path, entry)
    } else {
      const handle = writable ? openWriting(path) : openReading(path)
      handle.catch(() => {})
      entry = { path, writable, handle, users: 0, dirty: false }
      entries.set(path, entry)
    }
    const current = entry
    current.users++
    try {
      const result = await work(await current.handle)
      if (writable) current.dirty = true
      return result
    } catch (error) {
      if (entries.get(path) === current) entries.delete(path)
      throw error
    } finally {
      current.users--
      if (current.users === 0 && entries.get(path) !== current) await shut(current)
      if (entries.size > maxOpen) await evict()
    }
  }

  const below = (folder: string | undefined) =>
    [...entries.values()].filter(
      (entry) => folder === undefined || entry.path.startsWith(`${folder}/`),
    )

  return {
    read: async (path, work) => use(path, false, work),
    write: async (path, work) => use(path, true, work),
    async sync(folder) {
      for (const entry of below(folder)) {
        if (!entry.dirty) continue
        entry.dirty = false
        entry.users++
        try {
          await (await entry.handle).datasync()
        } finally {
          entry.users--
        }
      }
    },
    async close(folder) {
      await Promise.all(below(folder).map(shut))
    },
  }
}
