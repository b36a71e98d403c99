/**
 * Signatures of minisign (https://jedisct1.github.io/minisign/#signature-format), checked with
 * Node's own ed25519: legacy `Ed` over the message, and `ED` over its BLAKE2b-512.
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { printable } from '../../base/errors.ts'

/** More than any key or signature file has: comments are lines of at most 1,024 and 8,192 bytes. */
const MAX_TEXT = 16_384
const KEY_BYTES = 42
const SIGNATURE_BYTES = 74
const GLOBAL_BYTES = 64
const UNTRUSTED = 'untrusted comment: '
const TRUSTED = 'trusted comment: '
/** RFC 8410: the SPKI of an ed25519 key is this and the 32 bytes of the key. */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')

export interface MinisignKey {
  /** 16 hex digits as minisign prints them: the eight bytes are little-endian. */
  id: string
  key: KeyObject
}

interface MinisignSignature {
  id: string
  isPrehashed: boolean
  signature: Uint8Array
  comment: string
  /** Over signature and comment. */
  global: Uint8Array
}

/** What was said about a message, or why it is not believed. */
export type Verdict = { comment: string } | { fault: string }

const idOf = (bytes: Buffer): string =>
  Buffer.from(bytes.toReversed()).toString('hex').toUpperCase()

/** Canonical base64 of exactly `length` bytes. */
function decode(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === length && bytes.toString('base64') === text ? bytes : undefined
}

const linesOf = (text: string): string[] => text.replace(/\r?\n$/, '').split(/\r?\n/)

/** Of a `.pub` file, or of its second line alone. Undefined where it is none. */
export function parsePublicKey(text: string): MinisignKey | undefined {
  if (text.length > MAX_TEXT) return undefined
  const lines = linesOf(text)
  const [first = '', second] = lines
  if (lines.length > 2 || (second !== undefined && !first.startsWith(UNTRUSTED))) return undefined
  const bytes = decode(second ?? first, KEY_BYTES)
  if (bytes?.toString('latin1', 0, 2) !== 'Ed') return undefined
  const key = createPublicKey({
    key: Buffer.concat([SPKI, bytes.subarray(10)]),
    format: 'der',
    type: 'spki',
  })
  return { id: idOf(bytes.subarray(2, 10)), key }
}

/** Undefined where it is no signature file. */
export function parseSignature(text: string): MinisignSignature | undefined {
  if (text.length > MAX_TEXT) return undefined
  const lines = linesOf(text)
  const [untrusted = '', first = '', trusted = '', last = ''] = lines
  if (lines.length !== 4 || !untrusted.startsWith(UNTRUSTED) || !trusted.startsWith(TRUSTED)) {
    return undefined
  }
  const head = decode(first, SIGNATURE_BYTES)
  const global = decode(last, GLOBAL_BYTES)
  const algorithm = head?.toString('latin1', 0, 2)
  if (!head || !global || (algorithm !== 'Ed' && algorithm !== 'ED')) return undefined
  return {
    id: idOf(head.subarray(2, 10)),
    isPrehashed: algorithm === 'ED',
    signature: head.subarray(10),
    comment: trusted.slice(TRUSTED.length),
    global,
  }
}

/** Whether the holder of `key` signed `message`, and with which trusted comment. */
export function verifyMinisign(message: Uint8Array, text: string, key: MinisignKey): Verdict {
  const found = parseSignature(text)
  if (!found) return { fault: 'the signature file is none of minisign' }
  if (found.id !== key.id) {
    return { fault: `it is signed by the key ${printable(found.id)}, not by ${key.id}` }
  }
  const { signature, comment, global, isPrehashed } = found
  const signed = isPrehashed ? createHash('blake2b512').update(message).digest() : message
  if (!verify(null, signed, key.key, signature)) return { fault: 'the signature does not fit' }
  const covered = Buffer.concat([signature, Buffer.from(comment, 'utf8')])
  if (!verify(null, covered, key.key, global)) {
    return { fault: 'the signature of the trusted comment does not fit' }
  }
  return { comment }
}
