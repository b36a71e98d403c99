/** Open file descriptors for files that are read often, and buffers to read them with. */
import { close, open, read } from 'node:fs'
import { promisify } from 'node:util'
import type { Clock } from '../../base/ports/clock.ts'

export interface OpenFiles {
  /** The descriptor is good until the promise of `work` settles. */
  use<T>(path: string, work: (fd: number) => Promise<T>): Promise<T>
  /** Closes what nobody uses any more; called now and then. */
  sweep(): void
  closeAll(): Promise<void>
}

interface Entry {
  readonly fd: Promise<number>
  readonly openedAt: number
  users: number
  /** Taken out of the cache: the last user closes it. */
  isRetired: boolean
}

const openFile = promisify(open)
const closeFile = promisify(close)
const MAX_OPEN = 256
// A file that was replaced or removed is let go after so long, however often it is asked.
const MAX_AGE_MS = 30_000

export function createOpenFiles(clock: Clock): OpenFiles {
  const entries = new Map<string, Entry>()

  async function closeEntry(entry: Entry): Promise<void> {
    try {
      await closeFile(await entry.fd)
    } catch {
      // It never opened, or is closed already: the user was told when reading.
    }
  }

  async function retire(path: string, entry: Entry): Promise<void> {
    if (entries.get(path) === entry) entries.delete(path)
    entry.isRetired = true
    if (entry.users === 0) await closeEntry(entry)
  }

  function entryFor(path: string): Entry {
    const found = entries.get(path)
    if (found && clock.now() - found.openedAt < MAX_AGE_MS) return found
    if (found) void retire(path, found)
    if (entries.size >= MAX_OPEN) {
      const oldest = entries.entries().next()
      if (!oldest.done) void retire(...oldest.value)
    }
    const entry: Entry = {
      fd: openFile(path, 'r'),
      openedAt: clock.now(),
      users: 0,
      isRetired: false,
    }
    entries.set(path, entry)
    return entry
  }

  return {
    async use(path, work) {
      const entry = entryFor(path)
      entry.users++
      try {
        const fd = await entry.fd.catch(async (error: unknown) => {
          await retire(path, entry)
          throw error
        })
        return await work(fd)
      } finally {
        entry.users--
        if (entry.isRetired && entry.users === 0) void closeEntry(entry)
      }
    },
    sweep() {
      for (const [path, entry] of entries) {
        if (clock.now() - entry.openedAt >= MAX_AGE_MS) void retire(path, entry)
      }
    },
    async closeAll() {
      await Promise.all([...entries].map(async ([path, entry]) => retire(path, entry)))
    },
  }
}

/** Reads at most `buffer.length` bytes at `position`; 0 is the end of the file. */
export async function readAt(fd: number, buffer: Buffer, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, buffer.length, position, (error, bytesRead) => {
      if (error) reject(error)
      else resolve(bytesRead)
    })
  })
}

export interface BufferPool {
  readonly bufferBytes: number
  take(): Buffer
  /** Buffers of another size are left to the collector. */
  give(buffer: Buffer): void
  /** Keeps at most so many. */
  trim(keep: number): void
}

/** Buffers of one size, used again: fresh ones of this size cost more than the read into them. */
export function createBufferPool(bufferBytes: number, keep: number): BufferPool {
  const free: Buffer[] = []
  return {
    bufferBytes,
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(bufferBytes),
    give(buffer) {
      if (free.length < keep && buffer.length === bufferBytes) free.push(buffer)
    },
    trim(most) {
      free.length = Math.min(free.length, most)
    },
  }
}
