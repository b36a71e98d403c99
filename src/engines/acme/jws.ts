/** Signed requests: flattened JSON Web Signatures (RFC 7515) as RFC 8555 §6.2 has them. */
import { createHash, createHmac, createPublicKey, type KeyObject, sign } from 'node:crypto'

/** RFC 7638 §3: the members of an elliptic key, in the order that the thumbprint is made of. */
export interface Jwk {
  crv: string
  kty: string
  x: string
  y: string
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url')

/** @param key P-256, private or public */
export function jwkOf(key: KeyObject): Jwk {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  const { crv = '', kty = '', x = '', y = '' } = publicKey.export({ format: 'jwk' })
  return { crv, kty, x, y }
}

/** RFC 8555 §8.1: what proves that the account stands behind the token. */
export function keyAuthorization(token: string, jwk: Jwk): string {
  return `${token}.${createHash('sha256').update(JSON.stringify(jwk)).digest('base64url')}`
}

export interface SignedHeader {
  url: string
  nonce: string
  /** Account URL; without it the key itself goes along. */
  kid?: string | undefined
}

const flattened = (header: object, payload: string, signer: (input: string) => Buffer): object => {
  const start = `${base64url(JSON.stringify(header))}.${base64url(payload)}`
  const [head, body] = start.split('.')
  return { protected: head, payload: body, signature: signer(start).toString('base64url') }
}

/** @param payload undefined for POST-as-GET (RFC 8555 §6.3) */
export function signRequest(
  key: KeyObject,
  { url, nonce, kid }: SignedHeader,
  payload: object | undefined,
): string {
  const who = kid === undefined ? { jwk: jwkOf(key) } : { kid }
  const text = payload === undefined ? '' : JSON.stringify(payload)
  return JSON.stringify(
    flattened({ alg: 'ES256', nonce, url, ...who }, text, (input) =>
      // RFC 7518 §3.4: the two numbers side by side, not the DER that OpenSSL makes.
      sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }),
    ),
  )
}

/** RFC 8555 §7.3.4: the new account's key, vouched for by one that the authority gave out. */
export const bindAccount = (jwk: Jwk, kid: string, hmacKey: Uint8Array, url: string): object =>
  flattened({ alg: 'HS256', kid, url }, JSON.stringify(jwk), (input) =>
    createHmac('sha256', hmacKey).update(input).digest(),
  )
