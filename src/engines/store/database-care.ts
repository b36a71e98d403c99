/** Looking after state.db: whether it is whole, and giving back what it no longer uses. */
import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { codeOf, messageOf } from '../../base/errors.ts'
import { createDatabase, type Database } from './database.ts'

export interface DatabaseState {
  /** What `quick_check` says, a line each; none where every page is whole. */
  faults: string[]
  bytes: number
  freeBytes: number
}

export interface DatabaseCare {
  /** Undefined where there is none yet. */
  check(signal: AbortSignal): Promise<DatabaseState | undefined>
  /** Gives unused pages back; resolves to how many bytes that were. */
  compact(signal: AbortSignal): Promise<number>
}

const MAX_FAULTS = 10
/** Nobody waits longer than a few seconds for a look, and a daemon must not stand still for it. */
const MAX_CHECKED_BYTES = 256 * 1024 * 1024

const numberIn = (db: Database, pragma: string): number =>
  Number(Object.values(db.get(`PRAGMA ${pragma}`) ?? {})[0] ?? 0)

function sizesOf(db: Database): { bytes: number; freeBytes: number } {
  const pageBytes = numberIn(db, 'page_size')
  return {
    bytes: numberIn(db, 'page_count') * pageBytes,
    freeBytes: numberIn(db, 'freelist_count') * pageBytes,
  }
}

function look(db: Database): DatabaseState {
  const { bytes, freeBytes } = sizesOf(db)
  if (bytes > MAX_CHECKED_BYTES) return { faults: [], bytes, freeBytes }
  const lines = db
    .all(`PRAGMA quick_check(${MAX_FAULTS})`)
    .map((row) => String(Object.values(row)[0]))
  return { faults: lines.filter((line) => line !== 'ok'), bytes, freeBytes }
}

function pack(db: Database): number {
  const { bytes, freeBytes } = sizesOf(db)
  if (freeBytes === 0 || bytes > MAX_CHECKED_BYTES) return 0
  db.run('VACUUM')
  // Until then the new pages are in the log.
  db.get('PRAGMA wal_checkpoint(TRUNCATE)')
  return Math.max(0, bytes - sizesOf(db).bytes)
}

/** Of the database that the store has open. */
export function createDatabaseCare(db: Database): DatabaseCare {
  return {
    check: async () => (db.isOpen() ? look(db) : undefined),
    compact: async () => (db.isOpen() ? pack(db) : 0),
  }
}

/** Of a database that nobody has open: a look at it changes nothing, for it is at a copy. */
export function createRestingCare(path: string): DatabaseCare {
  async function lookAtCopy(folder: string, signal: AbortSignal): Promise<DatabaseState> {
    const { size } = await stat(path)
    if (size > MAX_CHECKED_BYTES) return { faults: [], bytes: size, freeBytes: 0 }
    const copy = join(folder, basename(path))
    for (const end of ['', '-wal']) {
      signal.throwIfAborted()
      await copyFile(path + end, copy + end).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error
      })
    }
    const db = createDatabase(copy)
    try {
      await db.open()
      return look(db)
    } catch (error) {
      if (codeOf(error) !== 'BTL_ERR_STORE_CORRUPT') throw error
      return { faults: [messageOf(error)], bytes: size, freeBytes: 0 }
    } finally {
      db.close()
    }
  }

  return {
    async check(signal) {
      if (!(await stat(path).catch(() => undefined))) return undefined
      const folder = await mkdtemp(join(tmpdir(), 'btlinkd-look-'))
      try {
        return await lookAtCopy(folder, signal)
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
    async compact() {
      if (!(await stat(path).catch(() => undefined))) return 0
      const db = createDatabase(path)
      await db.open()
      try {
        return pack(db)
      } finally {
        db.close()
      }
    },
  }
}
