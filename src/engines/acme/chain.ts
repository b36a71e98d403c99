/** Certificates that an authority issued: taken only where they are what was ordered. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { Leaf } from '../../base/ports/cert-issuer.ts'
import { messageOf } from '../../base/errors.ts'
import { BadChain } from './errors.ts'

export interface IssuedLeaf extends Leaf {
  /** Unix time in ms. */
  notBefore: number
}

// RFC 8555 §9.1: nothing but certificates, in the strict form of RFC 7468 §3.
const CERTIFICATE = /-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+?-----END CERTIFICATE-----/g
const MAX_CERTIFICATES = 8

function certificatesOf(pem: string, fail: (fault: string) => never): X509Certificate[] {
  const blocks = pem.match(CERTIFICATE) ?? []
  if (blocks.length === 0) fail('it is no certificate')
  if (blocks.length > MAX_CERTIFICATES) fail(`it has more than ${MAX_CERTIFICATES} certificates`)
  if (/\S/.test(pem.replace(CERTIFICATE, ''))) fail('there is more in it than certificates')
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch (error) {
    return fail(`it cannot be read: ${messageOf(error)}`)
  }
}

/**
 * @param hosts that it has to be for, each by its own name
 * @param key private
 * @param now Unix time in ms
 * @throws BadChain
 */
export function readChain(
  pem: string,
  key: KeyObject,
  hosts: readonly string[],
  now: number,
): IssuedLeaf {
  const [name = ''] = hosts
  const fail = (fault: string): never => {
    throw new BadChain(name, fault)
  }
  const chain = certificatesOf(pem, fail)
  const [leaf] = chain
  if (!leaf) return fail('it is no certificate')
  if (!leaf.checkPrivateKey(key)) fail('it is for another key')
  const missing = hosts.find(
    (host) => leaf.checkHost(host, { subject: 'never', wildcards: false }) === undefined,
  )
  if (missing !== undefined) fail(`it is not for ${missing}`)
  for (const [index, issued] of chain.entries()) {
    const issuer = chain[index + 1]
    if (!issuer) continue
    if (!issued.checkIssued(issuer) || !issued.verify(issuer.publicKey)) {
      fail('the certificates in it are not signed one by the other')
    }
  }
  const [notBefore, notAfter] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()]
  if (!(notAfter > now)) fail(`it ended on ${leaf.validTo}`)
  return {
    cert: chain.map((one) => one.toString()).join(''),
    key: key.export({ format: 'pem', type: 'pkcs8' }).toString(),
    hosts: [...hosts],
    notBefore,
    notAfter,
  }
}

const PRIVATE_KEY = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/

/** What is kept: key and chain in one file, so that they cannot be of two orders. */
export const writeStored = ({ key, cert }: Leaf): string => key + cert

/** @throws BadChain */
export function readStored(text: string, name: string, now: number): IssuedLeaf {
  const key = PRIVATE_KEY.exec(text)?.[0]
  if (key === undefined) throw new BadChain(name, 'it is without its key')
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(key)
  } catch (error) {
    throw new BadChain(name, `its key cannot be read: ${messageOf(error)}`, { cause: error })
  }
  const leaf = readChain(text.replace(PRIVATE_KEY, ''), privateKey, [name], now)
  return { ...leaf, hosts: namesOf(leaf.cert) }
}

function namesOf(pem: string): string[] {
  const names = new X509Certificate(pem).subjectAltName ?? ''
  return names.split(', ').flatMap((one) => (one.startsWith('DNS:') ? [one.slice(4)] : []))
}
