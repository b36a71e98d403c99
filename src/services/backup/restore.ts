/**
 * Makes a box what a backup says: reads the backup through, lays everything ready beside, and swaps. The
 * former state stays in `before-restore-<time>`; content on the disk stays where it is.
 */
import { constants, createWriteStream } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { codeOf, messageOf } from '../../base/errors.ts'
import { infoHash, type Sha256, sha256 } from '../../base/hashes.ts'
import type { DatabaseFiles, NameNumber } from '../../base/ports/state-database.ts'
import type { ContentShelves } from '../../base/ports/store.ts'
import { formatSize } from '../../base/units.ts'
import { Damaged, NoSpace, Unwritable } from './errors.ts'
import { MIN_DATABASE_BYTES } from './form.ts'
import { DATABASE_SUFFIXES, IDENTITY } from './inventory.ts'
import { decide, dropUndecided, exists, finishSwap, syncPath } from './swap.ts'
import { freshOf, newFolder, type Plan, readyFolder, writePlan, writeSynced } from './swap-plan.ts'
import { gather, type PackedFile, unpack } from './unpack.ts'
import { type Contents, seedMark, verifyBackup } from './verify.ts'

export interface RestoreDeps {
  databases: DatabaseFiles
  content: ContentShelves
}

export interface RestoreOptions {
  stateDir: string
  /** Path of the database: in the state folder, or where `storage.metadata_db` says. */
  database: string
  /** The configuration file that may be replaced. */
  config?: string | undefined
  /** The backup from its first byte; asked for twice. */
  open(): AsyncIterable<Uint8Array>
  passphrase: string
  /** Throws where the owner does not want it. */
  approve(contents: Contents, losses: Losses): Promise<void>
  /** Lays the configuration ready; gives where from and to, or undefined where it is only kept to be read. */
  stageConfig(text: string, formerFolder: string): Promise<{ from: string; to: string } | undefined>
  /** Runs the swap as one who may write all the places. */
  finish(work: () => Promise<void>): Promise<void>
}

/** What is on the box and not in the backup. */
export interface Losses {
  keys: string[]
  /** Why the present database cannot say which numbers it gave out. */
  unreadable?: string
}

export interface Restored extends Contents {
  /** Where the former state is; undefined where there was none. */
  former?: string
  configPlaced: boolean
}

/**
 * Numbers (BEP 44) given out after the backup was made are known to nobody here. A site that uses one
 * twice is two sites; so the next one is well above.
 */
const LOST_NUMBERS = 1000
const MARGIN_BYTES = 16 * 1024 * 1024

async function seedsIn(stateDir: string): Promise<Map<string, string>> {
  const seeds = new Map<string, string>()
  const folder = join(stateDir, 'keys')
  for (const entry of await readdir(folder).catch(() => [])) {
    if (!entry.endsWith('.key') || entry.startsWith('.')) continue
    // Not waiting: nobody writes into a pipe that lies there.
    const flag = constants.O_RDONLY | constants.O_NONBLOCK
    const text = await readFile(join(folder, entry), { encoding: 'utf8', flag }).catch(() => '')
    seeds.set(entry.slice(0, -'.key'.length), seedMark(text))
  }
  return seeds
}

async function checkSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= bytes + MARGIN_BYTES) return
  throw new NoSpace(formatSize(bytes + MARGIN_BYTES), folder, formatSize(bavail * bsize))
}

/** Puts blobs on the shelf and links them, as they come; both are no more than what their hashes say. */
function createContentTaker({ blobs, torrents }: RestoreDeps['content'], signal: AbortSignal) {
  // The one that was read last: each stands right before its list.
  let last: { torrent: string; info: Buffer } | undefined
  return async ({ part, rest, content }: PackedFile): Promise<void> => {
    if (part === 'blob') {
      const put = await blobs.put(content, { signal })
      if (put.sha256 !== rest) throw new Damaged(`blob ${rest} is another one`)
    } else if (part === 'info') last = { torrent: rest, info: await gather(content) }
    else {
      const info = last?.torrent === rest ? last.info : undefined
      last = undefined
      const lines = (await gather(content)).toString('latin1').split('\n').slice(0, -1)
      const hashes = lines.map((line): Sha256 | undefined =>
        line === '-' ? undefined : sha256(line),
      )
      if (info) await torrents.link(infoHash(rest), info, hashes)
    }
  }
}

async function formerNumbers(
  databases: DatabaseFiles,
  database: string,
): Promise<{ seen: NameNumber[]; unreadable?: string }> {
  const reasons: string[] = []
  for (const path of [database, `${database}.snapshot`]) {
    const size = (await stat(path).catch(() => undefined))?.size ?? 0
    if (size < MIN_DATABASE_BYTES) continue
    try {
      return { seen: await databases.numbers(path) }
    } catch (error) {
      reasons.push(messageOf(error))
    }
  }
  const [unreadable] = reasons
  return { seen: [], ...(unreadable !== undefined && { unreadable }) }
}

/** Every folder below, deepest first: a name is only as durable as the folder that holds it. */
async function syncBelow(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncBelow(join(folder, entry.name))
  }
  await syncPath(folder)
}

