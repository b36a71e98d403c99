/** `backup create`: a copy of the database from the daemon, or from the folder where none runs, and the files beside it. */
import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
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
import { argument, type VerbInput } from './verb.ts'

interface Box {
  stateDir: string
  paths: StorePaths
  config: BoxConfig
}

type Work = (database: string | undefined, signal: AbortSignal) => Promise<void>

const NEVER = new AbortController().signal

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

/** A box in mode proxy-only has no database, and takes no commands. */
async function withCopy(box: Box, work: Work): Promise<void> {
  const { stateDir, paths } = box
  try {
    const { file } = await ask<{ file: string }>(stateDir, 'POST', '/api/backup/snapshot')
    return await asOwner(stateDir, () => work(file, NEVER))
  } catch (error) {
    if (!(error instanceof NotRunning)) throw error
  }
  await requireFolder(stateDir)
  if (!(await isRunning(stateDir))) {
    return asOwner(stateDir, (asRoot) =>
      withBoxAtRest({ stateDir, mayStop: false, asRoot }, (signal) =>
        withOwnCopy(box, asRoot, work, signal),
      ),
    )
  }
  if (await isThere(paths.database)) {
    throw new Refused(`the btlinkd on ${stateDir} takes no commands: stop it first`)
  }
  return asOwner(stateDir, () => work(undefined, NEVER))
}

/** Newest versions of the sites of this box. */
async function ownTorrents(stateDir: string, database: string): Promise<InfoHash[]> {
  const folder = await mkdtemp(join(stateDir, '.backup-'))
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
  const out = await createBackupFile(file)
  let size = 0
  try {
    await withCopy({ stateDir, paths, config }, async (database, signal) => {
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
        signal,
      )
      for await (const piece of stream) {
        size += piece.length
        await out.write(piece)
      }
    })
    await out.commit()
    // On a full disk there is a backup all the same.
    await noteBackup(stateDir, Date.now()).catch(() => undefined)
  } catch (error) {
    await out.drop()
    throw error
  }
  input.print(describe(file, { ...report, size }), { file, size, ...report })
}
