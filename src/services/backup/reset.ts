/** Lets a box forget: what it visited, or everything. */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { infoHash } from '../../base/hashes.ts'
import type { StoreLayout } from '../../base/layout.ts'
import type { DatabaseFiles } from '../../base/ports/state-database.ts'
import type { TorrentFolders } from '../../base/ports/store.ts'
import { DATABASE_SUFFIXES, kindOf, OURS } from './inventory.ts'
import { listState } from './pack.ts'
import { decide, dropUndecided, exists, finishSwap } from './swap.ts'
import { newFolder, readyFolder, writePlan } from './swap-plan.ts'

export interface ResetPlaces {
  stateDir: string
  database: string
  layout: StoreLayout
  /** The configuration file, where one is in use. */
  config?: string | undefined
}

export interface Forgotten {
  sites: number
  torrents: number
  files: number
}

const INFO_HASH = /^[0-9a-f]{40}$/
const SHELF = /^[0-9a-f]{2}$/

/** Sites that were only visited, content nobody here needs, and every cache. The box is at rest. */
export async function resetSoft(
  deps: { databases: DatabaseFiles; torrents: Pick<TorrentFolders, 'remove'> },
  { stateDir, database, layout }: ResetPlaces,
  signal: AbortSignal,
): Promise<Forgotten> {
  let forgotten: Forgotten = { sites: 0, torrents: 0, files: 0 }
  if (await exists(database)) {
    const { sites, needed } = await deps.databases.forgetVisited(database)
    forgotten = { ...forgotten, sites }
    // The copy still knows them; the daemon makes another.
    await rm(`${database}.snapshot`, { force: true })
    for (const entry of await readdir(layout.torrents).catch(() => [])) {
      signal.throwIfAborted()
      if (!INFO_HASH.test(entry) || needed.has(infoHash(entry))) continue
      await deps.torrents.remove(infoHash(entry))
      forgotten.torrents++
    }
  }
  for (const path of await listState(stateDir)) {
    if (kindOf(path)?.isForgotten !== true) continue
    await rm(join(stateDir, path), { force: true })
    forgotten.files++
  }
  return forgotten
}

/**
 * Everything of ours, as one step; what somebody else put into the folder stays, and so do locks and
 * sockets in `run`. The box is at rest.
 * @returns what was left because it is not ours
 */
export async function resetFactory({
  stateDir,
  database,
  layout,
  config,
}: ResetPlaces): Promise<{ left: string[] }> {
  const gone = join(readyFolder(stateDir), 'gone')
  const places = { database, config }
  await dropUndecided(stateDir, places)
  await mkdir(newFolder(stateDir), { mode: 0o700 })
  const top = await readdir(stateDir)
  const mine = top.filter((entry) => OURS.test(entry) && entry !== 'run')
  await writePlan(stateDir, {
    away: mine.map((entry) => ({ from: join(stateDir, entry), to: join(gone, entry) })),
    place: [],
  })
  await decide(stateDir)
  await finishSwap(stateDir, places)
  if (dirname(database) !== stateDir) {
    for (const suffix of DATABASE_SUFFIXES) await rm(database + suffix, { force: true })
  }
  for (const [folder, ours] of [
    [layout.blobs, SHELF],
    [layout.torrents, INFO_HASH],
  ] as const) {
    for (const entry of await readdir(folder).catch(() => [])) {
      if (ours.test(entry)) await rm(join(folder, entry), { recursive: true, force: true })
    }
  }
  const left = top.filter((entry) => !OURS.test(entry) && !entry.startsWith('swap.'))
  return { left }
}
