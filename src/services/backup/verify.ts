/** What a backup would bring: every byte decrypted and hashed, keys and certificates parsed, the database opened. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { isBtlError, messageOf } from '../../base/errors.ts'
import type { DatabaseFacts, DatabaseFiles } from '../../base/ports/state-database.ts'
import { Damaged } from './errors.ts'
import { type Head, MIN_DATABASE_BYTES } from './form.ts'
import { gather, type PackedFile, type Sealed, unpack } from './unpack.ts'

export interface Root {
  /** `names/btlink` or `links`. */
  place: string
  name: string
  /** Hex. */
  sha256: string
}

export interface Contents {
  head: Head
  files: number
  bytes: number
  /** SHA-256 of each publishing seed by the name of its key: says whether two are the same. */
  keys: Map<string, string>
  /** Those in force. */
  roots: Root[]
  /** Absent where the box had no database. */
  database?: DatabaseFacts
  databaseBytes: number
  certificates: number
  torrents: string[]
  config?: string
}

const KEY = /^keys\/(.+)\.key$/
const ROOT = /^pki\/(names\/[^/]+|links)\/([1-9]\d*)\/root\.pem$/
const SEED = /^[0-9a-fA-F]{64}$/

/** Of a seed as its file holds it. */
export const seedMark = (text: string): string =>
  createHash('sha256').update(text.trim().toLowerCase()).digest('hex')

function check(path: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    throw new Damaged(`${path}: ${messageOf(error)}`, { cause: error })
  }
}

/**
 * @param contents gets what the file says of itself
 * @throws Damaged
 */
export function inspectState(
  path: string,
  bytes: Buffer,
  contents: Pick<Contents, 'keys' | 'roots' | 'certificates'>,
  newest: Map<string, number>,
): void {
  const text = bytes.toString('utf8')
  const key = KEY.exec(path)?.[1]
  if (key !== undefined) {
    if (!SEED.test(text.trim())) throw new Damaged(`${path} holds no key`)
    contents.keys.set(key, seedMark(text))
    return
  }
  if (path.endsWith('.key')) check(path, () => void createPrivateKey(text))
  if (!path.endsWith('.pem')) return
  check(path, () => {
    const { fingerprint256, subject } = new X509Certificate(text)
    if (path.startsWith('acme/')) contents.certificates++
    const [, place, number] = ROOT.exec(path) ?? []
    if (place === undefined || Number(number) <= (newest.get(place) ?? 0)) return
    newest.set(place, Number(number))
    const root = {
      place,
      name: subject.replace(/\n/g, ', '),
      sha256: fingerprint256.replaceAll(':', '').toLowerCase(),
    }
    contents.roots = [...contents.roots.filter((one) => one.place !== place), root]
  })
}

/**
 * @param workFolder where the database is laid to be opened, and removed again
 * @throws NotABackup, BadPassphrase, TooNew, Damaged, and what a database from it throws
 */
export async function verifyBackup(
  databases: DatabaseFiles,
  sealed: Sealed,
  workFolder: string,
  signal: AbortSignal,
): Promise<Contents> {
  const folder = await mkdtemp(join(workFolder, '.verify-'))
  try {
    const contents: Contents = {
      head: { form: 0, made: 0, btlinkd: '', host: '', hasSites: false },
      files: 0,
      bytes: 0,
      keys: new Map(),
      roots: [],
      databaseBytes: 0,
      certificates: 0,
      torrents: [],
    }
    const newest = new Map<string, number>()
    const path = join(folder, 'state.db')
    async function take({ part, rest, size, content }: PackedFile): Promise<void> {
      if (part === 'state') inspectState(rest, await gather(content), contents, newest)
      if (part === 'config') contents.config = (await gather(content)).toString('utf8')
      if (part === 'blobs') contents.torrents.push(rest)
      if (part !== 'database') return
      if (size < MIN_DATABASE_BYTES) throw new Damaged('its database is empty')
      contents.databaseBytes = size
      await pipeline(content, createWriteStream(path, { mode: 0o600 }), { signal })
    }
    const { head, files, bytes } = await unpack(sealed, take, signal)
    if (contents.databaseBytes > 0) {
      try {
        contents.database = await databases.inspect(path)
      } catch (error) {
        if (isBtlError(error) && error.code === 'BTL_ERR_STORE_CORRUPT') {
          throw new Damaged('its database is not sound', { cause: error })
        }
        throw error
      }
    }
    return { ...contents, head, files: files.size, bytes }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
