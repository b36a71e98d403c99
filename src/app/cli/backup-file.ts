/** The file of a backup: written whole or not at all, for its owner alone. */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { renameDurably } from '../../base/durable-file.ts'
import { codeOf, messageOf } from '../../base/errors.ts'
import { AGE_INTRO } from '../../services/backup/index.ts'
import { UnusableFile } from './secrets.ts'

const READ_BYTES = 262_144

export interface NewFile {
  write(piece: Uint8Array): Promise<void>
  /** Makes it durable and gives it its name. */
  commit(): Promise<void>
  drop(): Promise<void>
}

const unusable = (verb: string, file: string, error: unknown) =>
  error instanceof UnusableFile
    ? error
    : new UnusableFile(verb, file, codeOf(error) ?? messageOf(error), { cause: error })

/** Whoever mistypes a name shall not lose what has it. */
async function requireReplaceable(file: string): Promise<void> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  try {
    const { buffer } = await handle.read(Buffer.alloc(AGE_INTRO.length), 0, AGE_INTRO.length, 0)
    if (buffer.toString('latin1') === AGE_INTRO) return
    throw new UnusableFile('write', file, 'it is there and is no backup')
  } finally {
    await handle.close()
  }
}

/** @throws UnusableFile */
export async function createBackupFile(file: string): Promise<NewFile> {
  const unfinished = `${file}.${randomBytes(4).toString('hex')}.new`
  let handle: FileHandle
  try {
    await requireReplaceable(file)
    handle = await open(unfinished, 'wx', 0o600)
  } catch (error) {
    throw unusable('write', file, error)
  }
  return {
    async write(piece) {
      try {
        await handle.writeFile(piece)
      } catch (error) {
        throw unusable('write', file, error)
      }
    },
    async commit() {
      try {
        await handle.sync()
        await handle.close()
        await renameDurably(unfinished, file)
      } catch (error) {
        throw unusable('write', file, error)
      }
    },
    async drop() {
      await handle.close().catch(() => {})
      await rm(unfinished, { force: true })
    },
  }
}

/** Opened once, read as often as asked: nobody can put another file in between. @throws UnusableFile */
export async function openBackupFile(file: string) {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    throw unusable('read', file, error)
  }
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; ; ) {
      const piece = Buffer.alloc(READ_BYTES)
      const { bytesRead } = await handle.read(piece, 0, READ_BYTES, at).catch((error: unknown) => {
        throw unusable('read', file, error)
      })
      if (bytesRead === 0) return
      at += bytesRead
      yield piece.subarray(0, bytesRead)
    }
  }
  return { read, close: () => handle.close() }
}
