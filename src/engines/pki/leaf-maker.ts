/** Leaf certificates of one key under one intermediate: what they share is encoded once. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Leaf } from '../../base/ports/cert-issuer.ts'
import type { Authority } from './authority.ts'
import { altNames, leafExtensions, signCertificate, subjectName, toPem } from './certificate.ts'
import { EARLIEST, HOUR_MS, type SoundTime } from '../../base/sound-time.ts'

/** Chrome and Safari hold certificates to 398 days. */
const MAX_LIFETIME_MS = 398 * 24 * HOUR_MS
// More than a day: clients with a wrong time zone take it as well.
const BACKDATED_MS = 25 * HOUR_MS

// No common name: it would be the only place where a host of over 64 characters does not fit.
const SUBJECT = subjectName({ organisation: 'btlink', unit: 'household site' })

export interface LeafKey {
  publicKey: KeyObject
  privateKey: KeyObject
  pem: string
}

export function newLeafKey(): LeafKey {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...keys, pem: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() }
}

export interface DatedLeaf extends Leaf {
  /** Unix time in ms. */
  notBefore: number
  /** From then on a new one is made. */
  renewAt: number
}

export type LeafMaker = (hosts: readonly string[], time: SoundTime) => DatedLeaf

/**
 * @param lifetimeMs from the first second to the last; under a clock that nothing has confirmed
 *   398 days, and where it cannot be right, from the earliest time it may be: clients with a right
 *   clock find it in force
 */
export function createLeafMaker(
  { issuer }: Authority,
  key: LeafKey,
  lifetimeMs: number,
): LeafMaker {
  const publicKey = key.publicKey.export({ format: 'der', type: 'spki' })
  const shared = leafExtensions(key.publicKey, issuer.publicKey)
  return (hosts, { now, isSound, isDoubtful }) => {
    const wholeMs = isSound && !isDoubtful ? lifetimeMs : MAX_LIFETIME_MS
    const notBefore = Math.floor((isSound ? now : EARLIEST) / 1000) * 1000 - BACKDATED_MS
    // Both ends count: the last second is within the lifetime.
    const notAfter = Math.min(notBefore + wholeMs - 1000, issuer.notAfter)
    const der = signCertificate(
      {
        issuer: issuer.subject,
        subject: SUBJECT,
        notBefore,
        notAfter,
        publicKey,
        extensions: [...shared, altNames(hosts)],
      },
      issuer.key,
    )
    return {
      cert: toPem(der, 'CERTIFICATE') + issuer.pem,
      key: key.pem,
      hosts,
      notBefore,
      notAfter,
      renewAt: notAfter - (notAfter - notBefore) / 3,
    }
  }
}
