/**
 * The form of a backup: a tar under age. First `backup.json`, then files of the state, then the content
 * of sites, then `manifest.json` with the SHA-256 of all before it.
 */
import { Damaged, NotABackup, TooNew } from './errors.ts'
import { kindOf } from './inventory.ts'

/** Raised when an older btlinkd could no longer restore what this one writes. */
export const FORM = 1
export const HEAD_NAME = 'backup.json'
export const MANIFEST_NAME = 'manifest.json'
export const CONFIG_NAME = 'configuration.yaml'
export const DATABASE_NAME = 'state/state.db'
/** The smallest page of SQLite. Of an empty file it makes a new database, and its unix VFS takes one of a single byte for empty. */
export const MIN_DATABASE_BYTES = 512

export const MAX_HEAD_BYTES = 65_536
const MAX_MANIFEST_BYTES = 128 * 1024 * 1024
/** Of keys, certificates, ledger and configuration. */
const MAX_SMALL_BYTES = 4 * 1024 * 1024
const MAX_INFO_BYTES = 32 * 1024 * 1024
export const MAX_FILES = 500_000
export const MAX_SMALL_FILES = 20_000

export interface Head {
  form: number
  /** Unix time in ms. */
  made: number
  btlinkd: string
  /** Host name of the box it is of, for people with several. */
  host: string
  /** Whether the content of published sites is in it. */
  hasSites: boolean
}

export interface Listed {
  name: string
  size: number
  /** Hex. */
  sha256: string
}

export type Part = 'head' | 'manifest' | 'config' | 'database' | 'state' | 'blob' | 'info' | 'blobs'

const BLOB = /^sites\/blobs\/([0-9a-f]{64})$/
const TORRENT = /^sites\/torrents\/([0-9a-f]{40})\/(info|blobs)$/
const STATE = 'state/'

/** Which part of a backup has this name, with the hash that stands in it. @throws Damaged for a name that none has */
export function partOf(name: string): { part: Part; rest: string } {
  if (name === HEAD_NAME) return { part: 'head', rest: '' }
  if (name === MANIFEST_NAME) return { part: 'manifest', rest: '' }
  if (name === CONFIG_NAME) return { part: 'config', rest: '' }
  if (name === DATABASE_NAME) return { part: 'database', rest: '' }
  const blob = BLOB.exec(name)?.[1]
  if (blob !== undefined) return { part: 'blob', rest: blob }
  const [, torrent, what] = TORRENT.exec(name) ?? []
  if (torrent !== undefined) return { part: what === 'info' ? 'info' : 'blobs', rest: torrent }
  const path = name.startsWith(STATE) ? name.slice(STATE.length) : ''
  // The kinds allow no `..`, no empty part, and no other folder.
  if (kindOf(path)?.fate === 'kept') return { part: 'state', rest: path }
  throw new Damaged(`it holds "${name.slice(0, 100)}", which belongs in no backup`)
}

/** Most bytes of a file of this part; of databases and blobs the disk decides. */
export function maxBytes(part: Part): number {
  if (part === 'head') return MAX_HEAD_BYTES
  if (part === 'manifest') return MAX_MANIFEST_BYTES
  if (part === 'database' || part === 'blob') return Number.MAX_SAFE_INTEGER
  return part === 'info' || part === 'blobs' ? MAX_INFO_BYTES : MAX_SMALL_BYTES
}

function parse(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (error) {
    throw new Damaged(`its ${what} is not sound`, { cause: error })
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @throws NotABackup, TooNew */
export function readHeadFile(bytes: Uint8Array): Head {
  const value = parse(bytes, HEAD_NAME)
  if (!isRecord(value) || !Number.isSafeInteger(value['form']) || Number(value['form']) < 1) {
    throw new NotABackup('it says nothing of its form')
  }
  const form = Number(value['form'])
  const { made, btlinkd, host, hasSites } = value
  const version = String(btlinkd)
    .slice(0, 40)
    .replace(/[^\x20-\x7e]/g, '?')
  if (form > FORM) throw new TooNew(form, version, FORM)
  return {
    form,
    made: Number.isSafeInteger(made) ? Number(made) : 0,
    btlinkd: version,
    host: String(host)
      .slice(0, 64)
      .replace(/[^\x20-\x7e]/g, '?'),
    hasSites: hasSites === true,
  }
}

/** @throws Damaged */
export function readManifest(bytes: Uint8Array): Map<string, Listed> {
  const value = parse(bytes, MANIFEST_NAME)
  const files = isRecord(value) ? value['files'] : undefined
  if (!Array.isArray(files)) throw new Damaged(`its ${MANIFEST_NAME} is not sound`)
  const all = new Map<string, Listed>()
  for (const file of files as unknown[]) {
    if (!isRecord(file)) throw new Damaged(`its ${MANIFEST_NAME} is not sound`)
    const { name, size, sha256 } = file
    if (typeof name !== 'string' || typeof size !== 'number' || typeof sha256 !== 'string') {
      throw new Damaged(`its ${MANIFEST_NAME} is not sound`)
    }
    all.set(name, { name, size, sha256 })
  }
  return all
}
