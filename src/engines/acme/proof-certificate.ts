/** A certificate that proves control over TLS (RFC 8737): self-signed, good for the authority's look alone. */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'
import {
  bitString,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
  smallInteger,
  time,
  TRUE,
  utf8String,
} from '../../base/der.ts'
import type { Leaf } from '../../base/ports/cert-issuer.ts'
import { DAY_MS } from '../../base/sound-time.ts'

const ECDSA_WITH_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'))
const COMMON_NAME = objectIdentifier('2.5.4.3')
const ALT_NAME = objectIdentifier('2.5.29.17')
// RFC 8737 §6.1.
const ACME_IDENTIFIER = objectIdentifier('1.3.6.1.5.5.7.1.31')
const V3 = explicit(0, smallInteger(2))
const DNS_NAME = 2

/**
 * @param answer the key authorization, of which it shows the hash
 * @param now Unix time in ms
 */
export function proofCertificate(host: string, answer: string, now: number): Leaf {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = sequence(setOf(sequence(COMMON_NAME, utf8String('btlinkd proof'))))
  const hash = createHash('sha256').update(answer).digest()
  const notAfter = now + DAY_MS
  const body = sequence(
    V3,
    integer(Buffer.concat([Buffer.of(0x40), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(now - DAY_MS), time(notAfter)),
    name,
    createPublicKey(privateKey).export({ format: 'der', type: 'spki' }),
    explicit(
      3,
      sequence(
        sequence(ALT_NAME, octetString(sequence(implicit(DNS_NAME, Buffer.from(host, 'latin1'))))),
        sequence(ACME_IDENTIFIER, TRUE, octetString(octetString(hash))),
      ),
    ),
  )
  const der = sequence(body, ECDSA_WITH_SHA256, bitString(sign('sha256', body, privateKey)))
  return {
    cert: new X509Certificate(der).toString(),
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    hosts: [host],
    notAfter,
  }
}
