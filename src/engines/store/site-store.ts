/** Sites, their signed history and the numbers given out, in state.db. The only SQL about sites. */
import { fromHex, toHex } from '../../base/bytes.ts'
import { type InfoHash, infoHash, type PublicKey, publicKey } from '../../base/hashes.ts'
import type { Site, SiteStore, SiteVersion } from '../../base/ports/store.ts'
import type { StorageConfig } from './config.ts'
import type { Database } from './database.ts'

type Row = Record<string, unknown>

const bytesOf = (value: unknown): Uint8Array => Uint8Array.from(value as Uint8Array)
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined
const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined

function siteOf(row: Row): Site {
  const keyName = textOf(row['key_name'])
  const title = textOf(row['title'])
  const folder = textOf(row['folder'])
  const lastVisitedAt = numberOf(row['last_visited_at'])
  return {
    publicKey: publicKey(toHex(bytesOf(row['public_key']))),
    salt: bytesOf(row['salt']),
    ...(keyName === undefined ? {} : { keyName }),
    ...(title === undefined ? {} : { title }),
    ...(folder === undefined ? {} : { folder }),
    watched: row['watched'] === 1,
    pinned: row['pinned'] === 1,
    ...(lastVisitedAt === undefined ? {} : { lastVisitedAt }),
  }
}

const versionOf = (row: Row): SiteVersion => ({
  publicKey: publicKey(toHex(bytesOf(row['public_key']))),
  salt: bytesOf(row['salt']),
  seq: Number(row['seq']),
  infoHash: infoHash(toHex(bytesOf(row['info_hash']))),
  value: bytesOf(row['value']),
  signature: bytesOf(row['signature']),
  firstSeenAt: Number(row['first_seen_at']),
  confirmedAt: Number(row['confirmed_at']),
})

const SAVE_SITE = `
  INSERT INTO site (public_key, salt, key_name, title, folder, watched, pinned, last_visited_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET key_name = excluded.key_name, title = excluded.title,
    folder = excluded.folder, watched = excluded.watched, pinned = excluded.pinned,
    last_visited_at = excluded.last_visited_at`
const VISIT = `
  INSERT INTO site (public_key, salt, last_visited_at) VALUES (?, ?, ?)
  ON CONFLICT DO UPDATE SET last_visited_at = excluded.last_visited_at`
// One visited site over the limit takes at most a few with it, so a walk through names stays cheap.
const FORGET_SITES = `
  DELETE FROM site WHERE (public_key, salt) IN (
    SELECT public_key, salt FROM site
    WHERE key_name IS NULL AND pinned = 0 AND watched = 0
    ORDER BY last_visited_at DESC LIMIT 16 OFFSET ?)
  RETURNING public_key, salt`
