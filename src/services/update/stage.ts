/**
 * Two steps to an update. `fetchRelease`, as the daemon's user, brings what has to come from outside
 * into a folder. `unpackRelease`, as root, trusts nothing in that folder: it checks the signature
 * again, and makes the files of the new slot out of packs and of the slot that runs.
 */
import { createReadStream } from 'node:fs'
import { mkdir, readdir, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { renameDurably } from '../../base/durable-file.ts'
import { codeOf } from '../../base/errors.ts'
import { formatSize } from '../../base/units.ts'
import { replaceFile } from './durable.ts'
import { BadDelta, BadFile, NoRoom } from './errors.ts'
import { fetchFile, isFile } from './fetch-file.ts'
import type { OpenedRelease } from './open-release.ts'
import type { Pack, Release, ReleaseFile, SlotFile } from './release.ts'
import type { ReleaseSource } from './source.ts'
import { unpack } from './unpack.ts'

/** Name of the notebook, which stays in its folder. */
export const NOTES = 'notes.json'

// For the file system's own needs.
const SPARE_BYTES = 16 * 1024 * 1024

/** The smallest way to each file: a pack from what is here, a pack from nothing, else the file itself. */
function choose(file: SlotFile, from: string | undefined): ReleaseFile {
  const usable = file.packs.filter((pack) => pack.from === null || pack.from === from)
  // A site may have the packs alone, and what does not compress grows by some bytes.
  return usable.toSorted((a, b) => a.size - b.size)[0] ?? file
}

/**
 * What has to be fetched.
 * @param from the version whose files are here; undefined takes none of it
 */
export function plan(release: Release, from: string | undefined): ReleaseFile[] {
  return release.files.map((file) => choose(file, from))
}

async function requireRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  if (bytes + SPARE_BYTES > free)
    throw new NoRoom(formatSize(bytes + SPARE_BYTES), folder, formatSize(free))
}

/** Removes what belongs to no file of `names`: older releases, and parts of them. */
async function keepOnly(folder: string, names: readonly string[]): Promise<void> {
  const kept = new Set([NOTES, ...names.flatMap((name) => [name, `${name}.part`])])
  for (const entry of await readdir(folder))
    if (!kept.has(entry)) await rm(join(folder, entry), { recursive: true, force: true })
}

/** What a file takes of the disk; a hole in it is no room that was taken. */
const takenBytes = async (path: string): Promise<number> =>
  stat(path).then(
    ({ blocks }) => blocks * 512,
    () => 0,
  )

async function missingBytes(folder: string, files: readonly ReleaseFile[]): Promise<number> {
  const present = new Set(await readdir(folder))
  let missing = 0
  for (const { name, size } of files) {
    if (present.has(name)) continue
    // What a cut left is gone on with, and takes its room already.
    missing += Math.max(0, size - (await takenBytes(join(folder, `${name}.part`))))
  }
  return missing
}

export interface FetchedRelease {
  files: ReleaseFile[]
  /** Bytes that came from the source this time. */
  fetchedBytes: number
}

/**
 * Fetches what `plan` says into `folder`, papers last: a folder with papers is whole.
 * @throws Unreachable, BadFile, NoRoom
 */
export async function fetchRelease(
  input: {
    source: ReleaseSource
    opened: OpenedRelease
    folder: string
    from?: string | undefined
  },
  signal: AbortSignal,
): Promise<FetchedRelease> {
  const { source, opened, folder } = input
  const files = plan(opened.release, input.from)
  await mkdir(folder, { recursive: true, mode: 0o750 })
  await keepOnly(
    folder,
    files.map(({ name }) => name),
  )
  await requireRoom(folder, await missingBytes(folder, files))
  let fetchedBytes = 0
  const onBytes = (count: number) => (fetchedBytes += count)
  for (const file of files) await fetchFile({ source, file, folder, onBytes }, signal)
  for (const { name, bytes } of opened.papers) await replaceFile(join(folder, name), bytes)
  return { files, fetchedBytes }
}

export interface UnpackDeps {
  /** Where the file of a role of a version on this machine can be read; undefined where it is not. */
  oldFile(role: SlotFile['role'], version: string): Promise<string | undefined>
}

interface UnpackTarget {
  file: SlotFile
  source: ReleaseSource
  /** Path of the finished file. */
  to: string
}

/** Root unpacks nothing but bytes that the vendor signed: the pack is copied and checked first. */
async function takePack(
  { file, source, to }: UnpackTarget,
  { pack, old }: { pack: Pack; old: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const folder = dirname(to)
  const copy = join(folder, pack.name)
  const partial = `${to}.part`
  try {
    await fetchFile({ source, file: pack, folder }, signal)
    const chunks = createReadStream(copy, { highWaterMark: 256 * 1024 })
    const from = old !== undefined && { old }
    await unpack({ name: pack.name, chunks, file, to: partial, ...from }, signal)
    await renameDurably(partial, to)
  } finally {
    await rm(partial, { force: true })
    await rm(copy, { force: true })
    await rm(`${copy}.part`, { force: true })
  }
}

/** By the first way that leads to the file. */
async function take(target: UnpackTarget, deps: UnpackDeps, signal: AbortSignal): Promise<void> {
  const { file, source, to } = target
  const failures: unknown[] = []
  // The smallest first: the order in which they are fetched.
  for (const pack of file.packs.toSorted((a, b) => a.size - b.size)) {
    const old = pack.from === null ? undefined : await deps.oldFile(file.role, pack.from)
    if (pack.from !== null && old === undefined) continue
    try {
      await takePack(target, { pack, old }, signal)
      return
    } catch (error) {
      if (signal.aborted || codeOf(error) === 'ENOSPC') throw error
      failures.push(error)
    }
  }
  try {
    await fetchFile({ source, file, folder: dirname(to) }, signal)
  } catch (error) {
    // A pack that was there and did not do tells more than a file that was never fetched.
    throw failures.find(isPackFailure) ?? error
  }
}

/** Whether another way to the files may do where this one failed. */
export const isPackFailure = (error: unknown): boolean =>
  error instanceof BadDelta || error instanceof BadFile

/**
 * Makes the files of the new slot in `folder`, under the names that the release gives them.
 * @throws BadDelta or BadFile where what was fetched does not make the file: fetch it whole
 */
export async function unpackRelease(
  input: { source: ReleaseSource; release: Release; folder: string },
  deps: UnpackDeps,
  signal: AbortSignal,
): Promise<void> {
  const { source, release, folder } = input
  await mkdir(folder, { recursive: true, mode: 0o755 })
  await keepOnly(
    folder,
    release.files.map(({ name }) => name),
  )
  await requireRoom(folder, await missingBytes(folder, release.files))
  for (const file of release.files) {
    const to = join(folder, file.name)
    if (!(await isFile(to, file, signal))) await take({ file, source, to }, deps, signal)
  }
}
