/** Looks for a release, fetches it, installs it, and goes back: the whole of `btlinkd update`. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Slot, Slots } from '../../base/ports/slots.ts'
import { NoOther, NoSource } from './errors.ts'
import type { MinisignKey } from './minisign.ts'
import { type Notes, readNotes, writeNotes } from './notebook.ts'
import {
  type Machine,
  type OpenedRelease,
  openRelease,
  requireFit,
  whyNot,
} from './open-release.ts'
import type { ReleaseSource } from './source.ts'
import { fetchRelease, isPackFailure, NOTES, plan, unpackRelease } from './stage.ts'
import { compareVersions } from './version.ts'

export interface UpdaterDeps {
  slots: Slots
  key: MinisignKey
  machine: Machine
}

export interface UpdaterOptions {
  /** What came from outside; belongs to the user of the daemon. */
  fetchFolder: string
  /** Root's, which systemd-sysupdate reads. */
  installFolder: string
}

export interface SourceReport {
  kind: ReleaseSource['kind']
  where: string
  version?: string
  notes?: string
  /** Bytes that would be fetched. */
  bytes?: number
  /** Why it would not be installed. */
  whyNot?: string
  /** Of the failure, where nothing could be read. */
  code?: string
}

interface Candidate {
  source: ReleaseSource
  opened: OpenedRelease
}

export interface ApplyOptions {
  allowDowngrade?: boolean
}

export interface Fetched {
  version: string
  source: ReleaseSource
  fetchedBytes: number
  totalBytes: number
}

export interface Updater {
  /** What each source has, and why it would not be installed. */
  check(sources: readonly ReleaseSource[], signal: AbortSignal): Promise<SourceReport[]>
  /**
   * Fetches the newest release that fits.
   * @throws NoSource where no source has one: the message says why for each
   */
  fetch(
    sources: readonly ReleaseSource[],
    options: ApplyOptions,
    signal: AbortSignal,
  ): Promise<Fetched>
  /**
   * Installs from what was fetched, or straight from a folder or stick, and verifies all of it.
   * @returns the version that boots next
   */
  install(source: ReleaseSource, options: ApplyOptions, signal: AbortSignal): Promise<string>
  /** Has the other version boot next, and gives up the one that runs where it is newer. */
  rollback(signal: AbortSignal): Promise<string>
  /** The slots, and what is known of the last installation. */
  status(signal: AbortSignal): Promise<Notes>
}

export function createUpdater(
  { slots, key, machine }: UpdaterDeps,
  { fetchFolder, installFolder }: UpdaterOptions,
): Updater {
  const notesFile = join(installFolder, NOTES)

  /** From where packs can be used: the running version, unless they failed here before. */
  async function packsFrom(version: string): Promise<string | undefined> {
    const { wholeOnly } = await readNotes(notesFile)
    return wholeOnly === version ? undefined : machine.version
  }

  async function reportOf(source: ReleaseSource, signal: AbortSignal): Promise<SourceReport> {
    const { kind, where } = source
    try {
      const { release } = await openRelease(source, key, signal)
      const { version, notes } = release
      const files = plan(release, await packsFrom(version))
      const why = whyNot(release, machine)
      const bytes = files.reduce((sum, { size }) => sum + size, 0)
      return { kind, where, version, notes, bytes, ...(why !== undefined && { whyNot: why }) }
    } catch (error) {
      if (signal.aborted) throw error
      const code = codeOf(error)
      return { kind, where, whyNot: messageOf(error), ...(code !== undefined && { code }) }
    }
  }

  async function newest(
    sources: readonly ReleaseSource[],
    options: ApplyOptions,
    signal: AbortSignal,
  ): Promise<Candidate> {
    const failures: string[] = []
    let best: Candidate | undefined
    for (const source of sources) {
      try {
        const opened = await openRelease(source, key, signal)
        requireFit(opened.release, machine, options)
        const isNewer =
          !best || compareVersions(opened.release.version, best.opened.release.version) > 0
        if (isNewer) best = { source, opened }
      } catch (error) {
        if (signal.aborted) throw error
        failures.push(messageOf(error))
      }
    }
    if (best) return best
    throw new NoSource(failures.join('; ') || 'neither update.site nor update.channel is set')
  }

  async function note(change: Partial<Notes>, signal: AbortSignal): Promise<Notes> {
    const { slots: _, ...known } = await readNotes(notesFile)
    const notes = { ...known, ...change, slots: await slots.slots(signal) }
    await writeNotes(notesFile, notes)
    return notes
  }

  const now = () => new Date().toISOString()

  async function noteFailure(version: string, error: unknown, signal: AbortSignal): Promise<void> {
    const change = {
      failure: { version, message: messageOf(error), at: now() },
      ...(isPackFailure(error) && { wholeOnly: version }),
    }
    // What went wrong is the news, not that it could not be written down.
    await note(change, signal).catch(() => undefined)
  }

  const boots = (slot: Slot | undefined): boolean =>
    slot?.boot === 'good' || slot?.boot === 'trying' || slot?.boot === 'bad'

  return {
    check: (sources, signal) => Promise.all(sources.map((source) => reportOf(source, signal))),

    async fetch(sources, options, signal) {
      const { source, opened } = await newest(sources, options, signal)
      const { version } = opened.release
      const from = await packsFrom(version)
      const input = { source, opened, folder: fetchFolder, from }
      const { files, fetchedBytes } = await fetchRelease(input, signal)
      const totalBytes = files.reduce((sum, { size }) => sum + size, 0)
      return { version, source, fetchedBytes, totalBytes }
    },

    async install(source, options, signal) {
      const { release } = await openRelease(source, key, signal)
      const { version } = release
      requireFit(release, machine, options)
      const here = (await slots.slots(signal)).find((slot) => slot.version === version)
      try {
        if (boots(here)) await slots.select(version, signal)
        else {
          const oldFile = async (role: 'root' | 'verity' | 'kernel', from: string) =>
            from === machine.version ? slots.fileOf(role, from) : undefined
          await unpackRelease({ source, release, folder: installFolder }, { oldFile }, signal)
          await slots.install(version, signal)
        }
      } catch (error) {
        if (!signal.aborted) await noteFailure(version, error, signal)
        throw error
      }
      // A gigabyte that nobody needs again. What was fetched is its own user's to remove.
      for (const { name } of release.files) await rm(join(installFolder, name), { force: true })
      const { failure: _, ...rest } = await note({ installed: { version, at: now() } }, signal)
      await writeNotes(notesFile, rest)
      return version
    },

    async rollback(signal) {
      const all = await slots.slots(signal)
      const other = all.find((slot) => !slot.isRunning && boots(slot))
      if (!other) throw new NoOther(machine.version)
      await slots.select(other.version, signal)
      await note({}, signal)
      return other.version
    },

    async status(signal) {
      const notes = await readNotes(notesFile)
      // Who is not root sees what root saw last.
      return slots.slots(signal).then(
        (seen) => ({ ...notes, slots: seen }),
        () => notes,
      )
    },
  }
}
