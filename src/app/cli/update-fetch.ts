/** The half of `update` that meets the outside: as the daemon's user, never as root. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf } from '../../base/errors.ts'
import {
  folderSource,
  NOTES,
  openRelease,
  parsePublicKey,
  readNotes,
} from '../../services/update/index.ts'
import { createRunFolder, StateInUse } from '../run-folder.ts'
import { ask, Refused } from './admin-client.ts'
import { ownerOf, type UpdateParts } from './update-parts.ts'
import type { Flags } from './verb.ts'

const DAY_MS = 24 * 60 * 60_000
// Half a gigabyte over a slow line.
const FETCH_MS = 6 * 60 * 60_000
// A run of the timer that comes some minutes early is the run it was meant to be.
const EARLY_MS = 10 * 60_000
// Nobody is waited for; the folder of the lock may have to be made.
const TURN_MS = 10_000

export interface FetchedView {
  version: string
  where: string
  fetchedBytes: number
  totalBytes: number
  /** Whether the box gives the whole release to others from now on; why not, where it does not. */
  seeds: boolean
  seedsNot?: string
}

async function seed(parts: UpdateParts): Promise<Pick<FetchedView, 'seeds' | 'seedsNot'>> {
  const { config, site, stateDir } = parts
  if (!config.seed || site === undefined) return { seeds: false }
  try {
    await ask(stateDir, 'POST', `/api/sites/${encodeURIComponent(site)}/pin`)
    return { seeds: true }
  } catch (error) {
    // The update does not depend on what the box does for others.
    return { seeds: false, seedsNot: messageOf(error) }
  }
}

/** Two at once would write into the same parts of files. @throws Refused */
async function alone<Result>(stateDir: string, work: () => Promise<Result>): Promise<Result> {
  const turn = createRunFolder(stateDir, 'update', 0)
  await turn.start(AbortSignal.timeout(TURN_MS)).catch((error: unknown) => {
    throw error instanceof StateInUse
      ? new Refused('another `btlinkd update` fetches now: wait until it is done')
      : error
  })
  try {
    return await work()
  } finally {
    await turn.stop()
  }
}

async function fetchNow(
  parts: UpdateParts,
  options: { allowDowngrade: boolean },
  signal: AbortSignal,
): Promise<FetchedView> {
  const done = await parts.updater.fetch(parts.sources, options, signal)
  const { version, fetchedBytes, totalBytes, source } = done
  const seeding = source.kind === 'site' ? await seed(parts) : { seeds: false }
  return { version, where: source.where, fetchedBytes, totalBytes, ...seeding }
}

export const fetchHere = (
  parts: UpdateParts,
  options: { allowDowngrade: boolean },
  signal: AbortSignal,
): Promise<FetchedView> => alone(parts.stateDir, () => fetchNow(parts, options, signal))

/** Runs `update fetch` as the owner of the state. */
async function fetchAs(
  owner: { uid: number; gid: number },
  args: readonly string[],
  signal: AbortSignal,
): Promise<FetchedView> {
  const [, main = ''] = process.argv
  const command = [...process.execArgv, main, 'update', 'fetch', '--json', ...args]
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      command,
      { ...owner, timeout: FETCH_MS, signal },
      (error, stdout, stderr) => {
        if (!error) resolve(JSON.parse(stdout) as FetchedView)
        else if (signal.aborted) reject(signal.reason)
        else reject(new Refused(stderr.trim().replace(/^btlinkd update: /, '') || error.message))
      },
    )
  })
}

/** Fetches as whoever has to. */
export async function fetchAsOwner(
  parts: UpdateParts,
  flags: Flags,
  signal: AbortSignal,
): Promise<FetchedView> {
  const allowDowngrade = flags['allow-downgrade'] === true
  const owner = await ownerOf(parts.stateDir)
  if (!owner) return fetchHere(parts, { allowDowngrade }, signal)
  const config = typeof flags['config'] === 'string' ? ['--config', flags['config']] : []
  const downgrade = allowDowngrade ? ['--allow-downgrade'] : []
  return fetchAs(owner, ['--state', parts.stateDir, ...config, ...downgrade], signal)
}

async function lastCheck(path: string): Promise<number> {
  try {
    const { at } = JSON.parse(await readFile(path, 'utf8')) as { at?: unknown }
    return typeof at === 'string' ? Date.parse(at) || 0 : 0
  } catch {
    return 0
  }
}

/** What the timer runs: nothing until a check is due, and nothing twice. */
export async function fetchAutomatically(
  parts: UpdateParts,
  signal: AbortSignal,
): Promise<FetchedView | { done: string }> {
  const { config, folders, stateDir } = parts
  if (!config.automatic || config.checks_per_day === 0) return { done: 'updates are not automatic' }
  const now = Date.now()
  const last = await lastCheck(folders.checked)
  // A clock that was set back must not keep the box from looking.
  const isDue = last > now || now - last >= DAY_MS / config.checks_per_day - EARLY_MS
  if (!isDue) return { done: 'no check is due' }
  // Root is about to take it: another look must not change it meanwhile.
  if (existsSync(folders.request)) return { done: 'what was fetched is to be installed now' }
  return alone(stateDir, () => lookAndFetch(parts, now, signal))
}

async function lookAndFetch(
  parts: UpdateParts,
  now: number,
  signal: AbortSignal,
): Promise<FetchedView | { done: string }> {
  const { folders, updater, sources, image } = parts
  const reports = await updater.check(sources, signal)
  await mkdir(dirname(folders.checked), { recursive: true, mode: 0o750 })
  await writeFile(folders.checked, JSON.stringify({ at: new Date(now).toISOString(), reports }))
  const { slots } = await readNotes(join(folders.install, NOTES))
  const here = new Set([image?.version, ...slots.map((slot) => slot.version)])
  const fresh = reports.some(
    ({ version, whyNot }) => version !== undefined && whyNot === undefined && !here.has(version),
  )
  if (fresh) return fetchNow(parts, { allowDowngrade: false }, signal)
  const silent = reports.filter(({ version }) => version === undefined)
  // What was fetched is installed by now, or withdrawn; a source that is away says neither.
  if (silent.length === 0) await rm(folders.fetched, { recursive: true, force: true })
  return { done: ['nothing new', ...silent.flatMap(({ whyNot }) => whyNot ?? [])].join('; ') }
}

/** The version that lies fetched and whole, though not verified again yet. */
export async function fetchedVersion(
  { folders, config }: UpdateParts,
  signal: AbortSignal,
): Promise<string | undefined> {
  const key = parsePublicKey(await readFile(config.key, 'utf8'))
  if (!key) return undefined
  return openRelease(folderSource(folders.fetched), key, signal).then(
    ({ release }) => release.version,
    () => undefined,
  )
}
