/**
 * Takes files away and puts others in their place as one step. All is laid ready under `swap.new`; the
 * rename to `swap.ready` decides. Killed before it, nothing has changed; killed after it, whoever comes
 * next (the daemon at its start, or a verb) carries it through before looking at anything else.
 */
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf, messageOf, printable } from '../../base/errors.ts'
import { Unfinished } from './errors.ts'
import {
  type Move,
  newFolder,
  readPlan,
  readyFolder,
  strangerIn,
  type SwapPlaces,
  writeSynced,
} from './swap-plan.ts'

const MOVED = 'moved'

const doneFolder = (stateDir: string): string => join(stateDir, 'swap.done')

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw error
  }
}

export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncFolders(moves: readonly Move[]): Promise<void> {
  const folders = moves.flatMap(({ from, to }) => [dirname(from), dirname(to)])
  for (const folder of new Set(folders)) if (await exists(folder)) await syncPath(folder)
}

/**
 * Removes what a restore or reset left that did not come to its decision. Call it with the box at rest.
 * @param places where this process may do more than the owner of the state: then nothing beside them goes
 * @param asRoot runs what is in the folder of the configuration
 */
export async function dropUndecided(
  stateDir: string,
  places?: SwapPlaces,
  asRoot: (work: () => Promise<void>) => Promise<void> = (work) => work(),
): Promise<void> {
  const undecided = newFolder(stateDir)
  const found = await readPlan(undecided)
  const plan = found && places && (await strangerIn(found, stateDir, places)) ? undefined : found
  // Beside the database and the configuration; a database may have been open.
  for (const { from, to } of plan?.place ?? []) {
    if (from.startsWith(join(readyFolder(stateDir), '/'))) continue
    const remove = async (): Promise<void> => {
      for (const suffix of ['', '-wal', '-shm']) await rm(from + suffix, { force: true })
    }
    await (to === places?.config ? asRoot(remove) : remove())
  }
  if (plan?.former !== undefined) await rm(plan.former, { recursive: true, force: true })
  await rm(undecided, { recursive: true, force: true })
  await rm(doneFolder(stateDir), { recursive: true, force: true })
}

/** The one step that decides. */
export async function decide(stateDir: string): Promise<void> {
  await syncPath(newFolder(stateDir))
  await rename(newFolder(stateDir), readyFolder(stateDir))
  await syncPath(stateDir)
}

export const isDecided = (stateDir: string): Promise<boolean> => exists(readyFolder(stateDir))

const isFolder = async (path: string): Promise<boolean> =>
  (await exists(path)) && (await stat(path)).isDirectory()

async function takeAway(moves: readonly Move[]): Promise<void> {
  for (const { from, to } of moves) {
    if ((await exists(to)) || !(await exists(from))) continue
    await mkdir(dirname(to), { recursive: true, mode: 0o700 })
    await rename(from, to)
  }
  await syncFolders(moves)
}

async function putInPlace(moves: readonly Move[], ready: string): Promise<void> {
  for (const [index, { from, to }] of moves.entries()) {
    if (!(await exists(from))) continue
    // Made since by something that did not wait: no rename puts a folder in the place of another.
    if (await isFolder(to)) await rename(to, join(ready, `late-${index}-${basename(to)}`))
    await rename(from, to)
  }
  await syncFolders(moves)
}

/**
 * Carries out what was decided; again from the start is as good. Nobody else may be at the state.
 * @param places where this process may do more than the owner of the state: nothing else is moved then
 * @returns whether there was anything to do
 * @throws Unfinished
 */
export async function finishSwap(stateDir: string, places?: SwapPlaces): Promise<boolean> {
  const ready = readyFolder(stateDir)
  if (!(await isDecided(stateDir))) {
    await rm(doneFolder(stateDir), { recursive: true, force: true })
    return false
  }
  try {
    const plan = await readPlan(ready)
    if (!plan) throw new Error('its plan is not sound')
    const stranger = places && (await strangerIn(plan, stateDir, places))
    if (stranger !== undefined)
      throw new Error(`it names ${printable(stranger)}, no place of this box`)
    if (!(await exists(join(ready, MOVED)))) {
      await takeAway(plan.away)
      await writeSynced(join(ready, MOVED), '', 0o600)
      await syncPath(ready)
    }
    await putInPlace(plan.place, ready)
    await rm(doneFolder(stateDir), { recursive: true, force: true })
    await rename(ready, doneFolder(stateDir))
    await syncPath(stateDir)
    await rm(doneFolder(stateDir), { recursive: true, force: true })
    return true
  } catch (error) {
    throw new Unfinished(stateDir, codeOf(error) ?? messageOf(error), { cause: error })
  }
}
