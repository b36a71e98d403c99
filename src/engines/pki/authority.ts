/** A root that vouches for few names, and the intermediates it signed before its key was forgotten. */
import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto'
import { messageOf } from '../../base/errors.ts'
import {
  intermediateExtensions,
  readAuthorityFacts,
  rootExtensions,
  signCertificate,
  subjectName,
  toPem,
} from './certificate.ts'
import { BadDer } from './errors.ts'
import { DAY_MS } from '../../base/sound-time.ts'

/** Text by file name: the folder of an authority, and what an export holds. */
export type AuthorityFiles = ReadonlyMap<string, string>

export interface Authority {
  root: X509Certificate
  rootPem: string
  rootName: string
  /** DNS subtrees; root and intermediate say the same. */
  permitted: readonly string[]
  issuer: {
    pem: string
    /** Raw name. */
    subject: Uint8Array
    publicKey: KeyObject
    key: KeyObject
    /** Unix time in ms. */
    notAfter: number
  }
  /** Why an intermediate before the one in use could not be used: one line each. */
  faults: readonly string[]
}

const ORGANISATION = 'btlink'
/** One in use and two spares, so that a damaged key does not cost the household its trust. */
const INTERMEDIATES = [1, 2, 3] as const
// Fixed, and long before any box: a client whose clock is behind must not find it in the future.
const NOT_BEFORE = Date.UTC(2024, 0, 1)
const LIFETIME_MS = 3650 * DAY_MS
// A chain must not end in the middle: the intermediates go a month before their root.
const INTERMEDIATE_MARGIN_MS = 30 * DAY_MS

const ROOT_FILE = 'root.pem'
const certificateFile = (index: number) => `intermediate-${index}.pem`
const keyFile = (index: number) => `intermediate-${index}.key`

/** Every file of an authority; the keys are those ending in `.key`. */
export const AUTHORITY_FILES: readonly string[] = [
  ROOT_FILE,
  ...INTERMEDIATES.flatMap((index) => [certificateFile(index), keyFile(index)]),
]

const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const infoOf = (key: KeyObject) => key.export({ format: 'der', type: 'spki' })
const pemOf = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }).toString()

/**
 * Makes an authority. The root's key is never written anywhere and goes with this call, so nobody can
 * make it sign another intermediate, whoever gets hold of the box.
 * @param title what its names begin with
 * @param permitted DNS subtrees, at least one
 * @param now Unix time in ms
 */
export function makeAuthority(
  title: string,
  permitted: readonly string[],
  now: number,
): AuthorityFiles {
  const id = randomBytes(4).toString('hex')
  const rootName = subjectName({
    organisation: ORGANISATION,
    unit: 'household root',
    common: `${title} root ${id}`,
  })
  const rootKeys = newKeys()
  const root = signCertificate(
    {
      issuer: rootName,
      subject: rootName,
      notBefore: NOT_BEFORE,
      notAfter: now + LIFETIME_MS,
      publicKey: infoOf(rootKeys.publicKey),
      extensions: rootExtensions(rootKeys.publicKey, permitted),
    },
    rootKeys.privateKey,
  )
  const files = new Map([[ROOT_FILE, toPem(root, 'CERTIFICATE')]])
  for (const index of INTERMEDIATES) {
    const keys = newKeys()
    const certificate = signCertificate(
      {
        issuer: rootName,
        subject: subjectName({
          organisation: ORGANISATION,
          unit: 'household intermediate',
          common: `${title} intermediate ${id}-${index}`,
        }),
        notBefore: NOT_BEFORE,
        notAfter: now + LIFETIME_MS - INTERMEDIATE_MARGIN_MS,
        publicKey: infoOf(keys.publicKey),
        extensions: intermediateExtensions(keys.publicKey, rootKeys.publicKey, permitted),
      },
      rootKeys.privateKey,
    )
    files.set(certificateFile(index), toPem(certificate, 'CERTIFICATE'))
    files.set(keyFile(index), pemOf(keys.privateKey))
  }
  return files
}

/** @throws whatever Node finds wrong with it, with a reason for people */
function parse<Parsed>(name: string, text: string | undefined, how: (text: string) => Parsed) {
  if (text === undefined) throw new BadDer(`${name} is missing`)
  try {
    return how(text)
  } catch (error) {
    if (error instanceof BadDer) throw error
    throw new BadDer(`${name} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

const certificateOf = (text: string) => new X509Certificate(text)

function readIssuer(files: AuthorityFiles, index: number, root: X509Certificate) {
  const name = certificateFile(index)
  const certificate = parse(name, files.get(name), certificateOf)
  if (!certificate.ca || !certificate.checkIssued(root) || !certificate.verify(root.publicKey)) {
    throw new BadDer(`${name} was not signed by ${ROOT_FILE}`)
  }
  const key = parse(keyFile(index), files.get(keyFile(index)), createPrivateKey)
  if (!certificate.checkPrivateKey(key)) {
    throw new BadDer(`${keyFile(index)} does not belong to ${name}`)
  }
  const facts = readAuthorityFacts(certificate.raw)
  const notAfter = Date.parse(certificate.validTo)
  const pem = toPem(certificate.raw, 'CERTIFICATE')
  return { facts, issuer: { ...facts, pem, key, publicKey: certificate.publicKey, notAfter } }
}

function readRoot(text: string) {
  const root = new X509Certificate(text)
  if (!root.ca || !root.checkIssued(root) || !root.verify(root.publicKey)) {
    throw new BadDer(`${ROOT_FILE} is no root certificate`)
  }
  return { root, permitted: readAuthorityFacts(root.raw).permitted }
}

/**
 * Reads an authority back, and checks all that makes it one: who signed whom, which key is whose, and
 * that root and intermediate are limited to the same names.
 * @throws BadDer with the first reason why no intermediate can be used
 */
export function readAuthority(files: AuthorityFiles): Authority {
  const { root, permitted } = parse(ROOT_FILE, files.get(ROOT_FILE), readRoot)
  const faults: string[] = []
  for (const index of INTERMEDIATES) {
    try {
      const { facts, issuer } = readIssuer(files, index, root)
      if (facts.permitted.join(' ') !== permitted.join(' ')) {
        throw new BadDer(`${certificateFile(index)} is limited to other names than ${ROOT_FILE}`)
      }
      return {
        root,
        rootPem: toPem(root.raw, 'CERTIFICATE'),
        rootName: /^CN=(.*)$/m.exec(root.subject)?.[1] ?? '',
        permitted,
        issuer,
        faults,
      }
    } catch (error) {
      faults.push(messageOf(error))
    }
  }
  throw new BadDer(faults[0])
}
