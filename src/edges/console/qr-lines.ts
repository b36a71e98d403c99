/** A QR code of half blocks: two modules a character, light where the terminal is dark. */
import { encode } from 'uqr'

/** ISO/IEC 18004 §5.3.8 wants four; more than two leave no room for words, and scanners take two. */
const BORDER = 2
const GLYPHS = { both: '█', upper: '▀', lower: '▄', none: ' ' } as const

/** For light letters on dark: what is light in the code is drawn. Every line is as long as the first. */
export function qrLines(text: string): string[] {
  const { size, data } = encode(text, { ecc: 'L', border: BORDER })
  // Below the last row of an odd number is nothing, which is dark: the border has a row to spare.
  const isLight = (x: number, y: number): boolean => y < size && data[y]?.[x] === false
  return Array.from({ length: Math.ceil(size / 2) }, (_, row) =>
    Array.from({ length: size }, (_, x) => {
      const upper = isLight(x, 2 * row)
      const lower = isLight(x, 2 * row + 1)
      if (upper) return lower ? GLYPHS.both : GLYPHS.upper
      return lower ? GLYPHS.lower : GLYPHS.none
    }).join(''),
  )
}
