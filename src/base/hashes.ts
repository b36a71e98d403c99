/** Branded strings for hashes and keys, so that an infohash can never stand where a sha256 is asked. */
import { declareError, printable } from './errors.ts'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** 40 lower-case hex digits: SHA-1 of the bencoded info dict (BEP 3). */
export type InfoHash = Branded<'InfoHash'>
/** 64 lower-case hex digits: SHA-256 of a blob. */
export type Sha256 = Branded<'Sha256'>
/** 64 lower-case hex digits: an Ed25519 public key (BEP 44). */
export type PublicKey = Branded<'PublicKey'>
/** 40 lower-case hex digits: the DHT target of a BEP 44 item. */
export type Target = Branded<'Target'>

export const BadHash = declareError(
  'BTL_ERR_BASE_BAD_HASH',
  '%s must be %s hex digits, got "%s"',
  400,
)

function hexOf(length: number, what: string, text: string): string {
  const lower = text.toLowerCase()
  if (lower.length !== length || !/^[0-9a-f]*$/.test(lower)) {
    throw new BadHash(what, length, printable(text))
  }
  return lower
}

export const infoHash = (text: string): InfoHash => hexOf(40, 'an infohash', text) as InfoHash
export const sha256 = (text: string): Sha256 => hexOf(64, 'a sha256', text) as Sha256
export const publicKey = (text: string): PublicKey => hexOf(64, 'a public key', text) as PublicKey
export const target = (text: string): Target => hexOf(40, 'a target', text) as Target
