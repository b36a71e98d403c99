/**
 * The folders of torrents. A folder with the file `blobs` (one sha256 a line, `-` for a pad file)
 * is whole: its files are links to blobs. One without it is being downloaded.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../../base/durable-file.ts'
import { equalBytes, toHex, utf8 } from '../../base/bytes.ts'
import { codeOf } from '../../base/errors.ts'
import { type InfoHash, infoHash, type Sha256, sha256 } from '../../base/hashes.ts'
import {
  blobPath,
  type StoreLayout,
  torrentFilePath,
  torrentFolder,
  torrentInfoPath,
} from '../../base/layout.ts'
import { decodeInfoInSlices } from '../../base/metainfo/decode.ts'
import type { Metainfo } from '../../base/metainfo/metainfo.ts'
import { createPieceHasher, type PieceHasher } from '../../base/metainfo/piece-hasher.ts'
import { PIECE_HASH_BYTES } from '../../base/metainfo/piece-length.ts'
import type { TorrentFolders } from '../../base/ports/store.ts'
import { createSingleFlight } from '../../base/single-flight.ts'
import type { BlobShelf } from './blob-shelf.ts'
import { hashFile, seal } from './blob-store.ts'
import { makeFolder, onDisk, replaceFile, tempName } from './durable.ts'
import { Damaged, NoBlob, NoTorrent } from './errors.ts'
import { BLOB_MODE, linkFile, linkFileOver } from './link-file.ts'

type Blobs = readonly (Sha256 | undefined)[]

const MANIFEST = 'blobs'
const LOOKS_AT_ONCE = 16
// The engine may write the same bytes there.
const INFO_MODE = 0o644
const ZEROS = new Uint8Array(65_536)
const SHA256_LINE = /^[0-9a-f]{64}$/

const manifestOf = (blobs: Blobs): Uint8Array =>
  utf8(blobs.map((hash) => `${hash ?? '-'}\n`).join(''))

const hashOfInfo = (info: Uint8Array): InfoHash =>
  infoHash(toHex(createHash('sha1').update(info).digest()))

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** BEP 47: a pad file is zeroes. */
function pushZeros(hasher: PieceHasher, bytes: number): void {
  for (let left = bytes; left > 0; left -= ZEROS.length) {
    hasher.push(ZEROS.subarray(0, Math.min(left, ZEROS.length)))
  }
}

/** Index of the first piece whose sums differ. */
function firstDifference(found: Uint8Array, expected: Uint8Array): number | undefined {
  for (let at = 0; at < expected.length; at += PIECE_HASH_BYTES) {
    const end = at + PIECE_HASH_BYTES
    if (!equalBytes(found.subarray(at, end), expected.subarray(at, end))) {
      return at / PIECE_HASH_BYTES
    }
  }
  return undefined
}

