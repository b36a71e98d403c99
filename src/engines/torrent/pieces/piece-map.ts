/** Which bytes of which files a piece holds, and which pieces a range of a file needs. */
import type { Metainfo } from '../../../base/metainfo/metainfo.ts'
import type { ByteRange } from '../../../base/ports/torrent-engine.ts'

/** A run of bytes that lies both in one piece and in one file. */
export interface Slice {
  fileIndex: number
  /** First byte within the file. */
  fileOffset: number
  /** First byte within the block that was asked for. */
  at: number
  length: number
}

/** Inclusive on both ends. */
export interface PieceSpan {
  first: number
  last: number
}

export interface PieceMap {
  readonly count: number
  pieceLength(piece: number): number
  /** The files' parts of `length` bytes of a piece from `offset`, in order. */
  slices(piece: number, offset: number, length: number): Slice[]
  /** Undefined where the range holds no byte. */
  span(fileIndex: number, range: ByteRange): PieceSpan | undefined
  /** The part of the file that the piece covers, undefined where they do not meet. */
  rangeIn(piece: number, fileIndex: number): ByteRange | undefined
}

export function createPieceMap(metainfo: Metainfo): PieceMap {
  const { files, pieceLength, totalLength, pieceCount } = metainfo

  /** The first file that ends after byte `at`: files of no length are passed over. */
  function fileAt(at: number): number {
    let low = 0
    let high = files.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const file = files[middle]
      if (file !== undefined && file.offset + file.length <= at) low = middle + 1
      else high = middle
    }
    return low
  }

  const lengthOf = (piece: number) => Math.min(pieceLength, totalLength - piece * pieceLength)

  return {
    count: pieceCount,
    pieceLength: lengthOf,
    slices(piece, offset, length) {
      const start = piece * pieceLength + offset
      const end = Math.min(start + length, totalLength)
      const found: Slice[] = []
      for (let position = start, index = fileAt(start); position < end; index++) {
        const file = files[index]
        if (file === undefined) break
        const take = Math.min(end, file.offset + file.length) - position
        if (take <= 0) continue
        found.push({
          fileIndex: index,
          fileOffset: position - file.offset,
          at: position - start,
          length: take,
        })
        position += take
      }
      return found
    },
    span(fileIndex, range) {
      const file = files[fileIndex]
      if (file === undefined || range.end <= range.start) return undefined
      return {
        first: Math.floor((file.offset + range.start) / pieceLength),
        last: Math.floor((file.offset + range.end - 1) / pieceLength),
      }
    },
    rangeIn(piece, fileIndex) {
      const file = files[fileIndex]
      if (file === undefined) return undefined
      const start = Math.max(piece * pieceLength - file.offset, 0)
      const end = Math.min(piece * pieceLength + lengthOf(piece) - file.offset, file.length)
      return end > start ? { start, end } : undefined
    },
  }
}
