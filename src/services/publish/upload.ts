/** Uploaded files, in whatever order they come, become one torrent in one order. */
import { createReadStream } from 'node:fs'
import { codeOf } from '../../base/errors.ts'
import { createPieceHasher } from '../../base/metainfo/piece-hasher.ts'
import type { UploadedFile } from '../../base/ports/content.ts'
import type { Store, StoredBlob } from '../../base/ports/store.ts'
import { formatSize } from '../../base/units.ts'
import type { PublisherConfig } from './config.ts'
import { BadPath, TooLarge, TooManyFiles } from './errors.ts'
import { faultOfName, MAX_DEPTH } from './name-rules.ts'
import { discardAll, type MadeTorrent, makeTorrent, pieceLengthOf } from './torrent.ts'

const DEFAULT_NAME = 'btlink upload'
const READ_BYTES = 262_144

interface Received {
  path: readonly string[]
  blob: StoredBlob
}

/** The path without its empty parts; undefined for a part of the form without file. */
function checkPath(raw: readonly string[]): string[] | undefined {
  const shown = raw.join('/').slice(0, 200)
  const path = raw.filter((name) => name !== '')
  if (path.length === 0) return undefined
  if (raw[0] === '') throw new BadPath(shown, 'the path begins with a slash')
  if (path.length > MAX_DEPTH) throw new BadPath(shown, `more than ${MAX_DEPTH} folders deep`)
  for (const name of path) {
    // Windows programs take the backslash for a slash: `..\\..\\x` must not leave the folder there.
    const fault = name.includes('\\') ? 'a name has a backslash inside' : faultOfName(name)
    if (fault !== undefined) throw new BadPath(shown, fault)
  }
  return path
}

/** Files and the folders they are in: no path may be two files, or a file and a folder. */
function createPathSet() {
  const files = new Set<string>()
  const folders = new Set<string>()
  return (path: readonly string[]): void => {
    const whole = path.join('/')
    if (files.has(whole)) throw new BadPath(whole, 'two files have this path')
    if (folders.has(whole)) throw new BadPath(whole, 'it is a file and a folder')
    for (let depth = 1; depth < path.length; depth++) {
      const folder = path.slice(0, depth).join('/')
      if (files.has(folder)) throw new BadPath(folder, 'it is a file and a folder')
      folders.add(folder)
    }
    files.add(whole)
  }
}

async function hashPieces(received: Received[], pieceLength: number, signal?: AbortSignal) {
  const hasher = createPieceHasher(pieceLength)
  for (const { blob } of received) {
    const stream = createReadStream(blob.path, {
      highWaterMark: READ_BYTES,
      ...(signal && { signal }),
    })
    for await (const chunk of stream) hasher.push(chunk as Uint8Array)
  }
  return hasher.finish()
}

async function* nothingBut(content: AsyncIterable<Uint8Array>, maxBytes: number) {
  let bytes = 0
  for await (const chunk of content) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new TooLarge(formatSize(maxBytes))
    yield chunk
  }
}

async function receive(
  store: Store,
  files: AsyncIterable<UploadedFile>,
  limits: { maxBytes: number; maxFiles: number; kept: Received[] },
  signal?: AbortSignal,
): Promise<void> {
  const { kept } = limits
  const claim = createPathSet()
  let left = limits.maxBytes
  let parts = 0
  for await (const file of files) {
    signal?.throwIfAborted()
    if (++parts > limits.maxFiles) throw new TooManyFiles('the upload', limits.maxFiles)
    const path = checkPath(file.path)
    if (path === undefined) {
      // Its bytes stand between us and the next part.
      for await (const chunk of nothingBut(file.content, left)) left -= chunk.length
      continue
    }
    claim(path)
    try {
      const blob = await store.blobs.put(file.content, {
        maxBytes: left,
        ...(signal && { signal }),
      })
      left -= blob.length
      kept.push({ path, blob })
    } catch (error) {
      if (codeOf(error) !== 'BTL_ERR_STORE_TOO_LARGE') throw error
      throw new TooLarge(formatSize(limits.maxBytes), { cause: error })
    }
  }
}

/**
 * Streams the files into blobs, then reads them once more in the order of their paths for the
 * piece sums: browsers send them in any order, and the infohash must not hang on it.
 */
export async function receiveUpload(
  store: Store,
  upload: { name: string; files: AsyncIterable<UploadedFile>; maxBytes?: number | undefined },
  config: PublisherConfig,
  signal?: AbortSignal,
): Promise<MadeTorrent & { files: number }> {
  const title = upload.name.trim() === '' ? DEFAULT_NAME : upload.name.trim()
  const fault = faultOfName(title)
  if (fault !== undefined) throw new BadPath(title.slice(0, 200), fault)
  const kept: Received[] = []
  const maxBytes = Math.min(upload.maxBytes ?? Infinity, config.uploads.max_size)
  let done = false
  try {
    await receive(
      store,
      upload.files,
      { maxBytes, maxFiles: config.uploads.max_files, kept },
      signal,
    )
    const sorted = kept
      .map((each) => ({ each, key: Buffer.from(each.path.join('/')) }))
      .sort((a, b) => Buffer.compare(a.key, b.key))
      .map(({ each }) => each)
    const stored = sorted.map(({ path, blob: { length, sha256 } }) => ({ path, length, sha256 }))
    const pieceLength = pieceLengthOf(stored, config.storage)
    const pieces = await hashPieces(sorted, pieceLength, signal)
    const torrent = await makeTorrent(store, { name: title, files: stored, pieceLength, pieces })
    done = true
    return { ...torrent, files: stored.length }
  } finally {
    if (!done)
      await discardAll(
        store,
        kept.map(({ blob }) => blob.sha256),
      )
  }
}
