/**
 * What is kept: the account's key, certificates with their keys, and the ledger. Each is one file that
 * is replaced by one rename, so whenever the process is killed there is the old one or the new one.
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { chmod, lstat, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from '../../base/durable-file.ts'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import { type IssuedLeaf, readStored, writeStored } from './chain.ts'
import { Unwritable } from './errors.ts'

export interface Shelf {
  readonly folder: string
  /** The account's key, made when there is none. */
  accountKey(): Promise<KeyObject>
  /** Certificates by name that are in force at `now`; others are removed. */
  load(now: number): Promise<Map<string, IssuedLeaf>>
  save(name: string, leaf: IssuedLeaf): Promise<void>
  remove(name: string): Promise<void>
  /** Text of the ledger; undefined where there is none. */
  ledger(): Promise<string | undefined>
  saveLedger(text: string): Promise<void>
}

const FOLDER_MODE = 0o700
const FILE_MODE = 0o600
// A chain as long as we take it has under 32 KB; somebody may have put something else in its place.
const MAX_FILE_BYTES = 262_144
const MAX_FILES = 2000
const CERTIFICATE_FILE = /^([0-9a-z.-]+)\.pem$/
const UNFINISHED = /^\.new-[0-9a-f]{16}$/

/** Accounts and certificates of one authority are nothing to another: each has a folder. */
function folderOf(folder: string, directory: string): string {
  const { host, pathname } = new URL(directory)
  const readable = `${host}${pathname}`.replace(/[^0-9a-z.]+/gi, '-').slice(0, 80)
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 8)
  return join(folder, `${readable}-${hash}`)
}

async function replaceFile(folder: string, name: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
  const fresh = join(folder, `.new-${randomBytes(8).toString('hex')}`)
  await writeDurably(join(folder, name), text, { mode: FILE_MODE, fresh, flag: 'wx' })
}

/** The text of a regular file, undefined where there is none that can be one of ours. */
async function readSmall(path: string, log: Log): Promise<string | undefined> {
  try {
    const stat = await lstat(path)
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES) return undefined
    if ((stat.mode & 0o077) !== 0) {
      // A backup or a careless copy may have opened a key to others.
      log.warn({ path }, 'a key could be read by others, closing it')
      await chmod(path, FILE_MODE).catch(() => undefined)
    }
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

export function createShelf(parent: string, directory: string, log: Log): Shelf {
  const folder = folderOf(parent, directory)
  const certificates = join(folder, 'certificates')

  async function onDisk<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      const code = codeOf(error)
      if (code === undefined || code.startsWith('BTL_ERR_')) throw error
      throw new Unwritable(folder, code, { cause: error })
    }
  }

  async function entries(place: string): Promise<string[]> {
    try {
      return (await readdir(place)).slice(0, MAX_FILES)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }

  /** Left by a process that was killed while it wrote; one process at a time is at this folder. */
  async function sweep(place: string): Promise<void> {
    for (const entry of await entries(place)) {
      if (UNFINISHED.test(entry)) await rm(join(place, entry), { force: true })
    }
  }

  async function readCertificate(
    entry: string,
    name: string,
    now: number,
  ): Promise<IssuedLeaf | undefined> {
    const path = join(certificates, entry)
    const text = await readSmall(path, log)
    if (text === undefined) return undefined
    try {
      return readStored(text, name, now)
    } catch (error) {
      log.info({ path, reason: messageOf(error) }, 'a certificate is of no use, removing it')
      await rm(path, { force: true })
      return undefined
    }
  }

  return {
    folder,
    accountKey: () =>
      onDisk(async () => {
        const text = await readSmall(join(folder, 'account.key'), log)
        if (text !== undefined) {
          try {
            const key = createPrivateKey(text)
            if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
            log.warn({ folder }, 'the account key is of another kind, making a new account')
          } catch (error) {
            // Another account is as good: what it holds is a right to ask, no certificate.
            log.warn({ folder, reason: messageOf(error) }, 'making a new account')
          }
        }
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
        const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
        await replaceFile(folder, 'account.key', pem)
        return privateKey
      }),
    load: (now) =>
      onDisk(async () => {
        await sweep(folder)
        await sweep(certificates)
        const found = new Map<string, IssuedLeaf>()
        for (const entry of await entries(certificates)) {
          const name = CERTIFICATE_FILE.exec(entry)?.[1]
          const leaf = name === undefined ? undefined : await readCertificate(entry, name, now)
          if (name !== undefined && leaf) found.set(name, leaf)
        }
        return found
      }),
    save: (name, leaf) => onDisk(() => replaceFile(certificates, `${name}.pem`, writeStored(leaf))),
    remove: (name) => onDisk(() => rm(join(certificates, `${name}.pem`), { force: true })),
    ledger: () => onDisk(() => readSmall(join(folder, 'ledger.json'), log)),
    saveLedger: (text) => onDisk(() => replaceFile(folder, 'ledger.json', text)),
  }
}