export function createTorrentFolders(layout: StoreLayout, shelf: BlobShelf): TorrentFolders {
  const { torrents } = layout
  const adoptions = createSingleFlight<void>()

  async function blobPathOf(hash: Sha256): Promise<string> {
    const blob = await shelf.find(hash)
    if (!blob) throw new NoBlob(hash)
    return blob.path
  }

  async function linkBlob(hash: Sha256, to: string): Promise<void> {
    try {
      await linkFile(blobPath(layout, hash), to)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw new NoBlob(hash, { cause: error })
      throw error
    }
  }

  /** A new folder appears with one rename, whole or not at all. */
  async function buildFolder(hash: InfoHash, info: Uint8Array, blobs: Blobs): Promise<void> {
    const temp = join(torrents, tempName('new'))
    await mkdir(temp)
    try {
      for (const [index, blob] of blobs.entries()) {
        if (blob !== undefined) await linkBlob(blob, join(temp, String(index)))
      }
      await writeFile(join(temp, 'info'), info, { mode: INFO_MODE, flush: true })
      await writeFile(join(temp, MANIFEST), manifestOf(blobs), { mode: BLOB_MODE, flush: true })
      await syncFolder(temp)
      await rename(temp, torrentFolder(layout, hash))
    } catch (error) {
      await rm(temp, { recursive: true, force: true })
      throw error
    }
    await syncFolder(torrents)
  }

  async function isSameFile(a: string, b: string): Promise<boolean> {
    try {
      const [one, other] = await Promise.all([stat(a), stat(b)])
      return one.ino === other.ino && one.dev === other.dev
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
  }

  /**
   * A folder that is there (a partial download, or linked before) is replaced file by file, so that
   * no reader ever finds a file missing; it counts as whole from the last step on.
   */
  async function fillFolder(hash: InfoHash, info: Uint8Array, blobs: Blobs): Promise<void> {
    async function fill([index, blob]: [number, Sha256 | undefined]): Promise<void> {
      if (blob === undefined) return
      const [from, to] = [await blobPathOf(blob), torrentFilePath(layout, hash, index)]
      if (!(await isSameFile(from, to))) await linkFileOver(from, to, torrents)
    }
    const entries = [...blobs.entries()]
    for (let at = 0; at < entries.length; at += LOOKS_AT_ONCE) {
      await Promise.all(entries.slice(at, at + LOOKS_AT_ONCE).map(fill))
    }
    await writeInfo(hash, info)
    await syncFolder(torrentFolder(layout, hash))
    await writeManifest(hash, blobs)
  }

  async function writeManifest(hash: InfoHash, blobs: Blobs): Promise<void> {
    const path = join(torrentFolder(layout, hash), MANIFEST)
    const [known, wanted] = [await readIfThere(path), manifestOf(blobs)]
    if (!known || !equalBytes(known, wanted)) await replaceFile(path, wanted, BLOB_MODE)
  }

  async function writeInfo(hash: InfoHash, info: Uint8Array): Promise<void> {
    const path = torrentInfoPath(layout, hash)
    const known = await readIfThere(path)
    if (!known || !equalBytes(known, info)) await replaceFile(path, info, INFO_MODE)
  }

  async function readManifest(hash: InfoHash): Promise<(Sha256 | undefined)[] | undefined> {
    const bytes = await readIfThere(join(torrentFolder(layout, hash), MANIFEST))
    if (!bytes) return undefined
    const lines = Buffer.from(bytes).toString('latin1').split('\n').slice(0, -1)
    return lines.map((line) => (SHA256_LINE.test(line) ? sha256(line) : undefined))
  }

  async function isThere(hash: InfoHash): Promise<boolean> {
    return (await stat(torrentFolder(layout, hash)).catch(() => undefined)) !== undefined
  }

  /** Reads every file once: its sha256, and whether all pieces are what the info dict says. */
  async function hashTorrent(metainfo: Metainfo, signal?: AbortSignal): Promise<Blobs> {
    const hasher = createPieceHasher(metainfo.pieceLength)
    const blobs: (Sha256 | undefined)[] = []
    for (const file of metainfo.files) {
      if (file.isPad) {
        pushZeros(hasher, file.length)
        blobs.push(undefined)
        continue
      }
      const path = torrentFilePath(layout, metainfo.infoHash, file.index)
      // An engine writes nothing for a file without bytes.
      if (file.length === 0) await (await open(path, 'a', 0o644)).close()
      const { hash, length } = await hashFile(path, {
        observe: (chunk) => hasher.push(chunk),
        signal,
      })
      if (length !== file.length) {
        throw new Damaged(metainfo.infoHash, `file ${file.index} has ${length} bytes`)
      }
      blobs.push(hash)
    }
    const bad = firstDifference(hasher.finish(), metainfo.pieces)
    if (bad !== undefined) throw new Damaged(metainfo.infoHash, `piece ${bad} differs`)
    return blobs
  }

  async function adopt(hash: InfoHash, signal?: AbortSignal): Promise<void> {
    if (await readManifest(hash)) return
    const info = await readIfThere(torrentInfoPath(layout, hash))
    if (!info) throw new NoTorrent(hash)
    const metainfo = await decodeInfoInSlices(info, signal)
    const blobs = await hashTorrent(metainfo, signal)
    for (const file of metainfo.files) {
      const blob = blobs[file.index]
      if (blob === undefined) continue
      signal?.throwIfAborted()
      const path = torrentFilePath(layout, hash, file.index)
      await seal(path)
      await shelf.share(path, blob, file.length)
    }
    await syncFolder(torrentFolder(layout, hash))
    await writeManifest(hash, blobs)
  }

  async function remove(hash: InfoHash): Promise<void> {
    const blobs = (await readManifest(hash)) ?? []
    const away = join(torrents, tempName('old'))
    try {
      await rename(torrentFolder(layout, hash), away)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return
      throw error
    }
    await syncFolder(torrents)
    await rm(away, { recursive: true, force: true })
    for (const blob of new Set(blobs)) if (blob !== undefined) await shelf.dropUnowned(blob)
  }

  return {
    link: (hash, info, blobs) =>
      onDisk(torrents, () =>
        shelf.lock(async () => {
          if (hashOfInfo(info) !== hash) throw new Damaged(hash, 'the info dict is another one')
          if (await isThere(hash)) await fillFolder(hash, info, blobs)
          else await buildFolder(hash, info, blobs)
          for (const blob of blobs) if (blob !== undefined) shelf.release(blob)
        }),
      ),
    async info(hash) {
      const info = await onDisk(torrents, () => readIfThere(torrentInfoPath(layout, hash)))
      return info && hashOfInfo(info) === hash ? info : undefined
    },
    saveInfo: (hash, info) =>
      onDisk(torrents, () =>
        shelf.lock(async () => {
          if (hashOfInfo(info) !== hash) throw new Damaged(hash, 'the info dict is another one')
          await makeFolder(torrentFolder(layout, hash))
          await writeInfo(hash, info)
        }),
      ),
    adopt: (hash, signal) =>
      adoptions.run(hash, (given) => onDisk(torrents, () => adopt(hash, given)), signal),
    remove: (hash) => onDisk(torrents, () => shelf.lock(() => remove(hash))),
  }
}
