/** Compares bytes, given in order, with a torrent's piece sums; so a disk that lies is not believed. */
import { createHash, type Hash } from 'node:crypto'
import { equalBytes } from '../../base/bytes.ts'
import type { Metainfo } from '../../base/metainfo/metainfo.ts'

const SHA1_BYTES = 20
const ZEROS = new Uint8Array(65_536)

export interface PieceCheck {
  write(chunk: Uint8Array): void
  /** As many zero bytes: a pad file (BEP 47). */
  writeZeros(bytes: number): void
  /** Index of the first piece that differs; undefined when all given so far agree. */
  bad(): number | undefined
  /** The same, when everything was given. */
  end(): number | undefined
}

export function createPieceCheck(metainfo: Pick<Metainfo, 'pieceLength' | 'pieces'>): PieceCheck {
  const { pieceLength, pieces } = metainfo
  let hash: Hash | undefined
  let inPiece = 0
  let piece = 0
  let firstBad: number | undefined

  function finish(): void {
    if (!hash) return
    const expected = pieces.subarray(piece * SHA1_BYTES, (piece + 1) * SHA1_BYTES)
    if (!equalBytes(hash.digest(), expected)) firstBad ??= piece
    hash = undefined
    inPiece = 0
    piece++
  }

  function write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + pieceLength - inPiece)
      hash ??= createHash('sha1')
      hash.update(part)
      inPiece += part.length
      at += part.length
      if (inPiece === pieceLength) finish()
    }
  }

  return {
    write,
    writeZeros(bytes) {
      for (let left = bytes; left > 0; left -= ZEROS.length) {
        write(ZEROS.subarray(0, Math.min(left, ZEROS.length)))
      }
    },
    bad: () => firstBad,
    end() {
      finish()
      return firstBad
    },
  }
}
