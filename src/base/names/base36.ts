/**
 * base36 as multiformats writes it: one big number in `0-9a-z`, and every leading zero byte is one
 * leading `0`. Each byte string has exactly one spelling, so a key has one host name.
 */
import { EMPTY, fromHex, toHex } from '../bytes.ts'
import { printable } from '../errors.ts'
import { type PublicKey, publicKey } from '../hashes.ts'
import { BadBase36 } from './errors.ts'

// Not after lower-casing, which makes a `k` of the Kelvin sign.
const ALPHABET = /^[0-9a-zA-Z]+$/
const LEADING_ZEROS = /^0*/
// Big-number arithmetic is quadratic: a cap keeps a hostile text from holding the loop.
const MAX_CHARACTERS = 4096
const KEY_BYTES = 32
// The largest power of 36 below 2^53: digits that one ordinary number can take at a time.
const CHUNK = 10

export function encodeBase36(bytes: Uint8Array): string {
  let zeros = 0
  while (zeros < bytes.length && bytes[zeros] === 0) zeros++
  const rest = bytes.subarray(zeros)
  const digits = rest.length === 0 ? '' : BigInt(`0x${toHex(rest)}`).toString(36)
  return '0'.repeat(zeros) + digits
}

/** Upper case is accepted. @throws BadBase36 on the empty string and on any other character */
export function decodeBase36(text: string): Uint8Array {
  const lower = text.toLowerCase()
  if (lower === '') throw new BadBase36('', 'it is empty')
  if (lower.length > MAX_CHARACTERS) throw new BadBase36(printable(text), 'it is too long')
  if (!ALPHABET.test(text)) {
    throw new BadBase36(printable(text), 'only digits and the letters a to z may stand in it')
  }
  const zeros = LEADING_ZEROS.exec(lower)?.[0].length ?? 0
  if (zeros === lower.length) return new Uint8Array(zeros)
  const hex = numberOf(lower.slice(zeros)).toString(16)
  const rest = fromHex(hex.length % 2 === 0 ? hex : `0${hex}`)
  if (zeros === 0) return rest
  const bytes = new Uint8Array(zeros + rest.length)
  bytes.set(rest, zeros)
  return bytes
}

function numberOf(digits: string): bigint {
  let number = 0n
  for (let at = 0; at < digits.length; at += CHUNK) {
    const chunk = digits.slice(at, at + CHUNK)
    number = number * 36n ** BigInt(chunk.length) + BigInt(Number.parseInt(chunk, 36))
  }
  return number
}

/** 48 to 50 characters for nearly every key, never more than 50. */
export const encodePublicKey = (key: PublicKey): string => encodeBase36(fromHex(key))

/** @throws BadBase36 unless the text stands for exactly 32 bytes */
export function decodePublicKey(text: string): PublicKey {
  const bytes = text === '' ? EMPTY : decodeBase36(text)
  if (bytes.length !== KEY_BYTES) {
    throw new BadBase36(printable(text), `a public key has 32 bytes, this has ${bytes.length}`)
  }
  return publicKey(toHex(bytes))
}
