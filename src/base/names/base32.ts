/** base32 in both alphabets of RFC 4648, without padding: infohashes in old magnets, and `convert`. */

const ALPHABETS = {
  /** RFC 4648 §6. */
  base32: 'abcdefghijklmnopqrstuvwxyz234567',
  /** RFC 4648 §7. */
  base32hex: '0123456789abcdefghijklmnopqrstuv',
}
export type Base32 = keyof typeof ALPHABETS

export function encodeBase32(bytes: Uint8Array, form: Base32): string {
  const alphabet = ALPHABETS[form]
  let text = ''
  let buffer = 0
  let bits = 0
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xfff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += alphabet.charAt((buffer >> bits) & 31)
    }
  }
  return bits === 0 ? text : text + alphabet.charAt((buffer << (5 - bits)) & 31)
}

/** Either case, with or without padding; undefined where it is not the encoding of any bytes. */
export function decodeBase32(text: string, form: Base32): Uint8Array | undefined {
  const alphabet = ALPHABETS[form]
  const digits = text.toLowerCase().replace(/={1,6}$/, '')
  const bytes = new Uint8Array(Math.floor((digits.length * 5) / 8))
  let buffer = 0
  let bits = 0
  let at = 0
  for (const digit of digits) {
    const value = alphabet.indexOf(digit)
    if (value < 0) return undefined
    buffer = ((buffer << 5) | value) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes[at++] = (buffer >> bits) & 0xff
  }
  // Bits that no byte uses must be zero and fewer than a digit's, or two texts stand for the same.
  if (bits >= 5 || (buffer & ((1 << bits) - 1)) !== 0) return undefined
  return bytes
}
