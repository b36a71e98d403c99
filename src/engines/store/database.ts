/** state.db: opened alone, brought to the present form, and every failure given the room's name. */
import { dirname } from 'node:path'
import Sqlite from 'better-sqlite3'
import { codeOf, messageOf } from '../../base/errors.ts'
import { makeFolder, onDisk } from './durable.ts'
import { Closed, Corrupt, Disk, Full, InUse, TooNew, Unwritable } from './errors.ts'
import { MIGRATIONS } from './migrations.ts'

type Row = Record<string, unknown>
export type Bound = string | number | null | Uint8Array

export interface Database {
  readonly path: string
  open(): Promise<void>
  close(): void
  isOpen(): boolean
  /** Runs a statement that returns no rows; gives how many rows it changed. */
  run(sql: string, ...values: Bound[]): number
  get(sql: string, ...values: Bound[]): Row | undefined
  all(sql: string, ...values: Bound[]): Row[]
  /** All of `work` is committed, on disk, when this returns; or nothing of it. */
  transaction<Result>(work: () => Result): Result
  /** Writes all of it as it is at the end of this into the empty or absent file `copy`. */
  copyTo(copy: string): Promise<void>
}

// Longer than a supervisor takes to reap the role that held the lock before.
const LOCK_WAIT_MS = 2000
// A check of a larger file would hold up the start for seconds.
const CHECK_BELOW_PAGES = 8192

/** What a failed SQLite call on `path` is called outside the room. */
function sqliteFailure(error: unknown, path: string): unknown {
  const code = codeOf(error) ?? ''
  const cause = { cause: error }
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB')
    return new Corrupt(path, messageOf(error), cause)
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
    return new InUse(path, cause)
  if (code === 'SQLITE_FULL') return new Full(path, cause)
  if (code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_READONLY'))
    return new Unwritable(path, code, cause)
  if (code.startsWith('SQLITE_IOERR')) return new Disk(path, code, cause)
  return error
}

function migrate(db: Sqlite.Database, path: string): void {
  const version = Number(db.pragma('user_version', { simple: true }))
  if (version > MIGRATIONS.length) throw new TooNew(path, version, MIGRATIONS.length)
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < version) continue
    db.transaction(() => {
      db.exec(sql)
      db.pragma(`user_version = ${index + 1}`)
    }).exclusive()
  }
}

function prepare(db: Sqlite.Database, path: string): void {
  // Before journal_mode, so that the WAL index stays in memory and nobody else gets in.
  db.pragma('locking_mode = EXCLUSIVE')
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.pragma('foreign_keys = ON')
  // A lock that is only taken by the first write would let two daemons start.
  db.transaction(() => {}).exclusive()
  if (Number(db.pragma('page_count', { simple: true })) < CHECK_BELOW_PAGES) {
    const verdict = String(db.pragma('quick_check(1)', { simple: true }))
    if (verdict !== 'ok') throw new Corrupt(path, verdict)
  }
  migrate(db, path)
}

export function createDatabase(path: string): Database {
  let db: Sqlite.Database | undefined
  let statements = new Map<string, Sqlite.Statement>()

  function guarded<Result>(work: (db: Sqlite.Database) => Result): Result {
    if (!db) throw new Closed()
    try {
      return work(db)
    } catch (error) {
      throw sqliteFailure(error, path)
    }
  }

  function statement(open: Sqlite.Database, sql: string): Sqlite.Statement {
    const known = statements.get(sql)
    if (known) return known
    const made = open.prepare(sql)
    statements.set(sql, made)
    return made
  }

  return {
    path,
    isOpen: () => db !== undefined,
    async open() {
      await onDisk(path, () => makeFolder(dirname(path)))
      let opened: Sqlite.Database | undefined
      try {
        opened = new Sqlite(path, { timeout: LOCK_WAIT_MS })
        prepare(opened, path)
      } catch (error) {
        opened?.close()
        throw sqliteFailure(error, path)
      }
      db = opened
    },
    close() {
      db?.close()
      db = undefined
      statements = new Map()
    },
    run: (sql, ...values) => guarded((open) => statement(open, sql).run(...values).changes),
    get: (sql, ...values) =>
      guarded((open) => statement(open, sql).get(...values) as Row | undefined),
    all: (sql, ...values) => guarded((open) => statement(open, sql).all(...values) as Row[]),
    transaction: (work) => guarded((open) => open.transaction(work).immediate()),
    async copyTo(copy) {
      try {
        await guarded((open) => open.backup(copy))
      } catch (error) {
        throw sqliteFailure(error, path)
      }
    },
  }
}
