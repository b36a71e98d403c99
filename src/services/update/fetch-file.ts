/** One file into a folder: goes on where a cut left it, and is believed by its hash alone. */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { renameDurably } from '../../base/durable-file.ts'
import { codeOf } from '../../base/errors.ts'
import { BadFile, Unreachable } from './errors.ts'
import type { ReleaseFile } from './release.ts'
import type { ReleaseSource } from './source.ts'

// With hardly a new byte so many times in a row, the source is given up until the next check: what each try
// brings is synced to a card.
const MAX_VAIN_TRIES = 5
const MIN_PROGRESS_BYTES = 64 * 1024
const RETRY_MS = 1000

const sizeOf = async (path: string): Promise<number | undefined> =>
  stat(path).then(
    (info) => (info.isFile() ? info.size : undefined),
    () => undefined,
  )

async function hashFile(path: string, signal: AbortSignal): Promise<Hash> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal }))
    hash.update(chunk as Uint8Array)
  return hash
}

/** Whether the file is there, whole and right. */
export async function isFile(
  path: string,
  file: ReleaseFile,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await sizeOf(path)) !== file.size) return false
  return (await hashFile(path, signal)).digest('hex') === file.sha256
}

/** Appends what the source has behind `at`; gives where it ended, which may be before the end. */
async function append(
  { partial, at, hash }: { partial: string; at: number; hash: Hash },
  { source, file }: FetchInput,
  signal: AbortSignal,
): Promise<number> {
  const { offset, body } = await source.open(file.name, at, signal)
  let end = at
  // A server without ranges begins anew: what is here already is passed over.
  let skip = at - offset
  const out = await open(partial, 'a', 0o644)
  try {
    for await (const chunk of body) {
      signal.throwIfAborted()
      const fresh = chunk.subarray(Math.min(skip, chunk.length))
      skip -= chunk.length - fresh.length
      if (end + fresh.length > file.size) throw new BadFile(file.name, 'it is longer')
      for (let done = 0; done < fresh.length; ) {
        const { bytesWritten } = await out.write(fresh, done)
        done += bytesWritten
      }
      hash.update(fresh)
      end += fresh.length
    }
  } catch (error) {
    // What came before the cut is kept, and told by its length.
    if (error instanceof Unreachable && end > at) return end
    throw error
  } finally {
    try {
      await out.sync()
    } finally {
      await out.close()
    }
  }
  return end
}

export interface FetchInput {
  source: ReleaseSource
  file: ReleaseFile
  folder: string
  /** Told of bytes that are newly there. */
  onBytes?: (count: number) => void
}

async function fetchOnce(
  input: FetchInput,
  partial: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { file, onBytes } = input
  let at = (await sizeOf(partial)) ?? 0
  if (at > file.size) {
    await rm(partial)
    at = 0
  }
  const hash = at > 0 ? await hashFile(partial, signal) : createHash('sha256')
  for (let vain = 0; at < file.size; ) {
    const end = await append({ partial, at, hash }, input, signal).catch((error: unknown) => {
      // What is not on a stick now will not be there in a second.
      const isFinal = input.source.kind === 'file' || vain + 1 >= MAX_VAIN_TRIES
      if (!(error instanceof Unreachable) || isFinal) throw error
      return at
    })
    if (end > at) onBytes?.(end - at)
    vain = end - at >= MIN_PROGRESS_BYTES ? 0 : vain + 1
    at = end
    if (at >= file.size) break
    if (vain >= MAX_VAIN_TRIES) throw new Unreachable(input.source.where, `${file.name} is cut off`)
    await sleep(RETRY_MS * vain, undefined, { signal })
  }
  return hash.digest('hex') === file.sha256
}

/**
 * Fetches `file` into `folder`; does nothing where it is there already.
 * @throws Unreachable where the source has no more of it now: what came is kept for the next time
 * @throws BadFile where the source has another file
 */
export async function fetchFile(input: FetchInput, signal: AbortSignal): Promise<void> {
  const { file, folder } = input
  const path = join(folder, file.name)
  if (await isFile(path, file, signal)) return
  const partial = `${path}.part`
  const hadSome = ((await sizeOf(partial)) ?? 0) > 0
  try {
    let isRight = await fetchOnce(input, partial, signal)
    // What a power cut left may have the length without the bytes: once more from the beginning.
    if (!isRight && hadSome) {
      await rm(partial, { force: true })
      isRight = await fetchOnce(input, partial, signal)
    }
    if (!isRight) throw new BadFile(file.name, 'its hash is another')
  } catch (error) {
    // A disk that is full needs the room more than we need the part.
    const isUseless = error instanceof BadFile || codeOf(error) === 'ENOSPC'
    if (isUseless) await rm(partial, { force: true })
    throw error
  }
  await renameDurably(partial, path)
}
