/**
 * What webtorrent reads blocks from for other peers. A piece is hashed when its first block is given
 * away, once a run: rotten bytes are neither spread nor counted as there.
 */
import type { ChunkStore } from 'webtorrent'
import type { Metainfo } from '../../../base/metainfo/metainfo.ts'
import { isGoodPiece } from './piece-hash.ts'
import type { PieceMap } from './piece-map.ts'
import { createPieceSet, type PieceSet } from './piece-set.ts'
import type { PieceStore } from './piece-store.ts'

const MAX_CACHE_BYTES = 32 * 1024 * 1024

/** Whole pieces read lately, of all torrents together. */
export interface PieceCache {
  get(key: string): Uint8Array | undefined
  put(key: string, bytes: Uint8Array): void
}

export function createPieceCache(maxBytes = MAX_CACHE_BYTES): PieceCache {
  const pieces = new Map<string, Uint8Array>()
  let size = 0
  return {
    get(key) {
      const bytes = pieces.get(key)
      if (bytes) {
        pieces.delete(key)
        pieces.set(key, bytes)
      }
      return bytes
    },
    put(key, bytes) {
      if (bytes.length > maxBytes / 2 || pieces.has(key)) return
      pieces.set(key, bytes)
      size += bytes.length
      for (const [oldest, old] of pieces) {
        if (size <= maxBytes) return
        pieces.delete(oldest)
        size -= old.length
      }
    },
  }
}

export interface UploadStore extends ChunkStore {
  /** The piece was hashed just now. */
  trust(piece: number): void
}

export interface UploadDeps {
  metainfo: Metainfo
  map: PieceMap
  have: PieceSet
  store: PieceStore
  cache: PieceCache
  /** The piece on the disk is not the torrent's. */
  rotten: (piece: number, cause: unknown) => void
}

export function createUploadStore(deps: UploadDeps): UploadStore {
  const { metainfo, map, have, store, cache, rotten } = deps
  const trusted = createPieceSet(map.count)
  const reading = new Map<number, Promise<Uint8Array | undefined>>()

  async function readWhole(piece: number): Promise<Uint8Array | undefined> {
    try {
      const bytes = await store.read(piece, 0, map.pieceLength(piece))
      if (!trusted.has(piece) && !(await isGoodPiece(metainfo, piece, bytes))) {
        rotten(piece, new Error('the hash does not match'))
        return undefined
      }
      trusted.add(piece)
      cache.put(`${metainfo.infoHash}/${piece}`, bytes)
      return bytes
    } catch (error) {
      rotten(piece, error)
      return undefined
    } finally {
      reading.delete(piece)
    }
  }

  async function block(piece: number, offset: number, length: number): Promise<Uint8Array> {
    if (!have.has(piece) || offset + length > map.pieceLength(piece))
      throw new RangeError(`no block ${piece}/${offset}`)
    const cached = cache.get(`${metainfo.infoHash}/${piece}`)
    if (cached) return cached.subarray(offset, offset + length)
    // Who asks for the first block asks for the others next.
    if (!trusted.has(piece) || offset === 0 || reading.has(piece)) {
      const running = reading.get(piece) ?? readWhole(piece)
      reading.set(piece, running)
      const whole = await running
      if (whole === undefined) throw new Error(`piece ${piece} is damaged`)
      return whole.subarray(offset, offset + length)
    }
    return store.read(piece, offset, length)
  }

  async function answer(
    piece: number,
    offset: number,
    length: number,
    done: (error: Error | null, bytes?: Uint8Array) => void,
  ): Promise<void> {
    try {
      const bytes = await block(piece, offset, length)
      done(null, bytes)
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)))
    }
  }

  return {
    chunkLength: metainfo.pieceLength,
    trust: (piece) => trusted.add(piece),
    get(piece, options, done) {
      const offset = options?.offset ?? 0
      const length = options?.length ?? map.pieceLength(piece) - offset
      void answer(piece, offset, length, done)
    },
    put(_piece, _bytes, done) {
      done(new Error('pieces are written by the scheduler'))
    },
    close: (done) => done(null),
    destroy: (done) => done(null),
  }
}
