/** Requests for certificates: PKCS #10 (RFC 2986) with nothing in them but names (RFC 8555 §7.4). */
import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import {
  bitString,
  explicit,
  implicit,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
  smallInteger,
} from '../../base/der.ts'

const ECDSA_WITH_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'))
const EXTENSION_REQUEST = objectIdentifier('1.2.840.113549.1.9.14')
const ALT_NAME = objectIdentifier('2.5.29.17')
const V1 = smallInteger(0)
// RFC 5280 §4.2.1.6: dNSName of GeneralName.
const DNS_NAME = 2

/**
 * The request in DER, signed with the key it is for. It has no common name: a host of over 64
 * characters would not fit there.
 * @param key private, P-256
 */
export function certificateRequest(hosts: readonly string[], key: KeyObject): Buffer {
  const names = hosts.map((host) => implicit(DNS_NAME, Buffer.from(host, 'latin1')))
  const extensions = sequence(sequence(ALT_NAME, octetString(sequence(...names))))
  const body = sequence(
    V1,
    sequence(),
    createPublicKey(key).export({ format: 'der', type: 'spki' }),
    explicit(0, sequence(EXTENSION_REQUEST, setOf(extensions))),
  )
  return sequence(body, ECDSA_WITH_SHA256, bitString(sign('sha256', body, key)))
}
