/** Which pieces a part of a file lies in, and which parts of files make a piece. */
import type { ByteRange } from '../ports/torrent-engine.ts'
import type { Metainfo, TorrentFile } from './metainfo.ts'
import { PIECE_HASH_BYTES } from './piece-length.ts'

/** Half-open, like a byte range: from piece `start` up to, not including, piece `end`. */
export type PieceRange = ByteRange

export interface FileRange {
  fileIndex: number
  /** Within the file. */
  range: ByteRange
}

/** Index of the first file that ends after byte `at` of the torrent; `files.length` past the end. */
function firstFileEndingAfter(files: readonly TorrentFile[], at: number): number {
  let low = 0
  let high = files.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const file = files[middle]
    if (file && file.offset + file.length <= at) low = middle + 1
    else high = middle
  }
  return low
}

/** The file that has byte `offset` of the torrent's data; never an empty one. */
export function fileAt(metainfo: Metainfo, offset: number): TorrentFile | undefined {
  return offset < 0 ? undefined : metainfo.files[firstFileEndingAfter(metainfo.files, offset)]
}

/** The pieces that bytes `range` of a file lie in; empty for an empty range and beyond the file. */
export function piecesOfRange(metainfo: Metainfo, fileIndex: number, range: ByteRange): PieceRange {
  const file = metainfo.files[fileIndex]
  const length = file?.length ?? 0
  const from = Math.max(0, Math.min(range.start, length))
  const to = Math.min(range.end, length)
  const offset = file?.offset ?? 0
  const start = Math.floor((offset + from) / metainfo.pieceLength)
  if (to <= from) return { start, end: start }
  return { start, end: Math.ceil((offset + to) / metainfo.pieceLength) }
}

/** All pieces that have a byte of the file. */
export const piecesOfFile = (metainfo: Metainfo, fileIndex: number): PieceRange =>
  piecesOfRange(metainfo, fileIndex, { start: 0, end: metainfo.files[fileIndex]?.length ?? 0 })

/** Bytes of a piece: `pieceLength`, less for the last one, 0 for one that does not exist. */
export function lengthOfPiece(metainfo: Metainfo, piece: number): number {
  const left = metainfo.totalLength - piece * metainfo.pieceLength
  return piece < 0 ? 0 : Math.max(0, Math.min(metainfo.pieceLength, left))
}

/** The parts of files, pads among them, whose bytes in order are the piece. */
export function fileRangesOfPiece(metainfo: Metainfo, piece: number): FileRange[] {
  const { files, pieceLength } = metainfo
  const start = piece * pieceLength
  const end = start + lengthOfPiece(metainfo, piece)
  const ranges: FileRange[] = []
  for (let i = firstFileEndingAfter(files, start); i < files.length; i++) {
    const file = files[i]
    if (!file || file.offset >= end) break
    const range = {
      start: Math.max(0, start - file.offset),
      end: Math.min(file.length, end - file.offset),
    }
    if (range.end > range.start) ranges.push({ fileIndex: file.index, range })
  }
  return ranges
}

/** The 20 bytes that a piece's data must hash to. */
export const hashOfPiece = (metainfo: Metainfo, piece: number): Uint8Array =>
  metainfo.pieces.subarray(piece * PIECE_HASH_BYTES, (piece + 1) * PIECE_HASH_BYTES)
