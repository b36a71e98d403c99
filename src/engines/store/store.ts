/** The store: blobs and torrents on disk, sites in state.db, keys in their files. */
import { readdir, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf } from '../../base/errors.ts'
import { formatSize } from '../../base/units.ts'
import type { Health } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'
import type { ContentShelves, Store } from '../../base/ports/store.ts'
import { createBlobShelf } from './blob-shelf.ts'
import { createBlobStore } from './blob-store.ts'
import type { StoreConfig } from './config.ts'
import { storePaths } from './paths.ts'
import { createDatabase } from './database.ts'
import { createDatabaseCare, type DatabaseCare } from './database-care.ts'
import { createDatabaseCopies } from './database-copies.ts'
import { createFile, makeFolder, onDisk, sweep, tempName } from './durable.ts'
import { Full } from './errors.ts'
import { createKeyStore } from './key-store.ts'
import { createSiteStore } from './site-store.ts'
import { createTorrentFolders } from './torrent-folders.ts'

export interface StoreDeps {
  log: Log
}

/** A start has better things to do first. */
const FIRST_COPY_MS = 5000
const INFO_HASH = /^[0-9a-f]{40}$/

/** The shelves of content alone: for what comes to a box at rest, or goes from it. */
export function createContent(
  config: Omit<StoreConfig, 'history_limit' | 'site_limit'>,
): ContentShelves {
  const paths = storePaths(config)
  const shelf = createBlobShelf(paths)
  return {
    blobs: createBlobStore({ shelf, folder: paths.blobs, minFree: config.min_free }),
    torrents: createTorrentFolders(paths, shelf),
    async prepare() {
      for (const folder of [paths.blobs, paths.torrents]) {
        await onDisk(folder, () => makeFolder(folder, 0o755))
      }
    },
  }
}

export function createStore(
  { log }: StoreDeps,
  config: StoreConfig,
): Store & { care: DatabaseCare } {
  const paths = storePaths(config)
  const db = createDatabase(paths.database)
  const shelf = createBlobShelf(paths)
  const copies = createDatabaseCopies(db, log, async () => {
    const torrents = await readdir(paths.torrents).catch(() => [])
    return torrents.some((entry) => INFO_HASH.test(entry))
  })
  let timer: NodeJS.Timeout | undefined
  let copying: Promise<void> | undefined

  /** In the background: nobody waits for it, and a full disk is no reason to stop. */
  function copySoon(afterMs: number): void {
    if (timer || !db.isOpen()) return
    timer = setTimeout(() => {
      timer = undefined
      copying = copies.snapshot().then(
        () => {},
        (error: unknown) => {
          if (!db.isOpen()) return
          log.warn({ reason: messageOf(error) }, 'the database was not copied, trying again')
          copySoon(config.snapshot_interval)
        },
      )
    }, afterMs)
    timer.unref()
  }

  /** Says now, naming the folder, what the first upload would find out otherwise. */
  async function checkWritable(folder: string): Promise<void> {
    const probe = join(folder, tempName('tmp'))
    try {
      await onDisk(folder, () => createFile(probe, new Uint8Array(0), 0o600))
    } catch (error) {
      // A full disk still serves what is on it.
      if (!(error instanceof Full)) throw error
      log.warn({ folder }, 'the disk is full: nothing new is stored')
    }
    await rm(probe, { force: true })
  }

  async function prepareFolder(folder: string, mode: number): Promise<void> {
    const left = await onDisk(folder, async () => {
      await makeFolder(folder, mode)
      return sweep(folder)
    })
    if (left > 0) log.info({ folder, left }, 'removed what a crash left half done')
    await checkWritable(folder)
  }

  async function health(): Promise<Health> {
    if (!db.isOpen()) return { status: 'down', score: 0, detail: 'the store is not open' }
    const note = await copies.note().catch(() => undefined)
    const disk = await statfs(paths.blobs).catch(() => undefined)
    if (!disk) return { status: 'down', score: 0, detail: `cannot read ${paths.blobs}` }
    const free = disk.bavail * disk.bsize
    if (free < config.min_free) {
      const detail = `only ${formatSize(free)} free for ${paths.blobs}: nothing new is stored`
      return { status: 'degraded', score: 40, detail }
    }
    if (note !== undefined) return { status: 'degraded', score: 60, detail: note }
    return { status: 'ok', score: 100 }
  }

  return {
    name: 'store',
    blobs: createBlobStore({ shelf, folder: paths.blobs, minFree: config.min_free }),
    torrents: createTorrentFolders(paths, shelf),
    sites: createSiteStore(db, config, () => copySoon(config.snapshot_interval)),
    keys: createKeyStore(paths.keys, log),
    care: createDatabaseCare(db),
    async start(signal) {
      signal.throwIfAborted()
      // SQLite would only speak of a failed lock.
      await onDisk(dirname(paths.database), () => makeFolder(dirname(paths.database)))
      await checkWritable(dirname(paths.database))
      // Then this, because its lock keeps a second daemon from sweeping what this one is writing.
      await copies.open()
      try {
        for (const folder of [paths.blobs, paths.torrents]) await prepareFolder(folder, 0o755)
        await prepareFolder(paths.keys, 0o700)
      } catch (error) {
        db.close()
        throw error
      }
      if ((await copies.age()) === Infinity) {
        copySoon(Math.min(FIRST_COPY_MS, config.snapshot_interval))
      }
    },
    async stop() {
      clearTimeout(timer)
      timer = undefined
      db.close()
      await copying
    },
    async snapshot(signal) {
      signal?.throwIfAborted()
      return copies.snapshot()
    },
    health,
  }
}
