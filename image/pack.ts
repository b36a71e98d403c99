/**
 * Makes packs: compares a file with an older one block by block and writes what is new. It keeps a
 * hash of every block of the older file in memory; unpacking needs none of that.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import {
  encodeEnd,
  encodeHeader,
  encodeStep,
  MAX_DATA_BYTES,
  type Step,
} from '../src/services/update/index.ts'

const CHUNK = 1024 * 1024

export interface PackResult {
  /** Bytes of the pack. */
  bytes: number
  /** Bytes of the new file in blocks that are not zero and nowhere in the older file. */
  changedBytes: number
  copiedBytes: number
}

/** Every block in order; the last one may be shorter. */
async function* blocksOf(file: FileHandle, blockBytes: number): AsyncGenerator<Buffer> {
  const chunk = Buffer.alloc(CHUNK)
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK, at)
    if (bytesRead === 0) return
    // A short read in the middle must not shift the blocks behind it.
    const { size } = await file.stat()
    const isLast = at + bytesRead >= size
    const usable = isLast ? bytesRead : bytesRead - (bytesRead % blockBytes)
    for (let from = 0; from < usable; from += blockBytes)
      yield chunk.subarray(from, Math.min(from + blockBytes, usable))
    at += usable
  }
}

const keyOf = (block: Buffer): string => createHash('sha1').update(block).digest('base64')
const isZero = (block: Buffer): boolean => block[0] === 0 && block.every((byte) => byte === 0)

async function indexOf(path: string | undefined, blockBytes: number): Promise<Map<string, number>> {
  const index = new Map<string, number>()
  if (path === undefined) return index
  const file = await open(path, 'r')
  try {
    let number = 0
    for await (const block of blocksOf(file, blockBytes)) {
      const isWhole = block.length === blockBytes
      const key = isWhole && !isZero(block) ? keyOf(block) : undefined
      if (key !== undefined && !index.has(key)) index.set(key, number)
      number++
    }
  } finally {
    await file.close()
  }
  return index
}

/**
 * Writes the pack `to` that makes `path` out of `old`, or out of nothing.
 * @param blockBytes 4096 for file systems; 512 for UKIs, whose sections begin at such bounds
 */
export async function makePack(input: {
  path: string
  old?: string
  to: string
  blockBytes: number
  /** Packs at once instead of well. */
  isFast?: boolean
}): Promise<PackResult> {
  const { blockBytes } = input
  const options = { isFast: input.isFast ?? false }
  const index = await indexOf(input.old, blockBytes)
  const file = await open(input.path, 'r')
  const out = await open(input.to, 'w', 0o644)
  const result: PackResult = { bytes: 0, changedBytes: 0, copiedBytes: 0 }
  const write = async (bytes: Uint8Array) => {
    await out.writeFile(bytes)
    result.bytes += bytes.length
  }
  let run: Step | undefined
  let data: Buffer[] = []
  const flush = async () => {
    if (run)
      await write(
        encodeStep(run.kind === 'data' ? { ...run, bytes: Buffer.concat(data) } : run, options),
      )
    run = undefined
    data = []
  }
  const add = async (step: Step) => {
    const isFull = run?.kind === 'data' && (run.blocks + 1) * blockBytes > MAX_DATA_BYTES
    const goesOn =
      run?.kind === step.kind &&
      !isFull &&
      (run.kind !== 'copy' || (step.kind === 'copy' && step.first === run.first + run.blocks))
    if (!goesOn) await flush()
    if (run) run.blocks++
    else run = step
  }
  /** The block after the last one copied, where it fits: runs stay long although blocks repeat. */
  const sourceOf = (key: string, follows: Map<number, string>): number | undefined => {
    const next = run?.kind === 'copy' ? run.first + run.blocks : undefined
    return next !== undefined && follows.get(next) === key ? next : index.get(key)
  }
  try {
    const follows = new Map([...index].map(([key, number]) => [number, key]))
    await write(encodeHeader({ blockBytes, outBytes: (await file.stat()).size }))
    for await (const block of blocksOf(file, blockBytes)) {
      if (isZero(block)) {
        await add({ kind: 'zero', blocks: 1 })
        continue
      }
      const first = block.length === blockBytes ? sourceOf(keyOf(block), follows) : undefined
      if (first !== undefined) {
        result.copiedBytes += block.length
        await add({ kind: 'copy', blocks: 1, first })
        continue
      }
      result.changedBytes += block.length
      await add({ kind: 'data', blocks: 1, bytes: block })
      data.push(Buffer.from(block))
    }
    await flush()
    await write(encodeEnd())
    await out.sync()
  } finally {
    await out.close()
    await file.close()
  }
  return result
}
