/** Writes that survive a power cut: data first, then the name, then the folder that holds the name. */
import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncFolder, writeDurably } from '../../base/durable-file.ts'
import { codeOf } from '../../base/errors.ts'
import { Disk, Full, Unwritable } from './errors.ts'

/** What a link fails with on another file system, on one without links (FAT), and after ext4's 65,000. */
export const NO_LINK: ReadonlySet<string> = new Set([
  'EXDEV',
  'EMLINK',
  'EPERM',
  'ENOTSUP',
  'ENOSYS',
])

const TEMP_NAME = /^\.(?:link|new|old|put|tmp)-[\w-]{12}$/

/** A name nobody else uses, hidden, so that what a crash leaves can be told and swept. */
export const tempName = (purpose: 'link' | 'new' | 'old' | 'put' | 'tmp'): string =>
  `.${purpose}-${randomBytes(9).toString('base64url')}`

/** Removes what a crash left half done in a folder; gives how much that was. */
export async function sweep(folder: string): Promise<number> {
  const left = (await readdir(folder)).filter((entry) => TEMP_NAME.test(entry))
  for (const entry of left) await rm(join(folder, entry), { recursive: true, force: true })
  return left.length
}

/** Makes `folder` and its parents, durably where they are new. */
export async function makeFolder(folder: string, mode = 0o755): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode })
  if (first === undefined) return
  for (let made = folder; ; made = dirname(made)) {
    await syncFolder(dirname(made))
    if (made === first || made === dirname(made)) return
  }
}

async function writeSynced(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const handle = await open(path, 'wx', mode)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a whole file durably in place of whatever has that name. */
export async function replaceFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const fresh = join(dirname(path), tempName('tmp'))
  await writeDurably(path, bytes, { mode, fresh, flag: 'wx' })
}

/** Writes a whole file durably under a name that must be free: fails with EEXIST where it is not. */
export async function createFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const temp = join(dirname(path), tempName('tmp'))
  try {
    await writeSynced(temp, bytes, mode)
    // A link, unlike a rename, never replaces what another process just put there.
    await link(temp, path).catch((error: unknown) => {
      if (!NO_LINK.has(codeOf(error) ?? '')) throw error
      return writeSynced(path, bytes, mode)
    })
  } finally {
    await rm(temp, { force: true })
  }
  await syncFolder(dirname(path))
}

/** What a failed file operation under `path` is called outside the room. */
function diskFailure(error: unknown, path: string): unknown {
  const code = codeOf(error)
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new Full(basename(path), { cause: error })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOTDIR':
      return new Unwritable(path, code, { cause: error })
    case 'EIO':
    case 'EMFILE':
    case 'ENFILE':
      return new Disk(path, code, { cause: error })
    default:
      return error
  }
}

/** Runs file operations under `path`, and gives their failures the room's names. */
export async function onDisk<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw diskFailure(error, path)
  }
}
