/** How large the pieces of a torrent are; which lengths are taken from others. */

/** BEP 52 has the same least; blocks are as large, so smaller pieces would be parts of blocks. */
export const MIN_PIECE_LENGTH = 16 * 1024
/** A piece is held in memory until it is verified. */
export const MAX_PIECE_LENGTH = 64 * 1024 * 1024
/** SHA-1, of which `pieces` is made. */
export const PIECE_HASH_BYTES = 20

const MAX_CHOSEN = 16 * 1024 * 1024
const WANTED_PIECES = 2048

/**
 * The piece length for `total` bytes: 16 KiB, doubled up to 16 MiB while there would be more than
 * 2048 pieces. The same size gives the same length, for ever: the infohash hangs on it.
 */
export function pieceLengthFor(total: number): number {
  let length = MIN_PIECE_LENGTH
  while (length < MAX_CHOSEN && total / length > WANTED_PIECES) length *= 2
  return length
}
