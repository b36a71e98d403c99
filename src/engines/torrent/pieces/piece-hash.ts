/** Whether the bytes of a piece are those the info dict promises. */
import { createHash, webcrypto } from 'node:crypto'
import { equalBytes } from '../../../base/bytes.ts'
import type { Metainfo } from '../../../base/metainfo/metainfo.ts'

// Small pieces are hashed faster than a thread is asked; large ones would hold up the loop.
const HASH_APART_FROM = 512 * 1024
const SHA1_BYTES = 20

export async function isGoodPiece(
  metainfo: Metainfo,
  piece: number,
  bytes: Uint8Array,
): Promise<boolean> {
  const expected = metainfo.pieces.subarray(piece * SHA1_BYTES, (piece + 1) * SHA1_BYTES)
  const digest =
    bytes.length < HASH_APART_FROM
      ? createHash('sha1').update(bytes).digest()
      : new Uint8Array(await webcrypto.subtle.digest('SHA-1', bytes))
  return equalBytes(digest, expected)
}
