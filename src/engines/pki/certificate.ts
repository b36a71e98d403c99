/** X.509 v3 certificates (RFC 5280) of the three kinds this room makes: root, intermediate, leaf. */
import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto'
import { equalBytes } from '../../base/bytes.ts'
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
import { readElements } from './der-reader.ts'
import { BadDer } from './errors.ts'

const ECDSA_WITH_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'))
const ORGANISATION = objectIdentifier('2.5.4.10')
const UNIT = objectIdentifier('2.5.4.11')
const COMMON_NAME = objectIdentifier('2.5.4.3')
const SUBJECT_KEY_ID = objectIdentifier('2.5.29.14')
const KEY_USAGE = objectIdentifier('2.5.29.15')
const ALT_NAME = objectIdentifier('2.5.29.17')
const BASIC_CONSTRAINTS = objectIdentifier('2.5.29.19')
const NAME_CONSTRAINTS = objectIdentifier('2.5.29.30')
const AUTHORITY_KEY_ID = objectIdentifier('2.5.29.35')
const EXTENDED_KEY_USAGE = objectIdentifier('2.5.29.37')
const SERVER_AUTH = objectIdentifier('1.3.6.1.5.5.7.3.1')

const V3 = explicit(0, smallInteger(2))
// RFC 5280 §4.2.1.6: dNSName and iPAddress of GeneralName.
const DNS_NAME = 2
const IP_ADDRESS = 7
// An address and its mask, all zero: 0.0.0.0/0 and ::/0.
const ALL_IPV4 = new Uint8Array(8)
const ALL_IPV6 = new Uint8Array(32)

export interface Subject {
  organisation: string
  unit: string
  common?: string
}

/** The raw name. Issuers must be the very bytes of the subject above, so it is encoded once only. */
export function subjectName({ organisation, unit, common }: Subject): Buffer {
  const part = (type: Uint8Array, value: string) => setOf(sequence(type, utf8String(value)))
  return sequence(
    part(ORGANISATION, organisation),
    part(UNIT, unit),
    ...(common === undefined ? [] : [part(COMMON_NAME, common)]),
  )
}

const extension = (type: Uint8Array, value: Uint8Array): Buffer =>
  sequence(type, octetString(value))
const criticalExtension = (type: Uint8Array, value: Uint8Array): Buffer =>
  sequence(type, TRUE, octetString(value))

/** RFC 7093 §2, method 1: the first 160 bits of the SHA-256 of the key. */
export function keyIdOf(publicKey: KeyObject): Uint8Array {
  const [info] = readElements(publicKey.export({ format: 'der', type: 'spki' }))
  const key = readElements(info?.content ?? new Uint8Array(0))[1]?.content.subarray(1)
  return createHash('sha256')
    .update(key ?? '')
    .digest()
    .subarray(0, 20)
}

/**
 * Only names at or below one of `permitted`, and no address: where addresses are not excluded, every
 * client takes a leaf for one. The subtrees have no leading dot, so that their apex is in them.
 */
export function nameConstraints(permitted: readonly string[]): Buffer {
  const subtree = (tag: number, base: Uint8Array) => sequence(implicit(tag, base))
  const names = permitted.map((name) => subtree(DNS_NAME, Buffer.from(name, 'latin1')))
  const addresses = [subtree(IP_ADDRESS, ALL_IPV4), subtree(IP_ADDRESS, ALL_IPV6)]
  return criticalExtension(
    NAME_CONSTRAINTS,
    sequence(explicit(0, Buffer.concat(names)), explicit(1, Buffer.concat(addresses))),
  )
}

const authorityUsage = (): Buffer =>
  // keyCertSign and cRLSign, the bits 5 and 6.
  criticalExtension(KEY_USAGE, bitString(Buffer.from([0x06]), 1))

const authorityConstraint = (below: number): Buffer =>
  criticalExtension(BASIC_CONSTRAINTS, sequence(TRUE, smallInteger(below)))

const keyId = (publicKey: KeyObject): Buffer =>
  extension(SUBJECT_KEY_ID, octetString(keyIdOf(publicKey)))

