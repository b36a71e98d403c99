/** A root as devices are shown it: PEM, DER, profile, and a fingerprint to compare. */
import { createHash } from 'node:crypto'
import { toHex } from '../../base/bytes.ts'
import { sha256 } from '../../base/hashes.ts'
import type { RootCertificate } from '../../base/ports/cert-issuer.ts'
import type { Authority } from './authority.ts'
import { mobileConfig } from './mobile-config.ts'
import { fingerprintWords } from './words.ts'

export function rootCertificate({
  root,
  rootName,
  rootPem,
  permitted,
}: Authority): RootCertificate {
  const der = Uint8Array.from(root.raw)
  const hash = createHash('sha256').update(der).digest()
  const hex = toHex(hash)
  return {
    name: rootName,
    pem: rootPem,
    der,
    sha256: sha256(hex),
    words: fingerprintWords(hash),
    mobileConfig: mobileConfig({ name: rootName, raw: der, sha256: hex }),
    permitted,
    notAfter: Date.parse(root.validTo),
  }
}
