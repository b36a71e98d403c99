/** What a release is: `release.json`, whose hash is in the signed `SHA256SUMS`, read strictly. */
import { createHash } from 'node:crypto'
import { toHex, utf8Text } from '../../base/bytes.ts'
import { isVersion } from './version.ts'

export const SUMS = 'SHA256SUMS'
export const SIGNATURE = 'SHA256SUMS.minisig'
export const MANIFEST = 'release.json'
/** Caps of what is read before anything is known to be the vendor's. */
export const MAX_SUMS_BYTES = 64 * 1024
export const MAX_SIGNATURE_BYTES = 16 * 1024
export const MAX_MANIFEST_BYTES = 256 * 1024

const MAX_FILE_BYTES = 4 * 1024 ** 3
const MAX_PACKS = 64
const MAX_SUMS = 256
const MAX_NOTES = 16_384
const SHA256 = /^[0-9a-f]{64}$/
// One plain component: never a path, never hidden, never a name with a meaning to a shell.
const NAME = /^[A-Za-z0-9][A-Za-z0-9._~+-]{0,119}$/
const WORD = /^[a-z0-9][a-z0-9-]{0,31}$/

/** `root` and `verity` are partitions of a slot, `kernel` is the UKI of the boot loader. */
export const ROLES = ['root', 'verity', 'kernel'] as const
export type Role = (typeof ROLES)[number]

/** A file that is fetched. */
export interface ReleaseFile {
  name: string
  /** Bytes. */
  size: number
  /** Hex. */
  sha256: string
}

/** Another way to a file: its blocks compressed, without those that an older file has. */
export interface Pack extends ReleaseFile {
  /** The release whose file of the same role is needed; null is none. */
  from: string | null
}

export interface SlotFile extends ReleaseFile {
  role: Role
  packs: Pack[]
}

export interface Release {
  version: string
  /** As Debian writes it: `amd64`, `arm64`. */
  architecture: string
  /** Which of the images: `pc`, `arm64`, `rpi`. */
  flavour: string
  /** The oldest version that can install this one; undefined is any. */
  minimum?: string
  notes: string
  files: SlotFile[]
}

type Fields = Record<string, unknown>
export class Fault extends Error {}

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function textIn(fields: Fields, key: string, pattern: RegExp): string {
  const value = fields[key]
  if (typeof value !== 'string' || !pattern.test(value)) throw new Fault(`"${key}" is not valid`)
  return value
}

function versionIn(fields: Fields, key: string): string {
  const value = fields[key]
  if (typeof value !== 'string' || !isVersion(value)) throw new Fault(`"${key}" is no version`)
  return value
}

function listIn(fields: Fields, key: string, max: number): Fields[] {
  const value: unknown = fields[key] ?? []
  if (!Array.isArray(value) || value.length > max || !value.every(isObject)) {
    throw new Fault(`"${key}" is no list of at most ${max}`)
  }
  return value
}

function fileIn(fields: Fields): ReleaseFile {
  const { size } = fields
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1 || size > MAX_FILE_BYTES)
    throw new Fault('"size" is not valid')
  return { name: textIn(fields, 'name', NAME), size, sha256: textIn(fields, 'sha256', SHA256) }
}

function slotFileIn(fields: Fields): SlotFile {
  const role = ROLES.find((one) => one === fields['role'])
  if (role === undefined) throw new Fault('"role" is not valid')
  const packs = listIn(fields, 'packs', MAX_PACKS).map((pack) => ({
    ...fileIn(pack),
    from: pack['from'] === null ? null : versionIn(pack, 'from'),
  }))
  return { role, ...fileIn(fields), packs }
}

function releaseIn(value: unknown): Release {
  if (!isObject(value)) throw new Fault('it is no object')
  if (value['format'] !== 1) throw new Fault('it is of a format this version does not know')
  if (value['product'] !== 'btlinkd') throw new Fault('it is a release of something else')
  const files = listIn(value, 'files', ROLES.length).map(slotFileIn)
  const names = files.flatMap((file) => [file.name, ...file.packs.map((pack) => pack.name)])
  if (new Set(names).size !== names.length) throw new Fault('two files have one name')
  if (names.some((name) => [SUMS, SIGNATURE, MANIFEST].includes(name)))
    throw new Fault('a file has a name of the release itself')
  if (ROLES.some((role) => !files.some((file) => file.role === role)))
    throw new Fault(`it has not one file each of ${ROLES.join(', ')}`)
  const notes = value['notes'] ?? ''
  if (typeof notes !== 'string' || notes.length > MAX_NOTES) throw new Fault('"notes" is not valid')
  return {
    version: versionIn(value, 'version'),
    architecture: textIn(value, 'architecture', WORD),
    flavour: textIn(value, 'flavour', WORD),
    ...(value['minimum'] !== undefined && { minimum: versionIn(value, 'minimum') }),
    notes,
    files,
  }
}

/**
 * Reads `release.json`. Keys it does not know are for later versions, and left alone.
 * @throws Fault with the reason
 */
export function parseRelease(bytes: Uint8Array): Release {
  if (bytes.length > MAX_MANIFEST_BYTES) throw new Fault('it is too long')
  const text = utf8Text(bytes)
  if (text === undefined) throw new Fault('it is no UTF-8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Fault('it is no JSON')
  }
  return releaseIn(value)
}

/**
 * Reads what `sha256sum` prints: hash by name.
 * @throws Fault with the reason
 */
export function parseSums(bytes: Uint8Array): Map<string, string> {
  const text = utf8Text(bytes)
  if (text === undefined || bytes.length > MAX_SUMS_BYTES) throw new Fault('SHA256SUMS is no list')
  const sums = new Map<string, string>()
  const lines = text.replace(/\n$/, '').split('\n')
  if (lines.length > MAX_SUMS) throw new Fault('SHA256SUMS is too long')
  for (const line of lines) {
    const [, sha256, name] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? []
    if (sha256 === undefined || name === undefined || !NAME.test(name))
      throw new Fault('SHA256SUMS has a line that is none')
    if (sums.has(name)) throw new Fault('SHA256SUMS names a file twice')
    sums.set(name, sha256)
  }
  return sums
}

export const sha256Hex = (bytes: Uint8Array): string =>
  toHex(createHash('sha256').update(bytes).digest())
