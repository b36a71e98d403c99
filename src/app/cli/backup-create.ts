/** `backup create`: a copy of the database from the daemon, or from the folder where none runs, and the files beside it. */
import { constants } from 'node:fs'
import { access, copyFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { codeOf } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import { formatSize } from '../../base/units.ts'
import {
  createDatabaseFiles,
  createStore,
  type StorePaths,
  storePaths,
} from '../../engines/store/index.ts'
import { dropUndecided, type Packed, packBox } from '../../services/backup/index.ts'
import { noteBackup } from '../../services/doctor/index.ts'
import { createLog } from '../log-lines.ts'
import { isRunning } from '../run-folder.ts'
import { requireSettled } from '../settled.ts'
import { version } from '../version.ts'
import { ask, NotRunning, Refused } from './admin-client.ts'
import { asOwner } from './as-owner.ts'
import { type BoxConfig, readBoxConfig } from './backup-config.ts'
import { createBackupFile } from './backup-file.ts'
import { backupPassphrase } from './backup-passphrase.ts'
import { requireFolder, withBoxAtRest } from './box-at-rest.ts'
import { untilGivenUp } from './given-up.ts'
import { argument, type VerbInput } from './verb.ts'

interface Box {
  stateDir: string
  paths: StorePaths
  config: BoxConfig
}

type Work = (database: string | undefined, signal: AbortSignal) => Promise<void>

const SCRATCH = 'btlinkd-backup-'

const isThere = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined

/** Nobody else is at it: what the last daemon left is read, and put right where it has to be. */
async function withOwnCopy(
  { stateDir, paths, config }: Box,
  asRoot: (work: () => Promise<void>) => Promise<void>,
  work: Work,
  signal: AbortSignal,
): Promise<void> {
  requireSettled(stateDir)
  const places = { database: paths.database, config: config.file }
  await dropUndecided(stateDir, places, asRoot)
  if (!(await isThere(paths.database)) && !(await isThere(`${paths.database}.snapshot`))) {
    return work(undefined, signal)
  }
  const store = createStore(
    { log: createLog('backup', { level: 'warn', format: 'text' }) },
    { ...config.config.storage, stateDir },
  )
  await store.start(AbortSignal.timeout(60_000))
  try {
    await work(await store.snapshot(), signal)
  } finally {
    await store.stop()
  }
}

/** access(2): as no mode of the folder makes it, for root as for anybody. */
const isReadOnly = (folder: string): Promise<boolean> =>
  access(folder, constants.W_OK).then(
    () => false,
    (error: unknown) => codeOf(error) === 'EROFS',
  )

/** A copy in `folder` of the database with what its log holds, else of its own last copy; undefined where there is none. */
async function copyInto(folder: string, database: string): Promise<string | undefined> {
  const failures: unknown[] = []
  for (const source of [database, `${database}.snapshot`]) {
    if (!(await isThere(source))) continue
    const copy = join(folder, basename(source))
    try {
      for (const suffix of ['', '-wal', '-journal']) {
        if (await isThere(source + suffix)) await copyFile(source + suffix, copy + suffix)
      }
      await createDatabaseFiles().inspect(copy)
      return copy
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return undefined
}

/** Nobody can write to it any more, so nobody has to be asked or to rest; nor can a copy be made there. */
async function withCopyElsewhere(database: string, work: Work, signal: AbortSignal): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), SCRATCH))
  try {
    await work(await copyInto(folder, database), signal)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A box in mode proxy-only has no database, and takes no commands. */
async function withCopy(box: Box, work: Work, signal: AbortSignal): Promise<void> {
  const { stateDir, paths } = box
  if (await isReadOnly(stateDir)) {
    return asOwner(stateDir, () => withCopyElsewhere(paths.database, work, signal))
  }
  try {
    const { file } = await ask<{ file: string }>(stateDir, 'POST', '/api/backup/snapshot')
    return await asOwner(stateDir, () => work(file, signal))
  } catch (error) {
    if (!(error instanceof NotRunning)) throw error
  }
  await requireFolder(stateDir)
  if (!(await isRunning(stateDir))) {
    return asOwner(stateDir, (asRoot) =>
      withBoxAtRest({ stateDir, mayStop: false, asRoot }, (resting) =>
        withOwnCopy(box, asRoot, work, resting),
      ),
    )
  }
  if (await isThere(paths.database)) {
    throw new Refused(`the btlinkd on ${stateDir} takes no commands: stop it first`)
  }
  return asOwner(stateDir, () => work(undefined, signal))
}

/** Newest versions of the sites of this box. */
async function ownTorrents(stateDir: string, database: string): Promise<InfoHash[]> {
  const folder = await mkdtemp(
    (await isReadOnly(stateDir)) ? join(tmpdir(), SCRATCH) : join(stateDir, '.backup-'),
  )
  try {
    const copy = join(folder, 'state.db')
    await copyFile(database, copy)
    const { own } = await createDatabaseFiles().inspect(copy)
    return own.flatMap(({ infoHash }) => infoHash ?? [])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function describe(file: string, done: Packed & { size: number }): string {
  const lines = [
    `${file}: ${done.files} files, ${formatSize(done.size)}, opened by the passphrase alone`,
    'Keep it, and the passphrase apart from it, somewhere else. `btlinkd backup verify` reads it through.',
  ]
  if (done.partial.length > 0) {
    lines.push(`not whole on this box, and left out: ${done.partial.join(', ')}`)
  }
  if (done.strangers.length > 0)
    lines.push(`not of btlinkd, and left out: ${done.strangers.join(', ')}`)
  return lines.join('\n')
}

export async function createBackup(input: VerbInput): Promise<void> {
  const file = argument(input, 1)
  const stateDir = await input.stateDir()
  const config = await readBoxConfig(input.flags)
  await requireFolder(stateDir)
  const passphrase = await backupPassphrase(input.flags, true)
  const paths = storePaths({ ...config.config.storage, stateDir })
  const report: Packed = { files: 0, bytes: 0, strangers: [], partial: [] }
  let size = 0
  async function make(signal: AbortSignal): Promise<void> {
    const out = await createBackupFile(file)
    const pack: Work = async (database, until) => {
      const wanted = input.flags['include-sites'] === true && database !== undefined
      const stream = packBox(
        {
          stateDir,
          database,
          layout: paths,
          config: config.text,
          torrents: wanted ? await ownTorrents(stateDir, database) : [],
          head: { made: Date.now(), btlinkd: version(), host: hostname() },
          passphrase,
        },
        report,
        until,
      )
      for await (const piece of stream) {
        size += piece.length
        await out.write(piece)
      }
    }
    try {
      await withCopy({ stateDir, paths, config }, pack, signal)
      await out.commit()
    } catch (error) {
      await out.drop()
      throw error
    }
  }
  await untilGivenUp(make)
  // On a full disk there is a backup all the same.
  await noteBackup(stateDir, Date.now()).catch(() => undefined)
  input.print(describe(file, { ...report, size }), { file, size, ...report })
}
