/** What a BEP 44 item is signed over, and whether it was: shared by who publishes, stores and reads items. */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { decode } from './bencode.ts'
import { concatBytes, fromHex, latin1, toHex } from './bytes.ts'
import { type InfoHash, infoHash, type PublicKey, type Target, target } from './hashes.ts'
import type { SignedItem } from './ports/dht-node.ts'

/** BEP 44: a salt is at most 64 bytes. */
export const MAX_SALT_BYTES = 64
/** BEP 44: v is at most 1000 bytes, bencoded. */
export const MAX_VALUE_BYTES = 1000

// RFC 8410: the 12 bytes that make a raw Ed25519 key a SubjectPublicKeyInfo.
const SPKI_PREFIX = fromHex('302a300506032b6570032100')

const sha1 = (bytes: Uint8Array): Target => target(toHex(createHash('sha1').update(bytes).digest()))

/** BEP 44: SHA-1 of the bencoded value. */
export const immutableTarget = (value: Uint8Array): Target => sha1(value)

/** BEP 44: SHA-1 of the public key followed by the salt. */
export const mutableTarget = (key: PublicKey, salt: Uint8Array): Target =>
  sha1(concatBytes(fromHex(key), salt))

/** BEP 44: the bytes an owner signs; an empty salt is left out. `value` is bencoded. */
export function signedBytes(salt: Uint8Array, seq: number, value: Uint8Array): Uint8Array {
  const salted = salt.length === 0 ? [] : [Buffer.from(`4:salt${salt.length}:`), salt]
  return concatBytes(...salted, Buffer.from(`3:seqi${seq}e1:v`), value)
}

function keyObject(key: PublicKey): KeyObject {
  return createPublicKey({
    key: Buffer.from(concatBytes(SPKI_PREFIX, fromHex(key))),
    format: 'der',
    type: 'spki',
  })
}

/** Whether sizes are in bounds and the owner signed exactly this; never throws. */
export function isSignedByOwner(item: SignedItem): boolean {
  if (item.salt.length > MAX_SALT_BYTES || item.value.length > MAX_VALUE_BYTES) return false
  if (!Number.isSafeInteger(item.seq) || item.signature.length !== 64) return false
  try {
    const message = signedBytes(item.salt, item.seq, item.value)
    return verify(null, message, keyObject(item.publicKey), item.signature)
  } catch {
    return false
  }
}

/** BEP 46: the infohash of a value `{ "ih": <20 bytes> }`; undefined for any other value. */
export function infoHashOfValue(value: Uint8Array): InfoHash | undefined {
  try {
    const dict = decode(value, { maxDepth: 8, maxValues: 100 })
    const ih = dict instanceof Map ? dict.get('ih') : undefined
    return ih instanceof Uint8Array && ih.length === 20 ? infoHash(toHex(ih)) : undefined
  } catch {
    return undefined
  }
}

/** The key under which caches hold a name: public key and salt as one string. */
export const nameKey = (key: PublicKey, salt: Uint8Array): string => `${key}:${latin1(salt)}`
