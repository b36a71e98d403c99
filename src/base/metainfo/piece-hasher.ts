/** `pieces` of a torrent out of its data in order, in chunks of any size. */
import { createHash } from 'node:crypto'
import { joinBytes } from '../bytes.ts'

export interface PieceHasher {
  /** The chunk is not kept. Hashing holds the loop: about 1 ms a megabyte. */
  push(chunk: Uint8Array): void
  /** 20 bytes a piece, the last piece as long as the data was; nothing may be pushed afterwards. */
  finish(): Uint8Array
}

export function createPieceHasher(pieceLength: number): PieceHasher {
  const hashes: Uint8Array[] = []
  let sha1 = createHash('sha1')
  let inPiece = 0

  function close(): void {
    hashes.push(sha1.digest())
    sha1 = createHash('sha1')
    inPiece = 0
  }

  return {
    push(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const part = chunk.subarray(at, at + pieceLength - inPiece)
        sha1.update(part)
        at += part.length
        inPiece += part.length
        if (inPiece === pieceLength) close()
      }
    },
    finish() {
      if (inPiece > 0) close()
      return joinBytes(hashes)
    },
  }
}
