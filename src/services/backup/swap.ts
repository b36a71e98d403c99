/**
 * Takes files away and puts others in their place as one step. All is laid ready under `swap.new`; the
 * rename to `swap.ready` decides. Killed before it, nothing has changed; killed after it, whoever comes
 * next (the daemon at its start, or a verb) carries it through before looking at anything else.
 */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf, messageOf } from '../../base/errors.ts'
import { Unfinished } from './errors.ts'

export interface Move {
  from: string
  to: string
}

export interface Plan {
  /** Folder of the former state; goes again where nothing was decided. */
  former?: string
  /** Each `to` is free; what is not there any more is left out. */
  away: Move[]
  /** Each `from` was made whole and durable before. */
  place: Move[]
}

const PLAN = 'plan.json'
const MOVED = 'moved'

export const newFolder = (stateDir: string): string => join(stateDir, 'swap.new')
export const readyFolder = (stateDir: string): string => join(stateDir, 'swap.ready')
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

export async function writeSynced(path: string, data: string, mode: number): Promise<void> {
  const handle = await open(path, 'w', mode)
  try {
    await handle.chmod(mode)
    await handle.writeFile(data)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncFolders(moves: readonly Move[]): Promise<void> {
  const folders = moves.flatMap(({ from, to }) => [dirname(from), dirname(to)])
  for (const folder of new Set(folders)) if (await exists(folder)) await syncPath(folder)
}

/** Removes what a restore or reset left that did not come to its decision. Call it with the box at rest. */
export async function dropUndecided(stateDir: string): Promise<void> {
  const undecided = newFolder(stateDir)
  const plan = await readPlan(undecided)
  // Beside the database and the configuration; a database may have been open.
  for (const { from } of plan?.place ?? []) {
    if (from.startsWith(join(readyFolder(stateDir), '/'))) continue
    for (const suffix of ['', '-wal', '-shm']) await rm(from + suffix, { force: true })
  }
  if (plan?.former !== undefined) await rm(plan.former, { recursive: true, force: true })
  await rm(undecided, { recursive: true, force: true })
  await rm(doneFolder(stateDir), { recursive: true, force: true })
}

async function readPlan(folder: string): Promise<Plan | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, PLAN), 'utf8')) as Plan
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Written before the first file of it is made, so that what a kill leaves is known. */
export async function writePlan(stateDir: string, plan: Plan): Promise<void> {
  await writeSynced(join(newFolder(stateDir), PLAN), JSON.stringify(plan), 0o600)
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
 * @returns whether there was anything to do
 * @throws Unfinished
 */
export async function finishSwap(stateDir: string): Promise<boolean> {
  const ready = readyFolder(stateDir)
  if (!(await isDecided(stateDir))) {
    await rm(doneFolder(stateDir), { recursive: true, force: true })
    return false
  }
  try {
    const plan = await readPlan(ready)
    if (!plan) throw new Error(`${join(ready, PLAN)} is not sound`)
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
