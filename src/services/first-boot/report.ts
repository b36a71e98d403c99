/** What a run did, for the screen and for whoever looks at the card. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../base/errors.ts'
import { readIfThere, writeIfOther } from './durable-file.ts'

/** Lines for people. */
export interface Told {
  /** What came from the card. */
  taken: string[]
  /** What did not, and why. */
  faults: string[]
  notes: string[]
}

export const ERRORS_NAME = 'btlinkd.errors.txt'
const MAX_LINES = 100

/** Windows' editor is one of those it is read with. */
const errorsText = ({ faults, notes }: Told): string =>
  [
    'What this box found on its card and did not take. Change the file and start the box again;',
    'this file goes when all is well.',
    '',
    ...faults,
    ...(notes.length > 0 ? ['', ...notes] : []),
    '',
  ].join('\r\n')

/** A partition that cannot be written leaves the screen. */
export async function tellOnCard(folder: string, told: Told): Promise<void> {
  const path = join(folder, ERRORS_NAME)
  try {
    if (told.faults.length === 0) await rm(path, { force: true })
    else await writeIfOther(path, errorsText(told), { mode: 0o644 })
  } catch (error) {
    told.notes.push(`cannot write ${ERRORS_NAME}: ${messageOf(error)}`)
  }
}

export async function writeReport(path: string, told: Told): Promise<void> {
  const lines = (list: readonly string[]) => list.slice(0, MAX_LINES)
  const { taken, faults, notes } = told
  const text = JSON.stringify({ taken: lines(taken), faults: lines(faults), notes: lines(notes) })
  await writeIfOther(path, `${text}\n`, { mode: 0o644 })
}

const isLines = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= MAX_LINES && value.every((one) => typeof one === 'string')

/** The report of this boot; undefined where nothing ran, or where it is not whole. */
export async function readReport(path: string): Promise<Told | undefined> {
  try {
    const value: unknown = JSON.parse((await readIfThere(path)) ?? '')
    if (typeof value !== 'object' || value === null) return undefined
    const { taken, faults, notes } = value as Partial<Told>
    return isLines(taken) && isLines(faults) && isLines(notes)
      ? { taken, faults, notes }
      : undefined
  } catch {
    return undefined
  }
}