const issuerKeyId = (publicKey: KeyObject): Buffer =>
  extension(AUTHORITY_KEY_ID, sequence(implicit(0, keyIdOf(publicKey))))

const serverOnly = (): Buffer => extension(EXTENDED_KEY_USAGE, sequence(SERVER_AUTH))

export const rootExtensions = (publicKey: KeyObject, permitted: readonly string[]): Buffer[] => [
  authorityConstraint(1),
  authorityUsage(),
  keyId(publicKey),
  nameConstraints(permitted),
]

/** The constraints stand here again: Java ignores those of the root. */
export const intermediateExtensions = (
  publicKey: KeyObject,
  issuer: KeyObject,
  permitted: readonly string[],
): Buffer[] => [
  authorityConstraint(0),
  authorityUsage(),
  serverOnly(),
  keyId(publicKey),
  issuerKeyId(issuer),
  nameConstraints(permitted),
]

/** What all leaves of one key under one issuer have in common. */
export const leafExtensions = (publicKey: KeyObject, issuer: KeyObject): Buffer[] => [
  criticalExtension(BASIC_CONSTRAINTS, sequence()),
  // digitalSignature, bit 0.
  criticalExtension(KEY_USAGE, bitString(Buffer.from([0x80]), 7)),
  serverOnly(),
  keyId(publicKey),
  issuerKeyId(issuer),
]

export const altNames = (hosts: readonly string[]): Buffer =>
  extension(
    ALT_NAME,
    sequence(...hosts.map((host) => implicit(DNS_NAME, Buffer.from(host, 'latin1')))),
  )

export interface Certificate {
  /** Raw names. */
  issuer: Uint8Array
  subject: Uint8Array
  /** Unix time in ms; cut to seconds. */
  notBefore: number
  notAfter: number
  /** SubjectPublicKeyInfo. */
  publicKey: Uint8Array
  extensions: readonly Uint8Array[]
}

/** 126 random bits, never zero and never with the sign bit: RFC 5280 §4.1.2.2. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return integer(bytes)
}

/** The certificate in DER, with a new serial number, signed with a P-256 key. */
export function signCertificate(certificate: Certificate, signer: KeyObject): Buffer {
  const body = sequence(
    V3,
    serialNumber(),
    ECDSA_WITH_SHA256,
    certificate.issuer,
    sequence(time(certificate.notBefore), time(certificate.notAfter)),
    certificate.subject,
    certificate.publicKey,
    explicit(3, sequence(...certificate.extensions)),
  )
  return sequence(body, ECDSA_WITH_SHA256, bitString(sign('sha256', body, signer)))
}

/** RFC 7468: 64 characters a line. */
export function toPem(der: Uint8Array, label: string): string {
  const text = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64')
  return `-----BEGIN ${label}-----\n${text.replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`
}

/** What a certificate of ours says beyond what Node tells of it. */
export interface AuthorityFacts {
  /** Raw name. */
  subject: Uint8Array
  permitted: readonly string[]
}

/**
 * Reads an authority's certificate that Node has parsed already.
 * @throws BadDer unless it has exactly the constraints this room would give it
 */
export function readAuthorityFacts(der: Uint8Array): AuthorityFacts {
  const within = (bytes: Uint8Array | undefined) => readElements(bytes ?? new Uint8Array(0))
  const fields = within(within(within(der)[0]?.content)[0]?.content)
  // version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, [3]
  const subject = fields[5]?.raw
  const extensions = within(within(fields.find(({ tag }) => tag === 0xa3)?.content)[0]?.content)
  const found = extensions.filter(({ content }) =>
    equalBytes(within(content)[0]?.raw ?? new Uint8Array(0), NAME_CONSTRAINTS),
  )
  const [constraints] = found
  if (!subject || !constraints || found.length > 1) throw new BadDer('it has no name constraints')
  const value = within(constraints.content).at(-1)?.content
  const permitted = within(within(within(value)[0]?.content)[0]?.content).map(({ content }) =>
    Buffer.from(within(content)[0]?.content ?? '').toString('latin1'),
  )
  if (!equalBytes(nameConstraints(permitted), constraints.raw)) {
    throw new BadDer('its name constraints are not the ones a box makes')
  }
  return { subject, permitted }
}
