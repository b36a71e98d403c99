/** A set of piece indices as the bitfield the wire sends (BEP 3: the high bit of the first byte is piece 0). */

export interface PieceSet {
  readonly count: number
  readonly size: number
  has(piece: number): boolean
  add(piece: number): void
  delete(piece: number): void
  /** A copy; spare bits are zero. */
  bytes(): Uint8Array
}

export const fullBits = (count: number): Uint8Array => {
  const bits = new Uint8Array(Math.ceil(count / 8)).fill(0xff)
  const spare = bits.length * 8 - count
  if (spare > 0) bits[bits.length - 1] = (0xff << spare) & 0xff
  return bits
}

/** @param bits of the right length, else ignored; spare bits are cleared */
export function createPieceSet(count: number, bits?: Uint8Array): PieceSet {
  const field = new Uint8Array(Math.ceil(count / 8))
  if (bits?.length === field.length) {
    const mask = fullBits(count)
    for (let i = 0; i < field.length; i++) field[i] = (bits[i] ?? 0) & (mask[i] ?? 0)
  }
  let size = 0
  for (const byte of field) for (let rest = byte; rest > 0; rest &= rest - 1) size++

  const has = (piece: number) => ((field[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0
  return {
    count,
    get size() {
      return size
    },
    has,
    add(piece) {
      if (piece < 0 || piece >= count || has(piece)) return
      field[piece >> 3] = (field[piece >> 3] ?? 0) | (0x80 >> (piece & 7))
      size++
    },
    delete(piece) {
      if (!has(piece)) return
      field[piece >> 3] = (field[piece >> 3] ?? 0) & ~(0x80 >> (piece & 7))
      size--
    },
    bytes: () => field.slice(),
  }
}
