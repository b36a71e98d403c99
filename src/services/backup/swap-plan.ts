/**
 * What a swap moves, as it is written down. Whoever may write to the state may write a plan too, and
 * root carries it out: so it is held to what a restore or reset of this box moves.
 */
import { constants } from 'node:fs'
import { lstat, open, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '../../base/errors.ts'
import { DATABASE_SUFFIXES, OURS } from './inventory.ts'

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

export interface SwapPlaces {
  /** Path of the database. */
  database: string
  /** The configuration file, where one is in use. */
  config?: string | undefined
}

const PLAN = 'plan.json'
const FORMER = /^before-restore-[\w-]+$/

export const newFolder = (stateDir: string): string => join(stateDir, 'swap.new')
export const readyFolder = (stateDir: string): string => join(stateDir, 'swap.ready')
/** What is made beside a file that it is to replace. */
export const freshOf = (path: string): string => `${path}.restoring`

export async function writeSynced(path: string, data: string, mode: number): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants
  const handle = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode)
  try {
    await handle.chmod(mode)
    await handle.writeFile(data)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const isMove = (value: unknown): value is Move => {
  const { from, to } = (value ?? {}) as Partial<Move>
  return typeof from === 'string' && typeof to === 'string'
}

const isPlan = (value: unknown): value is Plan => {
  const { former, away, place } = (value ?? {}) as Partial<Plan>
  return (
    (former === undefined || typeof former === 'string') &&
    [away, place].every((moves) => Array.isArray(moves) && moves.every(isMove))
  )
}

/** Undefined where there is none, or where it is not whole. */
export async function readPlan(folder: string): Promise<Plan | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(folder, PLAN), 'utf8'))
    return isPlan(value) ? value : undefined
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Written before the first file of it is made, so that what a kill leaves is known. */
export async function writePlan(stateDir: string, plan: Plan): Promise<void> {
  await writeSynced(join(newFolder(stateDir), PLAN), JSON.stringify(plan), 0o600)
}

/** Files of the database and of the configuration, which may lie in other folders. */
function isOfPlaces({ from, to }: Move, stateDir: string, { database, config }: SwapPlaces) {
  if (config !== undefined && to === config) return from === freshOf(config)
  if (to === database) return from === freshOf(database)
  return DATABASE_SUFFIXES.some((suffix) => {
    if (from !== database + suffix) return false
    const folder = dirname(to)
    const isBeside = to.startsWith(`${database}.before-restore-`) && folder === dirname(database)
    const isIn = dirname(folder) === stateDir && FORMER.test(basename(folder))
    return isBeside || (isIn && basename(to) === `state.db${suffix}`)
  })
}

/** Folders of the state that a move leads through; undefined where it leads elsewhere. */
function foldersOf({ from, to }: Move, stateDir: string): string[] | undefined {
  const name = basename(from)
  if (name !== basename(to) || !OURS.test(name)) return undefined
  const ready = readyFolder(stateDir)
  const folders = [dirname(from), dirname(to)]
  const areOurs = folders.every(
    (folder) =>
      folder === stateDir ||
      folder === join(ready, 'new') ||
      folder === join(ready, 'gone') ||
      (dirname(folder) === stateDir && FORMER.test(basename(folder))),
  )
  return areOurs ? [ready, ...folders] : undefined
}

const isLink = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true

/** The first path of the plan that no restore or reset of this box has; undefined where there is none. */
export async function strangerIn(
  { former, away, place }: Plan,
  stateDir: string,
  places: SwapPlaces,
): Promise<string | undefined> {
  if (former !== undefined && (dirname(former) !== stateDir || !FORMER.test(basename(former)))) {
    return former
  }
  for (const move of [...away, ...place]) {
    const folders = foldersOf(move, stateDir)
    if (!folders && !isOfPlaces(move, stateDir, places)) return move.to
    for (const folder of folders ?? [dirname(move.to)]) {
      // The state folder and that of the configuration may be links of whoever set up the machine.
      if (folder.startsWith(join(stateDir, '/')) && (await isLink(folder))) return folder
    }
  }
  return undefined
}
