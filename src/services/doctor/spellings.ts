/** The ways in which programs write bytes down: patterns that find a secret in each of them. */
const MIN_BYTES = 4
const MAX_BYTES = 4096
const BITS = 6

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

/** Two digits a byte, with or without something between. */
const hexPattern = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('[:\\s.-]?')

/** Each byte as itself, as `%41`, `\x41` or `\u0041`: whoever escapes, escapes some of them. */
const textPattern = (bytes: Uint8Array): string =>
  [...bytes]
    .map((byte) => {
      const hex = byte.toString(16).padStart(2, '0')
      const digits = hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)
      const coded = `%${digits}|\\\\x${digits}|\\\\u00${digits}`
      const isPlain = byte >= 0x20 && byte < 0x7f
      const own = isPlain
        ? `\\\\?${escaped(String.fromCharCode(byte))}`
        : escaped(String.fromCharCode(byte))
      return byte === 0x20 ? `(?:${own}|${coded}|\\+)` : `(?:${own}|${coded})`
    })
    .join('')

/**
 * What base64 makes of the bytes wherever they stand in something longer: the characters that depend
 * on nothing else, in both alphabets (RFC 4648 §4 and §5).
 */
function base64Patterns(bytes: Uint8Array): string[] {
  return [0, 1, 2].flatMap((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const first = Math.ceil((before * 8) / BITS)
    const last = Math.floor(((before + bytes.length) * 8) / BITS)
    const certain = padded.slice(first, last)
    if (certain.length < BITS) return []
    const either = Array.from(certain, (one) =>
      one === '+' ? '(?:[+-]|%2[Bb])' : one === '/' ? '(?:[/_]|%2[Ff])' : one,
    )
    // A line may end anywhere.
    return either.join('(?:\\\\n|\\s)?')
  })
}

/** RFC 4648 §6, without what depends on what stands before and behind. */
function base32Pattern(bytes: Uint8Array): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join('')
}

const base36Pattern = (bytes: Uint8Array): string =>
  BigInt(`0x${Buffer.from(bytes).toString('hex')}`).toString(36)

/** None for what is too short to be told from ordinary words. */
export function spellingsOf(secret: Uint8Array): RegExp[] {
  const bytes = secret.subarray(0, MAX_BYTES)
  if (bytes.length < MIN_BYTES) return []
  return [
    new RegExp(textPattern(bytes), 'g'),
    new RegExp([hexPattern(bytes), base32Pattern(bytes), base36Pattern(bytes)].join('|'), 'gi'),
    ...base64Patterns(bytes).map((pattern) => new RegExp(pattern, 'g')),
  ]
}
