/**
 * The last good copy of the database beside it, and what takes its place from there when it is damaged,
 * empty or gone: a box must not forget its sites and begin as a new one.
 */
import { copyFile, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncFolder } from '../../base/durable-file.ts'
import { codeOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import { createDatabase, type Database } from './database.ts'
import { keptIn, raiseNumbers } from './database-files.ts'
import { onDisk } from './durable.ts'
import { Corrupt, Full, Gone } from './errors.ts'
import { walDoubt } from './wal-doubt.ts'

export interface DatabaseCopies {
  /** Opens the database; from its copy where it cannot be read. @throws Corrupt, Gone where there is none */
  open(): Promise<void>
  /** Writes the copy anew and gives its path. One at a time. */
  snapshot(): Promise<string>
  /** Age of the copy in milliseconds; Infinity where there is none. */
  age(): Promise<number>
  /** What people should know: that the database was put back, until they remove the damaged one. */
  note(): Promise<string | undefined>
}

/**
 * How far numbers (BEP 44) are raised when some that were given out may have been forgotten: one that is
 * used twice splits a site in two.
 */
const LOST_NUMBERS = 1000
const KEPT_DAMAGED = 2

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.chmod(0o600)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
  })
}

async function remove(database: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm', '-journal'])
    await rm(database + suffix, { force: true })
}

export function createDatabaseCopies(
  db: Database,
  log: Log,
  /** Whether this box was used before: an empty database is only right on a new one. */
  isKnownBox: () => Promise<boolean>,
): DatabaseCopies {
  const { path } = db
  const copy = `${path}.snapshot`
  const damagedName = `${basename(path)}.damaged-`
  let running: Promise<string> | undefined

  async function damaged(): Promise<string[]> {
    const entries = await readdir(dirname(path))
    return entries.filter((one) => one.startsWith(damagedName) && !one.endsWith('-wal')).sort()
  }

  /** Made whole under another name first: killed at any moment, the next start does it again. */
  async function putBack(reason: string): Promise<void> {
    const fresh = `${path}.new`
    await remove(fresh)
    await copyFile(copy, fresh)
    const copied = createDatabase(fresh)
    await copied.open()
    try {
      raiseNumbers(copied, LOST_NUMBERS, [])
    } finally {
      copied.close()
    }
    await sync(fresh)
    const aside = join(dirname(path), damagedName + new Date().toISOString().replace(/[:.]/g, '-'))
    await renameIfThere(path, aside)
    await renameIfThere(`${path}-wal`, `${aside}-wal`)
    await rename(fresh, path)
    await syncFolder(dirname(path))
    const old = (await damaged()).slice(0, -KEPT_DAMAGED)
    for (const one of old) await remove(join(dirname(path), one))
    log.error(
      { database: path, reason, aside },
      'the database was put back from its last good copy: what changed since then has to be done again',
    )
  }

  /** Whether the copy has numbers or sites of this box that the open database has lost. */
  async function knowsMore(): Promise<boolean> {
    const copied = createDatabase(copy)
    await copied.open()
    try {
      const known = new Map(keptIn(db))
      return keptIn(copied).some(([name, seq]) => (known.get(name) ?? -1) < seq)
    } finally {
      copied.close()
    }
  }

  async function snapshot(): Promise<string> {
    const fresh = `${copy}.new`
    await remove(fresh)
    try {
      const made = await open(fresh, 'wx', 0o600)
      await made.close()
      await db.copyTo(fresh)
      const copied = createDatabase(fresh)
      // Reads it through, and leaves one file.
      await copied.open()
      copied.close()
      await sync(fresh)
      await rename(fresh, copy)
      await syncFolder(dirname(copy))
      return copy
    } catch (error) {
      await remove(fresh)
      throw error
    }
  }

  return {
    open: () =>
      onDisk(path, async () => {
        const hasCopy = ((await sizeOf(copy)) ?? 0) > 0
        const size = (await sizeOf(path)) ?? 0
        if (size === 0) {
          const reason = 'it is empty or gone'
          if (hasCopy) await putBack(reason)
          else if (await isKnownBox()) throw new Gone(path)
        }
        const doubt = await walDoubt(`${path}-wal`)
        try {
          await db.open()
        } catch (error) {
          if (!(error instanceof Corrupt) || !hasCopy) throw error
          await putBack(error.message)
          await db.open()
          return
        }
        if (doubt === undefined) return
        if (hasCopy && (await knowsMore())) {
          db.close()
          await putBack(doubt)
          await db.open()
          return
        }
        try {
          raiseNumbers(db, LOST_NUMBERS, [])
        } catch (error) {
          // A write that found the disk full breaks off as well: it was not acknowledged.
          if (!(error instanceof Full)) throw error
        }
        log.warn({ database: path, doubt }, 'the last changes of the database may be lost')
      }),
    async snapshot() {
      running ??= onDisk(copy, snapshot).finally(() => {
        running = undefined
      })
      return running
    },
    async age() {
      const { mtimeMs } = (await stat(copy).catch(() => undefined)) ?? {}
      // A clock that jumped makes it old.
      return mtimeMs === undefined ? Infinity : Math.abs(Date.now() - mtimeMs)
    },
    async note() {
      const last = (await damaged()).at(-1)
      if (last === undefined) return undefined
      return `the database was damaged and put back from its last good copy: look at your sites, then remove ${join(dirname(path), last)}`
    },
  }
}
