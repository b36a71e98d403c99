/** Files that are blobs already become one torrent, linked in the store. */
import { createHash } from 'node:crypto'
import { toHex } from '../../base/bytes.ts'
import { messageOf } from '../../base/errors.ts'
import { type InfoHash, infoHash, type Sha256 } from '../../base/hashes.ts'
import { encodeInfo } from '../../base/metainfo/encode.ts'
import { BadMetainfo } from '../../base/metainfo/errors.ts'
import { pieceLengthFor } from '../../base/metainfo/piece-length.ts'
import type { Store } from '../../base/ports/store.ts'
import type { PublisherConfig } from './config.ts'
import { Empty, Refused } from './errors.ts'

export interface StoredFile {
  path: readonly string[]
  length: number
  sha256: Sha256
}

export interface MadeTorrent {
  infoHash: InfoHash
  info: Uint8Array
  totalLength: number
}

/**
 * The length of pieces hangs on the sizes of the files alone, so that the same files give the same
 * infohash; a file of the threshold or more asks for the configured one.
 */
export function pieceLengthOf(
  files: readonly { length: number }[],
  storage: PublisherConfig['storage'],
): number {
  if (files.some(({ length }) => length >= storage.blob_threshold)) return storage.chunk_size
  return pieceLengthFor(files.reduce((sum, { length }) => sum + length, 0))
}

/**
 * Writes the info dict and links the torrent's folder; it takes over the puts of the files.
 * Always a torrent of several files, so that a site of one file keeps that file's name.
 */
export async function makeTorrent(
  store: Store,
  parts: { name: string; files: readonly StoredFile[]; pieceLength: number; pieces: Uint8Array },
): Promise<MadeTorrent> {
  const totalLength = parts.files.reduce((sum, { length }) => sum + length, 0)
  if (totalLength === 0) throw new Empty(parts.name)
  let info: Uint8Array
  try {
    info = encodeInfo({ ...parts, isSingleFile: false })
  } catch (error) {
    if (error instanceof BadMetainfo) {
      throw new Refused(parts.name, messageOf(error), { cause: error })
    }
    throw error
  }
  const hash = infoHash(toHex(createHash('sha1').update(info).digest()))
  await store.torrents.link(
    hash,
    info,
    parts.files.map((file) => file.sha256),
  )
  return { infoHash: hash, info, totalLength }
}

/** Takes back puts that no torrent came of. */
export async function discardAll(store: Store, blobs: readonly Sha256[]): Promise<void> {
  for (const blob of blobs) await store.blobs.discard(blob)
}
