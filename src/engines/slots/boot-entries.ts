/**
 * The kernels on the EFI system partition and their boot counters, which are in their names: `+2-0` is
 * two tries left and none done, no counter is good (Automatic Boot Assessment, systemd.io).
 */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { renameDurably, syncName } from '../../base/durable-file.ts'
import { codeOf } from '../../base/errors.ts'

const ENTRY = /^btlinkd_([0-9][0-9a-z.~]{0,39})(?:\+(\d{1,3})(?:-(\d{1,3}))?)?\.efi$/
const MAX_ENTRIES = 64
/** systemd-sysupdate writes under such a name and renames at the end. */
const LEFT_OVER = /^\.#/
// As 30-uki.transfer of the image has it: with the start that falls back, three.
const TRIES = 2

export interface BootEntry {
  /** Name of the file. */
  name: string
  version: string
  /** Undefined where it is good. */
  triesLeft?: number
  bytes: number
}

export const entriesFolder = (esp: string): string => join(esp, 'EFI', 'Linux')

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
}

export async function readEntries(esp: string): Promise<BootEntry[]> {
  const folder = entriesFolder(esp)
  const entries: BootEntry[] = []
  for (const name of (await namesIn(folder)).slice(0, MAX_ENTRIES)) {
    const [, version, left] = ENTRY.exec(name) ?? []
    if (version === undefined) continue
    const bytes = (await stat(join(folder, name))).size
    entries.push({ name, version, bytes, ...(left !== undefined && { triesLeft: Number(left) }) })
  }
  return entries
}

/** Removes what a cut left half written, or renamed and empty. */
export async function sweepEntries(esp: string): Promise<void> {
  const folder = entriesFolder(esp)
  const empty = (await readEntries(esp)).filter(({ bytes }) => bytes === 0).map(({ name }) => name)
  for (const name of await namesIn(folder))
    if (LEFT_OVER.test(name) || empty.includes(name)) await rm(join(folder, name), { force: true })
}

/** Makes durable what systemd-sysupdate has just named. */
export async function syncEntries(esp: string, version: string): Promise<void> {
  for (const entry of await readEntries(esp))
    if (entry.version === version) await syncName(join(entriesFolder(esp), entry.name))
}

async function recount(esp: string, entry: BootEntry, counter: string): Promise<void> {
  const folder = entriesFolder(esp)
  const name = `btlinkd_${entry.version}${counter}.efi`
  if (name === entry.name) return
  await renameDurably(join(folder, entry.name), join(folder, name))
}

/** Gives an entry its tries back, unless it is good or has some. */
export const giveTries = async (esp: string, entry: BootEntry): Promise<void> => {
  if (entry.triesLeft === 0) await recount(esp, entry, `+${TRIES}-0`)
}

/** The boot loader takes an entry without tries only where there is no other. That none was in vain stays seen. */
export const giveUp = async (esp: string, entry: BootEntry): Promise<void> => {
  if (entry.triesLeft !== 0) await recount(esp, entry, '+0-0')
}
