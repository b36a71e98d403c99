import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { concatBytes } from '../../../src/base/bytes.ts'
import { decodeInfo } from '../../../src/base/metainfo/decode.ts'
import { encodeInfo } from '../../../src/base/metainfo/encode.ts'
import type { Metainfo } from '../../../src/base/metainfo/metainfo.ts'
import { createPieceHasher } from '../../../src/base/metainfo/piece-hasher.ts'
import {
  fileAt,
  fileRangesOfPiece,
  hashOfPiece,
  lengthOfPiece,
  piecesOfFile,
  piecesOfRange,
} from '../../../src/base/metainfo/pieces.ts'

const PIECE = 16_384

function torrentOf(...lengths: number[]): Metainfo {
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const pieces = Uint8Array.from({ length: 20 * Math.ceil(total / PIECE) }, (_, i) => i % 251)
  const files = lengths.map((length, i) => ({ path: [`${i}`], length }))
  return decodeInfo(
    encodeInfo({ name: 'x', files, isSingleFile: false, pieceLength: PIECE, pieces }),
  )
}

// 0: pieces 0 and 1; 1: empty; 2: within piece 1; 3: pieces 1 to 3.
const torrent = torrentOf(PIECE + 10, 0, 20, 2 * PIECE)

describe('pieces of a range', () => {
  it('are those its bytes lie in', () => {
    assert.deepEqual(piecesOfRange(torrent, 0, { start: 0, end: 1 }), { start: 0, end: 1 })
    assert.deepEqual(piecesOfRange(torrent, 0, { start: 0, end: PIECE }), { start: 0, end: 1 })
    assert.deepEqual(piecesOfRange(torrent, 0, { start: 0, end: PIECE + 1 }), { start: 0, end: 2 })
    assert.deepEqual(piecesOfRange(torrent, 3, { start: PIECE, end: PIECE + 1 }), {
      start: 2,
      end: 3,
    })
  })

  it('are none for an empty range, an empty file, and beyond the file', () => {
    for (const [file, start, end] of [
      [0, 5, 5],
      [0, 9, 5],
      [1, 0, 100],
      [2, 20, 30],
      [9, 0, 10],
    ] as const) {
      const range = piecesOfRange(torrent, file, { start, end })
      assert.equal(range.end, range.start)
    }
  })

  it('end with the file', () => {
    assert.deepEqual(piecesOfRange(torrent, 2, { start: 0, end: 1e9 }), { start: 1, end: 2 })
    assert.deepEqual(piecesOfFile(torrent, 0), { start: 0, end: 2 })
    assert.deepEqual(piecesOfFile(torrent, 3), { start: 1, end: 4 })
    assert.deepEqual(piecesOfFile(torrent, 1), { start: 1, end: 1 })
  })
})

describe('a piece', () => {
  it('is made of parts of files, empty ones left out', () => {
    assert.deepEqual(fileRangesOfPiece(torrent, 1), [
      { fileIndex: 0, range: { start: PIECE, end: PIECE + 10 } },
      { fileIndex: 2, range: { start: 0, end: 20 } },
      { fileIndex: 3, range: { start: 0, end: PIECE - 30 } },
    ])
  })

  it('is shorter at the end and nothing beyond it', () => {
    assert.equal(lengthOfPiece(torrent, 0), PIECE)
    assert.equal(lengthOfPiece(torrent, 3), 30)
    assert.equal(lengthOfPiece(torrent, 4), 0)
    assert.equal(lengthOfPiece(torrent, -1), 0)
    assert.deepEqual(fileRangesOfPiece(torrent, 4), [])
  })

  it('has its 20 bytes of hash', () => {
    assert.deepEqual(
      [...hashOfPiece(torrent, 1)],
      Array.from({ length: 20 }, (_, i) => 20 + i),
    )
  })

  it('and the files agree on where every byte is, in any torrent', () => {
    const lengths = fc
      .array(fc.oneof(fc.constant(0), fc.nat(100), fc.nat(5 * PIECE)), {
        minLength: 1,
        maxLength: 12,
      })
      .filter((all) => all.some((length) => length > 0))
    fc.assert(
      fc.property(lengths, (lengths) => {
        const metainfo = torrentOf(...lengths)
        const seen = lengths.map(() => 0)
        for (let piece = 0; piece < metainfo.pieceCount; piece++) {
          let bytes = 0
          for (const { fileIndex, range } of fileRangesOfPiece(metainfo, piece)) {
            assert.equal(range.start, seen[fileIndex], 'parts of a file follow each other')
            seen[fileIndex] = range.end
            bytes += range.end - range.start
            const around = piecesOfRange(metainfo, fileIndex, range)
            assert.deepEqual(around, { start: piece, end: piece + 1 })
            const offset = (metainfo.files[fileIndex]?.offset ?? 0) + range.start
            assert.equal(fileAt(metainfo, offset)?.index, fileIndex)
          }
          assert.equal(bytes, lengthOfPiece(metainfo, piece))
        }
        assert.deepEqual(seen, lengths)
      }),
    )
  })
})

describe('fileAt', () => {
  it('names the file of a byte, never an empty one', () => {
    assert.equal(fileAt(torrent, 0)?.index, 0)
    assert.equal(fileAt(torrent, PIECE + 9)?.index, 0)
    assert.equal(fileAt(torrent, PIECE + 10)?.index, 2)
    assert.equal(fileAt(torrent, torrent.totalLength - 1)?.index, 3)
    assert.equal(fileAt(torrent, torrent.totalLength), undefined)
    assert.equal(fileAt(torrent, -1), undefined)
  })
})

describe('the piece hasher', () => {
  it('hashes pieces whatever the chunks are', () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 30 })
    fc.assert(
      fc.property(chunks, fc.integer({ min: 1, max: 70 }), (chunks, pieceLength) => {
        const hasher = createPieceHasher(pieceLength)
        for (const chunk of chunks) hasher.push(chunk)
        const all = concatBytes(...chunks)
        const expected: Uint8Array[] = []
        for (let at = 0; at < all.length; at += pieceLength) {
          const piece = all.subarray(at, at + pieceLength)
          expected.push(createHash('sha1').update(piece).digest())
        }
        assert.deepEqual(hasher.finish(), concatBytes(...expected))
      }),
    )
  })

  it('makes 400,000 hashes', () => {
    const hasher = createPieceHasher(1)
    hasher.push(new Uint8Array(400_000))
    assert.equal(hasher.finish().length, 20 * 400_000)
  })

  it('makes no hash of nothing', () => {
    assert.equal(createPieceHasher(PIECE).finish().length, 0)
  })
})
