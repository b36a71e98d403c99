/** An authority as text for another box or a drawer: scrypt (RFC 7914) and AES-256-GCM under a passphrase. */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { utf8, utf8Text } from '../../base/bytes.ts'
import type { Realm } from '../../base/ports/cert-issuer.ts'
import { AUTHORITY_FILES, type AuthorityFiles } from './authority.ts'
import { toPem } from './certificate.ts'
import { BadBundle, BadPassphrase, WeakPassphrase } from './errors.ts'

export interface Bundle {
  realm: Realm
  files: AuthorityFiles
}

const LABEL = 'BTLINK AUTHORITY'
const ARMOR = new RegExp(
  `^\\s*-----BEGIN ${LABEL}-----([A-Za-z0-9+/=\\s]+)-----END ${LABEL}-----\\s*$`,
)
// Two or three times what an authority takes.
const MAX_TEXT = 32_768
const VERSION = 1
const SALT_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32
const HEAD_BYTES = 1 + SALT_BYTES + NONCE_BYTES
// 32 MiB for a third of a second on a small board; OWASP's second choice where 128 MiB are too much.
const COST = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 }
const MIN_PASSPHRASE = 12
const MAX_PASSPHRASE = 1024

function keyOf(passphrase: string, salt: Uint8Array): Promise<Buffer> {
  return new Promise((derived, failed) => {
    // The same letters typed on another keyboard give the same key.
    scrypt(passphrase.normalize('NFKC'), salt, KEY_BYTES, COST, (error, key) => {
      if (error) failed(error)
      else derived(key)
    })
  })
}

/** @throws WeakPassphrase */
export async function sealBundle({ realm, files }: Bundle, passphrase: string): Promise<string> {
  if (passphrase.length < MIN_PASSPHRASE || passphrase.length > MAX_PASSPHRASE) {
    throw new WeakPassphrase(MIN_PASSPHRASE, MAX_PASSPHRASE, passphrase.length)
  }
  const salt = randomBytes(SALT_BYTES)
  const nonce = randomBytes(NONCE_BYTES)
  const head = Buffer.concat([Buffer.from([VERSION]), salt, nonce])
  const cipher = createCipheriv('aes-256-gcm', await keyOf(passphrase, salt), nonce)
  cipher.setAAD(head)
  const plain = utf8(JSON.stringify({ realm, files: Object.fromEntries(files) }))
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()])
  return toPem(Buffer.concat([head, sealed, cipher.getAuthTag()]), LABEL)
}

/** @throws BadBundle, BadPassphrase */
export async function openBundle(text: string, passphrase: string): Promise<Bundle> {
  if (text.length > MAX_TEXT) throw new BadBundle('it is too long')
  const armored = ARMOR.exec(text)?.[1]
  if (armored === undefined) throw new BadBundle(`it is no "${LABEL}" block`)
  const bytes = Buffer.from(armored, 'base64')
  if (bytes.length <= HEAD_BYTES + TAG_BYTES) throw new BadBundle('it ends too early')
  if (bytes[0] !== VERSION) throw new BadBundle(`it is of version ${bytes[0]}, not ${VERSION}`)
  if (passphrase.length > MAX_PASSPHRASE) throw new BadPassphrase()
  const head = bytes.subarray(0, HEAD_BYTES)
  const key = await keyOf(passphrase, head.subarray(1, 1 + SALT_BYTES))
  const nonce = head.subarray(1 + SALT_BYTES)
  const cipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(head)
  cipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  let plain: Buffer
  try {
    plain = Buffer.concat([cipher.update(bytes.subarray(HEAD_BYTES, -TAG_BYTES)), cipher.final()])
  } catch (error) {
    throw new BadPassphrase({ cause: error })
  }
  return readPlain(plain)
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

function readPlain(plain: Uint8Array): Bundle {
  let value: unknown
  try {
    value = JSON.parse(utf8Text(plain) ?? '')
  } catch (error) {
    throw new BadBundle('it holds no JSON', { cause: error })
  }
  if (!isRecord(value) || !isRecord(value['files'])) throw new BadBundle('it holds no files')
  const { realm, files: given } = value
  if (realm !== 'names' && realm !== 'links') throw new BadBundle('it is for no known realm')
  const files = new Map<string, string>()
  for (const name of AUTHORITY_FILES) {
    const text = given[name]
    if (typeof text === 'string') files.set(name, text)
  }
  return { realm, files }
}
