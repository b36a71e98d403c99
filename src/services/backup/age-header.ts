/**
 * The head of a file of age (C2SP age v1) under a passphrase: one `scrypt` stanza, which wraps the
 * file's key, and a MAC. Programs of that name open our backups, and we theirs.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto'
import type { ByteSource } from './byte-source.ts'
import { BadPassphrase, Damaged, NotABackup, WeakPassphrase } from './errors.ts'

export const AGE_INTRO = 'age-encryption.org/v1'

const FILE_KEY_BYTES = 16
const SALT_BYTES = 16
const KEY_BYTES = 32
export const TAG_BYTES = 16
const NO_NONCE = Buffer.alloc(12)
const SCRYPT_LABEL = Buffer.from('age-encryption.org/v1/scrypt')
// 64 MiB and half a second on a small board, beside a daemon that runs.
const LOG_N = 16
// 256 MiB, what the age program takes; a file must not make us take more.
const MAX_LOG_N = 18
const MAX_LINE = 128
const MIN_PASSPHRASE = 12
const MAX_PASSPHRASE = 1024
// C2SP: standard base64 without padding, 16 and 32 bytes.
const STANZA = /^-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]?)$/
const BODY = /^[A-Za-z0-9+/]{43}$/
const MAC = /^--- ([A-Za-z0-9+/]{43})$/

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes).toString('base64').replace(/=+$/, '')

/** Canonical only: two spellings of one head would have two MACs. */
function fromBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (base64(bytes) !== text) throw new Damaged('its head is not canonical')
  return bytes
}

export const derive = (key: Uint8Array, salt: Uint8Array, label: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, salt, label, KEY_BYTES))

const macOf = (fileKey: Uint8Array, head: string): Buffer =>
  createHmac('sha256', derive(fileKey, Buffer.alloc(0), 'header'))
    .update(head)
    .digest()

function wrapKeyOf(passphrase: string, salt: Uint8Array, logN: number): Promise<Buffer> {
  const cost = { N: 2 ** logN, r: 8, p: 1, maxmem: 128 * 8 * 2 ** logN + 1024 * 1024 }
  return new Promise((derived, failed) => {
    scrypt(passphrase, Buffer.concat([SCRYPT_LABEL, salt]), KEY_BYTES, cost, (error, key) => {
      if (error) failed(error)
      else derived(key)
    })
  })
}

/** @throws WeakPassphrase */
export function checkPassphrase(passphrase: string): void {
  const { length } = passphrase
  if (length < MIN_PASSPHRASE || length > MAX_PASSPHRASE) {
    throw new WeakPassphrase(MIN_PASSPHRASE, MAX_PASSPHRASE, length)
  }
}

/** @param logN scrypt's cost, as a power of two */
export async function makeHead(
  passphrase: string,
  logN = LOG_N,
): Promise<{ head: Buffer; fileKey: Buffer }> {
  const fileKey = randomBytes(FILE_KEY_BYTES)
  const salt = randomBytes(SALT_BYTES)
  const wrapKey = await wrapKeyOf(passphrase, salt, logN)
  const cipher = createCipheriv('chacha20-poly1305', wrapKey, NO_NONCE, {
    authTagLength: TAG_BYTES,
  })
  const wrapped = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()])
  const signed = `${AGE_INTRO}\n-> scrypt ${base64(salt)} ${logN}\n${base64(wrapped)}\n---`
  return { head: Buffer.from(`${signed} ${base64(macOf(fileKey, signed))}\n`), fileKey }
}

async function readLine(source: ByteSource): Promise<string> {
  const bytes: number[] = []
  for (;;) {
    const [byte] = await source.take(1)
    if (byte === undefined) throw new Damaged('it ends in its head')
    if (byte === 0x0a) return Buffer.from(bytes).toString('latin1')
    bytes.push(byte)
    if (bytes.length > MAX_LINE) throw new Damaged('its head has a line that is too long')
  }
}

/** Reads the head and gives the file's key. @throws NotABackup, Damaged, BadPassphrase */
export async function readHead(source: ByteSource, passphrase: string): Promise<Buffer> {
  const intro = await source.take(AGE_INTRO.length + 1)
  if (intro.toString('latin1') !== `${AGE_INTRO}\n`) {
    throw new NotABackup(`it does not begin with ${AGE_INTRO}`)
  }
  const stanza = await readLine(source)
  const found = STANZA.exec(stanza)
  if (!found) throw new NotABackup('it was not locked with a passphrase alone')
  const [, salt = '', cost = ''] = found
  if (Number(cost) > MAX_LOG_N) throw new NotABackup(`opening it would take ${cost} doublings`)
  const body = await readLine(source)
  if (!BODY.test(body)) throw new Damaged('its head has no key')
  const last = await readLine(source)
  const mac = MAC.exec(last)?.[1]
  if (mac === undefined) throw new Damaged('its head has no end')
  const wrapped = fromBase64(body)
  const wrapKey = await wrapKeyOf(passphrase, fromBase64(salt), Number(cost))
  const decipher = createDecipheriv('chacha20-poly1305', wrapKey, NO_NONCE, {
    authTagLength: TAG_BYTES,
  })
  decipher.setAuthTag(wrapped.subarray(FILE_KEY_BYTES))
  let fileKey: Buffer
  try {
    fileKey = Buffer.concat([
      decipher.update(wrapped.subarray(0, FILE_KEY_BYTES)),
      decipher.final(),
    ])
  } catch (error) {
    throw new BadPassphrase({ cause: error })
  }
  const signed = `${AGE_INTRO}\n${stanza}\n${body}\n---`
  if (!timingSafeEqual(macOf(fileKey, signed), fromBase64(mac))) {
    throw new Damaged('its head was changed')
  }
  return fileKey
}
