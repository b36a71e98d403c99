/** A folder becomes blobs and piece sums in one reading; what was read is what is published. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { codeOf } from '../../base/errors.ts'
import type { Sha256 } from '../../base/hashes.ts'
import { createPieceHasher, type PieceHasher } from '../../base/metainfo/piece-hasher.ts'
import type { Store, StoredBlob } from '../../base/ports/store.ts'
import type { PublisherConfig } from './config.ts'
import { BadFolder, Changing } from './errors.ts'
import type { KnownFiles } from './known-files.ts'
import { discardAll, type MadeTorrent, makeTorrent, pieceLengthOf } from './torrent.ts'
import { type FoundFile, type FoundFolder, walkFolder } from './walk.ts'

const READ_BYTES = 262_144
// Reading goes on while so many earlier files are being synced: most of the time of a small file.
const PUTS_UNDER_WAY = 8
const TRIES = 3
// The store names its own failures: these come from the folder.
const UNREADABLE: Readonly<Record<string, string>> = {
  EACCES: 'a file may not be read',
  EPERM: 'a file may not be read',
  EIO: 'a file cannot be read from its disk',
  EINVAL: 'a file cannot be read as others are',
  ENAMETOOLONG: 'a path in it is too long',
}

export interface ReadFolder {
  torrent: MadeTorrent
  found: FoundFolder
}

export interface ReadOptions {
  name: string
  storage: PublisherConfig['storage']
  maxFiles: number
  known: KnownFiles
}

interface Reading {
  store: Store
  known: KnownFiles
  hasher: PieceHasher
  puts: Promise<StoredBlob>[]
  /** Blobs that were there and are not ours to take back. */
  found: Set<Promise<StoredBlob>>
  signal: AbortSignal | undefined
}

async function* readFile(file: FoundFile, hasher: PieceHasher): AsyncGenerator<Uint8Array> {
  // Neither a link nor a pipe that took the file's place since the walk is followed or waited for.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const handle = await open(file.place, flags)
  try {
    if (!(await handle.stat()).isFile()) throw new BadFolder(file.place, 'it is no longer a file')
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, file.length + 1))
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length)
      if (bytesRead === 0) return
      const chunk = buffer.subarray(0, bytesRead)
      hasher.push(chunk)
      yield chunk
    }
  } finally {
    await handle.close()
  }
}

/** Reads a file that should be the blob `sha256` already; what was read is what counts. */
async function readKnown(reading: Reading, file: FoundFile, blob: StoredBlob): Promise<void> {
  const hash = createHash('sha256')
  for await (const chunk of readFile(file, reading.hasher)) {
    reading.signal?.throwIfAborted()
    hash.update(chunk)
  }
  if (hash.digest('hex') !== blob.sha256) {
    reading.known.forget(file)
    throw new Changing(file.place)
  }
  const put = Promise.resolve(blob)
  reading.puts.push(put)
  reading.found.add(put)
}

/** Resolves when the file was read; its put is then still being made durable. */
async function readInto(reading: Reading, file: FoundFile): Promise<void> {
  const { store, hasher, puts, signal } = reading
  const sha256 = reading.known.find(file)
  const blob = sha256 && (await store.blobs.get(sha256))
  if (blob) return readKnown(reading, file, blob)
  let put: Promise<StoredBlob> | undefined
  const read = new Promise<void>((resolve) => {
    async function* source() {
      yield* readFile(file, hasher)
      resolve()
    }
    put = store.blobs.put(source(), signal ? { signal } : {})
  })
  if (!put) return
  puts.push(put)
  // It may fail while a later file is read; it is asked for in the end.
  put.catch(() => {})
  await Promise.race([read, put])
  await puts[puts.length - PUTS_UNDER_WAY]
}

async function readOnce(
  store: Store,
  found: FoundFolder,
  options: ReadOptions & { last: boolean },
  signal?: AbortSignal,
): Promise<MadeTorrent | undefined> {
  const pieceLength = pieceLengthOf(found.files, options.storage)
  const hasher = createPieceHasher(pieceLength)
  const { known } = options
  const reading: Reading = { store, known, hasher, puts: [], found: new Set(), signal }
  let done = false
  try {
    for (const file of found.files) await readInto(reading, file)
    const blobs = await Promise.all(reading.puts)
    const files = found.files.map((file, index) => stored(file, blobs[index]))
    // The sizes changed so much while it was read that another reader would choose other pieces.
    if (!options.last && pieceLengthOf(files, options.storage) !== pieceLength) return undefined
    const parts = { name: options.name, files, pieceLength, pieces: hasher.finish() }
    const torrent = await makeTorrent(store, parts)
    for (const [index, file] of found.files.entries()) {
      const blob = blobs[index]
      if (blob) known.learn(file, blob.sha256)
    }
    done = true
    return torrent
  } finally {
    const own = reading.puts.filter((put) => !reading.found.has(put))
    const puts = await Promise.allSettled(own)
    if (!done) await discardAll(store, puts.flatMap(hashOf))
  }
}

const hashOf = (put: PromiseSettledResult<StoredBlob>): Sha256[] =>
  put.status === 'fulfilled' ? [put.value.sha256] : []

function stored(file: FoundFile, blob: StoredBlob | undefined) {
  if (!blob) throw new Changing(file.place)
  return { path: file.path, length: blob.length, sha256: blob.sha256 }
}

/** Walks and reads the folder, again where files vanished meanwhile, and links the torrent. */
export async function readFolder(
  store: Store,
  folder: string,
  options: ReadOptions,
  signal?: AbortSignal,
): Promise<ReadFolder> {
  for (let left = TRIES; left > 0; left--) {
    try {
      const found = await walkFolder(folder, options.maxFiles, signal)
      const torrent = await readOnce(store, found, { ...options, last: left === 1 }, signal)
      if (torrent) return { torrent, found }
    } catch (error) {
      const code = codeOf(error)
      const unreadable = code === undefined ? undefined : UNREADABLE[code]
      if (unreadable !== undefined) throw new BadFolder(folder, unreadable, { cause: error })
      const isMoving = code === 'ENOENT' || code === 'ELOOP' || error instanceof Changing
      if (!isMoving) throw error
    }
  }
  throw new Changing(folder)
}
