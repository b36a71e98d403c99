/**
 * Where the authorities of one realm lie: a folder `1`, `2`, … each, of which the highest is in force.
 * A new one gets its name by one rename when it is whole, so whenever the process is killed there is
 * either the old one or the new one; and of two that make one at once, the second is told.
 */
import { randomBytes } from 'node:crypto'
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder } from '../../base/durable-file.ts'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import { AUTHORITY_FILES, type Authority, type AuthorityFiles, readAuthority } from './authority.ts'
import { Changed, Damaged, Unwritable } from './errors.ts'

export interface Shelved {
  files: AuthorityFiles
  authority: Authority
}

export interface Shelf {
  readonly folder: string
  /** The one in force. @throws Damaged, Unwritable */
  current(): Promise<Shelved | undefined>
  /** Those it replaced, newest first; damaged ones are left out. */
  former(): Promise<Shelved[]>
  /**
   * Puts one in force.
   * @param after how many there were when it was decided
   * @throws Changed where somebody was quicker, Unwritable
   */
  add(files: AuthorityFiles, after: number): Promise<void>
  /** The number of the newest, 0 where there is none. */
  newest(): Promise<number>
  /** Removes all but the one in force; gives how many. */
  forget(): Promise<number>
  /** Removes that one too. */
  clear(): Promise<void>
}

const FOLDER_MODE = 0o700
const CERTIFICATE_MODE = 0o644
const KEY_MODE = 0o600
const UNFINISHED = /^\.(?:new|gone)-[0-9a-f]{16}$/
const NUMBER = /^[1-9]\d{0,8}$/
// The largest has under 1 KB; somebody may have put something else in its place.
const MAX_FILE_BYTES = 16_384
// Long after any process that was making it has finished or died.
const UNFINISHED_MS = 600_000

/** Makes `folder` and its parents, durably where they are new. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
  if (first === undefined) return
  for (let made = folder; ; made = dirname(made)) {
    await syncFolder(dirname(made))
    if (made === first || made === dirname(made)) return
  }
}

async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  const handle = await open(path, 'wx', mode)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The text of a regular file, undefined where there is none that can be one of ours. */
async function readSmall(path: string): Promise<string | undefined> {
  try {
    const stat = await lstat(path)
    return stat.isFile() && stat.size <= MAX_FILE_BYTES ? await readFile(path, 'utf8') : undefined
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

export function createShelf(folder: string, log: Log): Shelf {
  async function onDisk<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      const code = codeOf(error)
      if (code === undefined || code.startsWith('BTL_ERR_')) throw error
      throw new Unwritable(folder, code, { cause: error })
    }
  }

  const entries = async (): Promise<string[]> => {
    try {
      return await readdir(folder)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }

  const numbers = async (): Promise<number[]> =>
    (await entries())
      .filter((entry) => NUMBER.test(entry))
      .map(Number)
      .sort((a, b) => b - a)

  /** A backup or a careless copy may have opened a key to others. */
  async function closeKey(path: string): Promise<void> {
    const { mode } = await lstat(path)
    if ((mode & 0o077) === 0) return
    log.warn(
      { path, mode: (mode & 0o777).toString(8) },
      'a key could be read by others, closing it',
    )
    // On a disk that cannot be written the warning is all there is to do.
    await chmod(path, KEY_MODE).catch(() => undefined)
  }

  async function read(number: number): Promise<Shelved> {
    const place = join(folder, String(number))
    const files = new Map<string, string>()
    for (const name of AUTHORITY_FILES) {
      const path = join(place, name)
      const text = await readSmall(path)
      if (text === undefined) continue
      if (name.endsWith('.key')) await closeKey(path)
      files.set(name, text)
    }
    try {
      return { files, authority: readAuthority(files) }
    } catch (error) {
      throw new Damaged(place, messageOf(error), { cause: error })
    }
  }

  async function sweep(): Promise<void> {
    for (const entry of await entries()) {
      if (!UNFINISHED.test(entry)) continue
      const path = join(folder, entry)
      const stat = await lstat(path).catch(() => undefined)
      // By the clock of the disk, not the one that is passed in: another process may be at it now.
      if (!stat || Math.abs(Date.now() - stat.mtimeMs) < UNFINISHED_MS) continue
      await rm(path, { recursive: true, force: true })
    }
  }

  async function write(files: AuthorityFiles, number: number): Promise<void> {
    await makeFolder(folder)
    await sweep()
    const unfinished = join(folder, `.new-${randomBytes(8).toString('hex')}`)
    try {
      await mkdir(unfinished, { mode: FOLDER_MODE })
      for (const [name, text] of files) {
        const mode = name.endsWith('.key') ? KEY_MODE : CERTIFICATE_MODE
        await writeSynced(join(unfinished, name), text, mode)
      }
      await syncFolder(unfinished)
      await rename(unfinished, join(folder, String(number)))
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true })
      const code = codeOf(error)
      // A folder that is not empty is never replaced.
      if (code === 'ENOTEMPTY' || code === 'EEXIST') throw new Changed(folder, { cause: error })
      throw error
    }
    await syncFolder(folder)
  }

  async function remove(old: readonly number[]): Promise<number> {
    for (const number of old) {
      // Out of sight in one step: a kill in the middle must not leave half of one.
      const gone = join(folder, `.gone-${randomBytes(8).toString('hex')}`)
      await rename(join(folder, String(number)), gone)
      await rm(gone, { recursive: true, force: true })
    }
    if (old.length > 0) await syncFolder(folder)
    return old.length
  }

  return {
    folder,
    current: () =>
      onDisk(async () => {
        const [newest] = await numbers()
        return newest === undefined ? undefined : read(newest)
      }),
    former: () =>
      onDisk(async () => {
        const shelved: Shelved[] = []
        for (const number of (await numbers()).slice(1)) {
          try {
            shelved.push(await read(number))
          } catch (error) {
            log.warn({ reason: messageOf(error) }, 'a former authority cannot be read')
          }
        }
        return shelved
      }),
    add: (files, after) => onDisk(() => write(files, after + 1)),
    newest: () => onDisk(async () => (await numbers())[0] ?? 0),
    forget: () => onDisk(async () => remove((await numbers()).slice(1))),
    // The oldest first: killed in the middle, an old one must not come into force again.
    clear: () => onDisk(async () => void (await remove((await numbers()).toReversed()))),
  }
}
