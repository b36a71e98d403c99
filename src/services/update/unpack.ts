/** Makes a file out of a pack and the blocks of an older one, in a few megabytes of memory. */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { messageOf } from '../../base/errors.ts'
import { BadDelta, BadFile } from './errors.ts'
import { BadPack, decodePack, type Step } from './pack-format.ts'
import type { ReleaseFile } from './release.ts'

const CHUNK = 1024 * 1024
const zeros = Buffer.alloc(CHUNK)

/** Blocks of the older file; what is behind its end reads as zeros. */
async function* copied(old: FileHandle, start: number, length: number): AsyncGenerator<Uint8Array> {
  const chunk = Buffer.alloc(Math.min(CHUNK, length))
  for (let done = 0; done < length; ) {
    const want = Math.min(chunk.length, length - done)
    const { bytesRead } = await old.read(chunk, 0, want, start + done)
    if (bytesRead < want) chunk.fill(0, bytesRead, want)
    yield chunk.subarray(0, want)
    done += want
  }
}

/** Writes in order, hashes what it writes, and leaves holes for zeros. */
function createWriter(out: FileHandle) {
  const hash = createHash('sha256')
  let at = 0
  return {
    async write(bytes: Uint8Array): Promise<void> {
      hash.update(bytes)
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await out.write(bytes, done, bytes.length - done, at + done)
        done += bytesWritten
      }
      at += bytes.length
    },
    skip(length: number): void {
      for (let left = length; left > 0; left -= CHUNK)
        hash.update(zeros.subarray(0, Math.min(left, CHUNK)))
      at += length
    },
    digest: () => hash.digest('hex'),
    at: () => at,
  }
}

export interface UnpackInput {
  /** Name of the pack, for messages. */
  name: string
  chunks: AsyncIterable<Uint8Array>
  /** A file or block device. */
  old?: string
  /** What must come out of it. */
  file: ReleaseFile
  /** Where it is written; an empty file that is not seen by others yet. */
  to: string
}

/**
 * Unpacks, and makes the result durable.
 * @throws BadDelta where the pack is broken or needs what is not there
 * @throws BadFile where it makes something else than `file`
 */
export async function unpack(input: UnpackInput, signal: AbortSignal): Promise<void> {
  const { name, file } = input
  const out = await open(input.to, 'w', 0o644)
  const old = input.old === undefined ? undefined : await open(input.old, 'r')
  try {
    const { header, steps } = await decodePack(input.chunks)
    if (header.outBytes !== file.size) throw new BadPack('it makes a file of another size')
    const writer = createWriter(out)
    const take = async (step: Step) => {
      const length = Math.min(step.blocks * header.blockBytes, file.size - writer.at())
      if (step.kind === 'zero') writer.skip(length)
      else if (step.kind === 'data') await writer.write(step.bytes)
      else {
        if (!old) throw new BadPack('it needs an older file')
        const start = step.first * header.blockBytes
        for await (const bytes of copied(old, start, length)) await writer.write(bytes)
      }
    }
    for await (const step of steps) {
      signal.throwIfAborted()
      await take(step)
    }
    await out.truncate(file.size)
    await out.sync()
    if (writer.digest() !== file.sha256) {
      throw new BadFile(file.name, `unpacking ${name} made something else`)
    }
  } catch (error) {
    if (error instanceof BadPack) throw new BadDelta(name, messageOf(error), { cause: error })
    throw error
  } finally {
    await old?.close()
    await out.close()
  }
}