/** A clock that stands or goes back gives a time twice: what is there is the only copy of something. */
async function freeName(path: string): Promise<string> {
  let name = path
  for (let number = 2; await exists(name); number++) name = `${path}-${number}`
  return name
}

function planOf(options: RestoreOptions, former: string): Plan {
  const { stateDir, database } = options
  const inState = dirname(database) === stateDir
  const stamp = former.slice(former.lastIndexOf('before-restore-'))
  const databaseAway = (suffix: string) =>
    inState ? join(former, `state.db${suffix}`) : `${database}.${stamp}${suffix}`
  return {
    former,
    away: [
      ...IDENTITY.map((name) => ({ from: join(stateDir, name), to: join(former, name) })),
      ...DATABASE_SUFFIXES.map((suffix) => ({
        from: database + suffix,
        to: databaseAway(suffix),
      })),
    ],
    place: [
      ...IDENTITY.map((name) => ({
        from: join(readyFolder(stateDir), 'new', name),
        to: join(stateDir, name),
      })),
      { from: freshOf(database), to: database },
    ],
  }
}

/**
 * Nobody else may be at the state: the caller holds its locks.
 * @throws NotABackup, BadPassphrase, TooNew, Damaged, NoSpace, Unwritable, and then nothing has changed
 */
export async function restoreBox(
  deps: RestoreDeps,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<Restored> {
  const { stateDir, database, passphrase } = options
  const staging = newFolder(stateDir)
  // In local time nobody could sort them.
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const former = await freeName(join(stateDir, `before-restore-${time}`))
  const fresh = join(staging, 'new')
  const freshDatabase = freshOf(database)
  const places = { database, config: options.config }
  const asRoot = (work: () => Promise<void>) => options.finish(work)

  async function stage({ part, rest, content }: PackedFile): Promise<void> {
    if (part !== 'state' && part !== 'database') return
    const path = part === 'database' ? freshDatabase : join(fresh, rest)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const mode = rest.endsWith('.pem') && rest.startsWith('pki/') ? 0o644 : 0o600
    await pipeline(content, createWriteStream(path, { mode, flush: true }), { signal })
  }

  async function layReady(contents: Contents): Promise<boolean> {
    const plan = planOf(options, former)
    await writePlan(stateDir, plan)
    if (contents.torrents.length > 0) await deps.content.prepare()
    const takeContent = createContentTaker(deps.content, signal)
    const take = (file: PackedFile) =>
      file.part === 'state' || file.part === 'database' ? stage(file) : takeSite(file)
    const takeSite = async (file: PackedFile): Promise<void> => {
      if (file.part === 'blob' || file.part === 'info' || file.part === 'blobs') {
        await takeContent(file)
      }
    }
    await unpack({ sealed: options.open(), passphrase }, take, signal)
    if (contents.databaseBytes > 0) {
      const { seen } = await formerNumbers(deps.databases, database)
      await deps.databases.raiseNumbers(freshDatabase, LOST_NUMBERS, seen)
      await syncPath(freshDatabase)
      await syncPath(dirname(freshDatabase))
    }
    await mkdir(former, { mode: 0o700 })
    const config =
      contents.config === undefined ? undefined : await options.stageConfig(contents.config, former)
    if (config) {
      plan.place.push(config)
      await writePlan(stateDir, plan)
    } else if (contents.config !== undefined) {
      const kept = 'configuration-from-backup.yaml'
      await mkdir(fresh, { recursive: true, mode: 0o700 })
      await writeSynced(join(fresh, kept), contents.config, 0o600)
      plan.place.push({ from: join(readyFolder(stateDir), 'new', kept), to: join(stateDir, kept) })
      await writePlan(stateDir, plan)
    }
    await syncBelow(staging)
    await syncPath(former)
    return config !== undefined
  }

  let decided = false
  try {
    await dropUndecided(stateDir, places, asRoot)
    await mkdir(staging, { mode: 0o700 })
    const contents = await verifyBackup(
      deps.databases,
      { sealed: options.open(), passphrase },
      staging,
      signal,
    )
    await checkSpace(stateDir, contents.bytes)
    const present = await seedsIn(stateDir)
    const known = new Set(contents.keys.values())
    const keys = [...present].filter(([, mark]) => !known.has(mark)).map(([name]) => name)
    const { unreadable } = await formerNumbers(deps.databases, database)
    await options.approve(contents, { keys, ...(unreadable !== undefined && { unreadable }) })
    const configPlaced = await layReady(contents)
    await decide(stateDir)
    decided = true
    await options.finish(async () => void (await finishSwap(stateDir, places)))
    const isEmpty = (await readdir(former)).length === 0
    if (isEmpty) await rm(former, { recursive: true, force: true })
    return { ...contents, configPlaced, ...(!isEmpty && { former }) }
  } catch (error) {
    if (!decided) {
      await dropUndecided(stateDir, places, asRoot).catch(() => {})
      await rm(former, { recursive: true, force: true })
    }
    const code = codeOf(error)
    if (code === undefined || code.startsWith('BTL_ERR_') || signal.aborted) throw error
    throw new Unwritable(stateDir, code, { cause: error })
  }
}