const REMEMBER = `
  INSERT INTO version (public_key, salt, seq, info_hash, value, signature, first_seen_at, confirmed_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
const FORGET_VERSIONS = `
  DELETE FROM version WHERE public_key = ? AND salt = ? AND seq < (
    SELECT seq FROM version WHERE public_key = ? AND salt = ?
    ORDER BY seq DESC LIMIT 1 OFFSET ?)`
const CONFIRM = `
  UPDATE version SET confirmed_at = ?
  WHERE public_key = ? AND salt = ? AND seq = ? AND confirmed_at < ?`
const HIGHEST = `
  SELECT max(seq) AS seq FROM (
    SELECT seq FROM version WHERE public_key = ? AND salt = ?
    UNION ALL SELECT seq FROM reserved_seq WHERE public_key = ? AND salt = ?)`
const RESERVE = `
  INSERT INTO reserved_seq (public_key, salt, seq) VALUES (?, ?, ?)
  ON CONFLICT DO UPDATE SET seq = excluded.seq`
const PIN = `
  INSERT INTO pinned_torrent (info_hash, title, added_at) VALUES (?, ?, ?)
  ON CONFLICT DO UPDATE SET title = coalesce(excluded.title, title)`

export function createSiteStore(
  db: Database,
  limits: Pick<StorageConfig, 'history_limit' | 'site_limit'>,
  /** Something changed that no network gives back: own sites, pins, numbers. */
  onKept: () => void = () => {},
): SiteStore {
  const name = (key: PublicKey, salt: Uint8Array): [Uint8Array, Uint8Array] => [fromHex(key), salt]

  /** Of the visited-only sites: own, pinned and watched ones stay whatever their number. */
  function forgetSites(): void {
    for (const row of db.all(FORGET_SITES, limits.site_limit)) {
      const key = bytesOf(row['public_key'])
      db.run('DELETE FROM version WHERE public_key = ? AND salt = ?', key, bytesOf(row['salt']))
    }
  }

  return {
    site(key, salt) {
      const row = db.get('SELECT * FROM site WHERE public_key = ? AND salt = ?', ...name(key, salt))
      return row && siteOf(row)
    },
    sites: () => db.all('SELECT * FROM site ORDER BY public_key, salt').map(siteOf),
    saveSite(site) {
      db.run(
        SAVE_SITE,
        ...name(site.publicKey, site.salt),
        site.keyName ?? null,
        site.title ?? null,
        site.folder ?? null,
        Number(site.watched),
        Number(site.pinned),
        site.lastVisitedAt ?? null,
      )
      onKept()
    },
    removeSite(key, salt) {
      onKept()
      db.transaction(() => {
        db.run('DELETE FROM site WHERE public_key = ? AND salt = ?', ...name(key, salt))
        // The history goes, the highest number it held does not.
        const highest = db.get(HIGHEST, ...name(key, salt), ...name(key, salt))?.['seq']
        if (typeof highest === 'number') db.run(RESERVE, ...name(key, salt), highest)
        db.run('DELETE FROM version WHERE public_key = ? AND salt = ?', ...name(key, salt))
      })
    },
    visited(key, salt, at) {
      db.transaction(() => {
        db.run(VISIT, ...name(key, salt), at)
        forgetSites()
      })
    },
    latest(key, salt) {
      const row = db.get(
        'SELECT * FROM version WHERE public_key = ? AND salt = ? ORDER BY seq DESC LIMIT 1',
        ...name(key, salt),
      )
      return row && versionOf(row)
    },
    versions: (key, salt) =>
      db
        .all(
          'SELECT * FROM version WHERE public_key = ? AND salt = ? ORDER BY seq DESC',
          ...name(key, salt),
        )
        .map(versionOf),
    remember: (version) =>
      db.transaction(() => {
        const added = db.run(
          REMEMBER,
          ...name(version.publicKey, version.salt),
          version.seq,
          fromHex(version.infoHash),
          version.value,
          version.signature,
          version.firstSeenAt,
          version.confirmedAt,
        )
        const owner = name(version.publicKey, version.salt)
        if (added > 0) db.run(FORGET_VERSIONS, ...owner, ...owner, limits.history_limit - 1)
        return added > 0
      }),
    confirmed(key, salt, seq, at) {
      db.run(CONFIRM, at, ...name(key, salt), seq, at)
    },
    reserveSeq(key, salt, seen) {
      onKept()
      return db.transaction(() => {
        const known = Number(db.get(HIGHEST, ...name(key, salt), ...name(key, salt))?.['seq'] ?? 0)
        const seq = Math.max(known, seen, 0) + 1
        db.run(RESERVE, ...name(key, salt), seq)
        return seq
      })
    },
    pinTorrent(hash, title, at) {
      db.run(PIN, fromHex(hash), title ?? null, at)
      onKept()
    },
    unpinTorrent(hash) {
      onKept()
      db.run('DELETE FROM pinned_torrent WHERE info_hash = ?', fromHex(hash))
    },
    pinnedTorrents: () => db.all('SELECT * FROM pinned_torrent ORDER BY added_at').map(pinOf),
  }
}

function pinOf(row: Row): { infoHash: InfoHash; title?: string; addedAt: number } {
  const title = textOf(row['title'])
  return {
    infoHash: infoHash(toHex(bytesOf(row['info_hash']))),
    ...(title === undefined ? {} : { title }),
    addedAt: Number(row['added_at']),
  }
}
