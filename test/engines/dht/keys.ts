/** Ed25519 keys from raw bytes, for peers that hand out nothing else. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'

// RFC 8410: what stands before the raw bytes in PKCS #8 and SubjectPublicKeyInfo.
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')

export const edPublicKey = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([SPKI, raw]), format: 'der', type: 'spki' })

export function edPrivateKey(seed: Uint8Array): { key: KeyObject; raw: Uint8Array } {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  const raw = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)
  return { key, raw }
}
