/** Puts a box into one locked stream. Holds one piece of one file in memory at a time. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { utf8 } from '../../base/bytes.ts'
import { codeOf, messageOf } from '../../base/errors.ts'
import { type InfoHash, type Sha256, sha256 } from '../../base/hashes.ts'
import { formatSize } from '../../base/units.ts'
import { blobPath, type StoreLayout, torrentFolder } from '../../base/layout.ts'
import { seal } from './age.ts'
import { checkPassphrase } from './age-header.ts'
import { Unreadable } from './errors.ts'
import {
  CONFIG_NAME,
  DATABASE_NAME,
  FORM,
  HEAD_NAME,
  type Head,
  type Listed,
  MANIFEST_NAME,
  MAX_SMALL_FILES,
  maxBytes,
  type Part,
  partOf,
} from './form.ts'
import { kindOf } from './inventory.ts'
import { type TarFile, writeTar } from './tar-writer.ts'
import { inspectState } from './verify.ts'

export interface PackOptions {
  stateDir: string
  /** A copy of the database that nobody writes to; undefined where the box has none. */
  database: string | undefined
  layout: StoreLayout
  /** Text of the configuration file, where there is one. */
  config: string | undefined
  /** Torrents whose content comes along. */
  torrents: readonly InfoHash[]
  head: Omit<Head, 'form' | 'hasSites'>
  passphrase: string
  /** Cost of each guess at the passphrase, as a power of two; what a small board bears without it. */
  logN?: number
}

export interface Packed {
  files: number
  bytes: number
  /** Files in the state folder that no backup knows. */
  strangers: string[]
  /** Torrents that are not whole on this box, and so not in the backup. */
  partial: InfoHash[]
}

const READ_BYTES = 262_144
const SHA256_LINE = /^[0-9a-f]{64}$/

/** Paths below the state folder, sorted; folders that go while it looks are nobody's. */
export async function listState(stateDir: string): Promise<string[]> {
  const entries = await readdir(stateDir, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(stateDir, '/').length))
    .sort()
}

async function* read(handle: FileHandle, size: number, name: string, signal: AbortSignal) {
  let left = size
  while (left > 0) {
    signal.throwIfAborted()
    const wanted = Math.min(left, READ_BYTES)
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(wanted), 0, wanted, size - left)
    if (bytesRead === 0) throw new Unreadable(name, 'it became shorter while it was read')
    left -= bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes
}

/** No backup that its own box would refuse. @throws Unreadable */
function requireSize(part: Part, size: number, path: string): void {
  if (size <= maxBytes(part)) return
  throw new Unreadable(path, `it has ${formatSize(size)}, more than any such file`)
}

/** A key with changed bits would make the whole backup one that no box takes. @throws Unreadable */
async function requireSound(handle: FileHandle, size: number, path: string, rest: string) {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(size), 0, size, 0)
  try {
    const found = { keys: new Map<string, string>(), roots: [], certificates: 0 }
    inspectState(rest, buffer.subarray(0, bytesRead), found, new Map())
  } catch (error) {
    throw new Unreadable(path, 'it is damaged: restore it, or put it elsewhere', { cause: error })
  }
}

/**
 * @param report filled while the stream is read
 * @throws WeakPassphrase, Unreadable
 */
export function packBox(
  options: PackOptions,
  report: Packed,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const { stateDir, layout, config, torrents, head } = options
  const listed: Listed[] = []
  checkPassphrase(options.passphrase)

  function tarFile(
    name: string,
    size: number,
    mtime: number,
    content: AsyncIterable<Uint8Array>,
  ): TarFile {
    async function* hashed(): AsyncGenerator<Uint8Array, void, undefined> {
      const hash = createHash('sha256')
      for await (const piece of content) {
        hash.update(piece)
        yield piece
      }
      listed.push({ name, size, sha256: hash.digest('hex') })
      report.files++
      report.bytes += size
    }
    return { name, size, mtime, content: hashed() }
  }

  const textFile = (name: string, text: string): TarFile => {
    const bytes = utf8(text)
    requireSize(partOf(name).part, bytes.length, name)
    return tarFile(name, bytes.length, head.made / 1000, once(bytes))
  }

  /** Opened once: what is renamed over it meanwhile is another file. */
  async function* diskFile(name: string, path: string): AsyncGenerator<TarFile, void, undefined> {
    let handle: FileHandle
    try {
      // Not waiting: nobody writes into a pipe that lies there.
      handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    } catch (error) {
      throw new Unreadable(path, codeOf(error) ?? messageOf(error), { cause: error })
    }
    try {
      const stats = await handle.stat()
      const { size, mtimeMs } = stats
      if (!stats.isFile()) throw new Unreadable(path, 'it is no plain file: put it elsewhere')
      const { part, rest } = partOf(name)
      requireSize(part, size, path)
      if (part === 'state') await requireSound(handle, size, path, rest)
      yield tarFile(name, size, mtimeMs / 1000, read(handle, size, path, signal))
    } finally {
      await handle.close()
    }
  }

  async function blobsOf(torrent: InfoHash): Promise<Sha256[] | undefined> {
    try {
      const handle = await open(join(torrentFolder(layout, torrent), 'blobs'), 'r')
      try {
        const lines = (await handle.readFile('latin1')).split('\n')
        return lines.filter((line) => SHA256_LINE.test(line)).map((line) => sha256(line))
      } finally {
        await handle.close()
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw new Unreadable(torrent, messageOf(error), { cause: error })
    }
  }

  async function* content(): AsyncGenerator<TarFile, void, undefined> {
    const packed = new Set<Sha256>()
    for (const torrent of new Set(torrents)) {
      const blobs = await blobsOf(torrent)
      if (!blobs) {
        report.partial.push(torrent)
        continue
      }
      for (const blob of blobs) {
        if (packed.has(blob)) continue
        packed.add(blob)
        yield* diskFile(`sites/blobs/${blob}`, blobPath(layout, blob))
      }
      const folder = torrentFolder(layout, torrent)
      yield* diskFile(`sites/torrents/${torrent}/info`, join(folder, 'info'))
      yield* diskFile(`sites/torrents/${torrent}/blobs`, join(folder, 'blobs'))
    }
  }

  async function* files(): AsyncGenerator<TarFile, void, undefined> {
    const all: Head = { form: FORM, ...head, hasSites: torrents.length > 0 }
    yield textFile(HEAD_NAME, `${JSON.stringify(all, undefined, 2)}\n`)
    if (config !== undefined) yield textFile(CONFIG_NAME, config)
    // First of all: a key that a site needs was written before the site.
    if (options.database !== undefined) yield* diskFile(DATABASE_NAME, options.database)
    let small = 0
    for (const path of await listState(stateDir)) {
      const kind = kindOf(path)
      if (!kind) report.strangers.push(path)
      if (kind?.fate === 'kept' && `state/${path}` !== DATABASE_NAME) {
        if (++small > MAX_SMALL_FILES) throw new Unreadable(stateDir, 'it has too many keys')
        yield* diskFile(`state/${path}`, join(stateDir, path))
      }
    }
    yield* content()
    yield textFile(MANIFEST_NAME, JSON.stringify({ files: listed }))
  }

  return seal(writeTar(files()), options.passphrase, options.logN)
}
