/** Databases at rest: copies in a backup, and what takes the place of a damaged one. */
import { fromHex, toHex } from '../../base/bytes.ts'
import { type InfoHash, infoHash, publicKey } from '../../base/hashes.ts'
import type { DatabaseFacts, DatabaseFiles, NameNumber } from '../../base/ports/state-database.ts'
import { createDatabase, type Database } from './database.ts'
import { Corrupt } from './errors.ts'

type Row = Record<string, unknown>

const bytesOf = (value: unknown): Uint8Array => Uint8Array.from(value as Uint8Array)

const OWN = `
  SELECT site.*, newest.seq, newest.info_hash FROM site
  LEFT JOIN version AS newest ON newest.public_key = site.public_key
    AND newest.salt = site.salt AND newest.seq = (
      SELECT max(seq) FROM version
      WHERE version.public_key = site.public_key AND version.salt = site.salt)
  WHERE key_name IS NOT NULL ORDER BY site.public_key, site.salt`
// Who was asked for a number signs for the name; so does whose key it has.
const NUMBERS = `
  SELECT public_key, salt, max(seq) AS seq FROM (
    SELECT public_key, salt, seq FROM reserved_seq
    UNION ALL SELECT public_key, salt, seq FROM version
      WHERE (public_key, salt) IN (SELECT public_key, salt FROM reserved_seq)
      OR (public_key, salt) IN (SELECT public_key, salt FROM site WHERE key_name IS NOT NULL))
  GROUP BY public_key, salt`
const RESERVE = `
  INSERT INTO reserved_seq (public_key, salt, seq) VALUES (?, ?, ?)
  ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)`
const VISITED = 'key_name IS NULL AND pinned = 0 AND watched = 0'
const KEPT = `SELECT public_key, salt FROM site WHERE NOT (${VISITED})`
const FORGET_VERSIONS = `
  DELETE FROM version WHERE (public_key, salt) NOT IN (SELECT public_key, salt FROM site)`
const NEEDED = 'SELECT info_hash FROM version UNION SELECT info_hash FROM pinned_torrent'

const numberOf = (row: Row): NameNumber => ({
  publicKey: publicKey(toHex(bytesOf(row['public_key']))),
  salt: bytesOf(row['salt']),
  seq: Number(row['seq'] ?? 0),
})

function ownOf(row: Row): DatabaseFacts['own'][number] {
  const { title, info_hash: hash } = row
  return {
    ...numberOf(row),
    keyName: String(row['key_name']),
    ...(typeof title === 'string' && { title }),
    ...(hash instanceof Uint8Array && { infoHash: infoHash(toHex(hash)) }),
  }
}

const countOf = (db: Database, where: string): number =>
  Number(db.get(`SELECT count(*) AS n FROM site WHERE ${where}`)?.['n'] ?? 0)

/** Highest number by name; 0 for sites of this box that have none, and for pins. */
export function keptIn(db: Database): [name: string, seq: number][] {
  const nameOf = (row: Row) => `${toHex(bytesOf(row['public_key']))}.${toHex(bytesOf(row['salt']))}`
  return [
    ...db.all(KEPT).map((row): [string, number] => [nameOf(row), 0]),
    ...db
      .all('SELECT info_hash FROM pinned_torrent')
      .map((row): [string, number] => [toHex(bytesOf(row['info_hash'])), 0]),
    ...db.all(NUMBERS).map((row): [string, number] => [nameOf(row), Number(row['seq'])]),
  ]
}

export function raiseNumbers(db: Database, gap: number, seen: readonly NameNumber[]): void {
  db.transaction(() => {
    for (const { publicKey: key, salt, seq } of seen) db.run(RESERVE, fromHex(key), salt, seq)
    for (const { publicKey: key, salt, seq } of db.all(NUMBERS).map(numberOf)) {
      db.run(RESERVE, fromHex(key), salt, Math.min(seq + gap, Number.MAX_SAFE_INTEGER - gap))
    }
  })
}

export function createDatabaseFiles(): DatabaseFiles {
  async function opened<Result>(path: string, work: (db: Database) => Result): Promise<Result> {
    const db = createDatabase(path)
    await db.open()
    try {
      return work(db)
    } finally {
      db.close()
    }
  }

  return {
    inspect: (path) =>
      opened(path, (db) => {
        const verdict = String(Object.values(db.get('PRAGMA integrity_check(1)') ?? {})[0])
        if (verdict !== 'ok') throw new Corrupt(path, verdict)
        return {
          own: db.all(OWN).map(ownOf),
          pinned: countOf(db, 'pinned = 1'),
          visited: countOf(db, VISITED),
        }
      }),
    numbers: (path) => opened(path, (db) => db.all(NUMBERS).map(numberOf)),
    raiseNumbers: (path, gap, seen) => opened(path, (db) => raiseNumbers(db, gap, seen)),
    forgetVisited: (path) =>
      opened(path, (db) => {
        const sites = db.transaction(() => {
          const gone = db.run(`DELETE FROM site WHERE ${VISITED}`)
          db.run(FORGET_VERSIONS)
          return gone
        })
        // What was deleted would stay readable in free pages.
        db.run('VACUUM')
        const needed = new Set<InfoHash>()
        for (const row of db.all(NEEDED)) needed.add(infoHash(toHex(bytesOf(row['info_hash']))))
        return { sites, needed }
      }),
  }
}
