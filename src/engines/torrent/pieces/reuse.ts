/** Pieces taken from local files that may hold the same bytes: an older version of a site. */
import { open, type FileHandle } from 'node:fs/promises'
import type { ReuseCandidate } from '../../../base/ports/torrent-engine.ts'
import type { KnownTorrent } from './known-torrent.ts'
import { isGoodPiece } from './piece-hash.ts'

/** Copies what verifies; candidates that are missing or differ cost a read and nothing else. */
export async function reuseFiles(
  torrent: KnownTorrent,
  candidates: readonly ReuseCandidate[],
  signal: AbortSignal,
): Promise<void> {
  const { metainfo, map, have } = torrent
  const files = new Map<number, FileHandle>()
  try {
    for (const { fileIndex, path } of candidates) {
      if (files.has(fileIndex) || metainfo.files[fileIndex] === undefined) continue
      try {
        files.set(fileIndex, await open(path, 'r'))
      } catch {
        // It was worth a try.
      }
    }
    const pieces = new Set<number>()
    for (const fileIndex of files.keys()) {
      const length = metainfo.files[fileIndex]?.length ?? 0
      const span = map.span(fileIndex, { start: 0, end: length })
      for (let piece = span?.first ?? 0; piece <= (span?.last ?? -1); piece++) pieces.add(piece)
    }
    for (const piece of pieces) {
      if (signal.aborted) return
      if (have.has(piece)) continue
      const bytes = await readPiece(torrent, files, piece)
      if (bytes === undefined || !(await isGoodPiece(metainfo, piece, bytes))) continue
      await torrent.write(piece, bytes)
      torrent.arrived(piece)
    }
  } finally {
    for (const file of files.values()) await file.close()
  }
}

/** The piece out of candidates, and where they end out of pieces that are there already. */
async function readPiece(
  torrent: KnownTorrent,
  files: ReadonlyMap<number, FileHandle>,
  piece: number,
): Promise<Uint8Array | undefined> {
  const { metainfo, map } = torrent
  const bytes = new Uint8Array(map.pieceLength(piece))
  for (const slice of map.slices(piece, 0, bytes.length)) {
    if (metainfo.files[slice.fileIndex]?.isPad === true) continue
    const file = files.get(slice.fileIndex)
    if (file === undefined) return undefined
    const { bytesRead } = await file.read(bytes, slice.at, slice.length, slice.fileOffset)
    if (bytesRead !== slice.length) return undefined
  }
  return bytes
}
