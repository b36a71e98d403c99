/** Bytes in the encodings that keys and hashes are passed around in. */
import { fromHex, toHex } from '../bytes.ts'
import { printable } from '../errors.ts'
import { decodeBase32, encodeBase32 } from './base32.ts'
import { decodeBase36, encodeBase36 } from './base36.ts'
import { BadValue } from './errors.ts'

export const ENCODINGS = ['hex', 'base36', 'base32hex', 'base64url'] as const
export type Encoding = (typeof ENCODINGS)[number]

const MAX_CHARACTERS = 4096

export const isEncoding = (text: string): text is Encoding =>
  (ENCODINGS as readonly string[]).includes(text)

function decodeHex(text: string): Uint8Array | undefined {
  return /^(?:[0-9a-f]{2})*$/i.test(text) ? fromHex(text) : undefined
}

function decodeBase64url(text: string): Uint8Array | undefined {
  const digits = text.replace(/={1,2}$/, '')
  const bytes = Buffer.from(digits, 'base64url')
  // Node skips what it does not know; only a text that comes back as it was is the encoding.
  return bytes.toString('base64url') === digits ? Uint8Array.from(bytes) : undefined
}

/** @throws BadValue or BadBase36 (400) */
export function decodeText(text: string, from: Encoding): Uint8Array {
  const shown = printable(text)
  if (text === '') throw new BadValue('', from, 'it is empty')
  if (text.length > MAX_CHARACTERS) throw new BadValue(shown, from, 'it is too long')
  if (from === 'base36') return decodeBase36(text)
  const decoders = {
    hex: decodeHex,
    base32hex: (digits: string) => decodeBase32(digits, 'base32hex'),
    base64url: decodeBase64url,
  }
  const bytes = decoders[from](text)
  if (!bytes) throw new BadValue(shown, from, 'it has characters or a length that cannot be')
  return bytes
}

export function encodeText(bytes: Uint8Array, to: Encoding): string {
  if (to === 'hex') return toHex(bytes)
  if (to === 'base36') return encodeBase36(bytes)
  if (to === 'base32hex') return encodeBase32(bytes, 'base32hex')
  return Buffer.from(bytes).toString('base64url')
}

/** Throws like `decodeText`. */
export const convert = (text: string, from: Encoding, to: Encoding): string =>
  encodeText(decodeText(text, from), to)
