/** Files of the card and of the box that are whole after a power cut, and secrets that leave a card. */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { renameDurably, writeDurably as write } from '../../base/durable-file.ts'
import { codeOf } from '../../base/errors.ts'

async function closing(handle: FileHandle, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } finally {
    await handle.close()
  }
}

export interface WriteOptions {
  mode: number
  /** Of the folder, where it is made. */
  folderMode?: number
  /** Group that may read it. */
  gid?: number | undefined
}

/** Whole or not at all; the folder is made where there is none. */
export async function writeDurably(
  path: string,
  text: string,
  { mode, folderMode = 0o755, gid }: WriteOptions,
): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: folderMode })
  await write(path, text, {
    mode,
    fresh: join(folder, `.${basename(path)}.${randomBytes(4).toString('hex')}.new`),
    flag: 'wx',
    async prepare(file) {
      // Whatever the umask left of it; FAT has no modes.
      await file.chmod(mode).catch(() => undefined)
      if (gid !== undefined) await file.chown(0, gid)
    },
  })
}

/** Undefined where there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Writes only what differs: a card bears few writes. */
export async function writeIfOther(
  path: string,
  text: string,
  options: WriteOptions,
): Promise<boolean> {
  if ((await readIfThere(path).catch(() => undefined)) === text) return false
  await writeDurably(path, text, options)
  return true
}

/** Zeros over every byte, so that at least whoever reads the partition finds nothing. */
async function overwrite(path: string): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW)
  await closing(handle, async () => {
    const { size } = await handle.stat()
    await handle.write(Buffer.alloc(size), 0, size, 0)
    await handle.sync()
  })
}

const besideOf = (path: string): string => `${path}.new`

/** Puts a text without the secrets in the place of one with them, and zeros over what it held. */
export async function replaceOnFat(path: string, text: string): Promise<void> {
  const fresh = besideOf(path)
  await rm(fresh, { force: true })
  const handle = await open(fresh, 'wx', 0o600)
  await closing(handle, async () => {
    await handle.writeFile(text)
    await handle.sync()
  })
  // Cut off between here and the rename, the next start finds zeros, and the new text beside.
  await overwrite(path)
  await renameDurably(fresh, path)
}

/** Ends a replacement that a power cut interrupted. */
export async function finishReplacement(path: string, bytes: Uint8Array): Promise<boolean> {
  if (bytes.length === 0 || bytes.some((byte) => byte !== 0)) return false
  try {
    await renameDurably(besideOf(path), path)
    return true
  } catch {
    return false
  }
}
