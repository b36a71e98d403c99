/**
 * Torrents in a folder of their own instead of a swarm: `LinkResolver`, `Library` and `Publisher` as
 * edges see them, with knobs for what is not there yet. Names are resolved from a table.
 */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { nameKey } from '../../src/base/bep44.ts'
import { encode } from '../../src/base/bencode.ts'
import { createByteRanges, type ByteRanges } from '../../src/base/byte-ranges.ts'
import { concatBytes, fromHex } from '../../src/base/bytes.ts'
import { declareError } from '../../src/base/errors.ts'
import type { InfoHash, PublicKey, Target } from '../../src/base/hashes.ts'
import { decodeInfo } from '../../src/base/metainfo/decode.ts'
import type { Metainfo } from '../../src/base/metainfo/metainfo.ts'
import type {
  Library,
  LinkResolver,
  Publisher,
  Resolution,
  UploadedFile,
} from '../../src/base/ports/content.ts'
import type { SiteVersion } from '../../src/base/ports/store.ts'
import type { SwarmHints } from '../../src/base/ports/torrent-engine.ts'

export const FakeNotFound = declareError('BTL_ERR_RESOLVE_NOT_FOUND', 'no record for %s', 404)
export const FakeUnreachable = declareError(
  'BTL_ERR_RESOLVE_UNREACHABLE',
  'the DHT cannot be asked',
  503,
)
const FakeNotResolved = declareError('BTL_ERR_RESOLVE_NOT_LOCAL', '%s is not known here', 412)
const FakeNotLocal = declareError('BTL_ERR_LIBRARY_NOT_LOCAL', '%s is not on this box', 412)
export const FakeBadMetainfo = declareError('BTL_ERR_LIBRARY_BAD_METAINFO', 'bad: %s', 502)

/** Path with slashes, and content. */
export type FakeFiles = Record<string, string | Uint8Array>

export interface FakeTorrentOptions {
  name?: string
  /** A single-file torrent of this content. */
  single?: Uint8Array
  /** How much of each file is there at first; all of it without. */
  missing?: boolean
  pieceLength?: number
  /** Pad every file to a piece (BEP 47). */
  padded?: boolean
}

export interface FakeLibrary {
  library: Library
  resolver: LinkResolver
  publisher: Publisher
  /** Makes a torrent from files; they lie in the folder afterwards. */
  add(files: FakeFiles, options?: FakeTorrentOptions): Promise<Metainfo>
  /** Lets bytes of a file arrive. */
  arrive(infoHash: InfoHash, fileIndex: number, start: number, end: number): void
  /** Points a name at a torrent. */
  point(key: PublicKey, salt: Uint8Array, resolution: Resolution): void
  setVersions(key: PublicKey, salt: Uint8Array, versions: SiteVersion[]): void
  item(target: Target, value: Uint8Array): void
  /** Makes an open or resolve of this infohash or name key fail, or wait for ever (`never`). */
  fails: Map<string, Error | 'never'>
  /** What was asked, in order: `open <ih>`, `resolve <key>`, `available <ih> <index> <start>-<end>`. */
  asked: string[]
  /** What the last `open` of a torrent said of where to look. */
  hints: Map<InfoHash, SwarmHints>
  /** Aborts seen by `open` and `available`. */
  aborted: string[]
  uploads: { name: string; files: { path: readonly string[]; bytes: Buffer }[] }[]
}

interface Stored {
  metainfo: Metainfo
  there: ByteRanges[]
  wake: Set<() => void>
}

function infoOf(files: FakeFiles, options: FakeTorrentOptions): { info: Uint8Array } {
  const pieceLength = options.pieceLength ?? 16_384
  const name = options.name ?? 'fake'
  const entries: { path: string[]; bytes: Uint8Array; attr?: string }[] = []
  for (const [path, content] of Object.entries(files)) {
    const bytes = Buffer.from(content)
    entries.push({ path: path.split('/'), bytes })
    const rest = (pieceLength - (bytes.length % pieceLength)) % pieceLength
    if (options.padded === true && rest > 0) {
      entries.push({ path: ['.pad', String(rest)], bytes: new Uint8Array(rest), attr: 'p' })
    }
  }
  const all = options.single ?? concatBytes(...entries.map(({ bytes }) => bytes))
  const pieces: Buffer[] = []
  for (let at = 0; at < all.length; at += pieceLength) {
    pieces.push(
      createHash('sha1')
        .update(all.subarray(at, at + pieceLength))
        .digest(),
    )
  }
  const shape = options.single
    ? { length: options.single.length }
    : {
        files: entries.map(({ path, bytes, attr }) => ({
          ...(attr !== undefined && { attr }),
          length: bytes.length,
          path,
        })),
      }
  return {
    info: encode({ ...shape, name, 'piece length': pieceLength, pieces: Buffer.concat(pieces) }),
  }
}

/** Rejects when `signal` aborts, else never. */
async function untilAborted(signal: AbortSignal | undefined, onAbort: () => void): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener(
      'abort',
      () => {
        onAbort()
        reject(signal.reason as Error)
      },
      { once: true },
    )
  })
}

export function createFakeLibrary(folder: string): FakeLibrary {
  const torrents = new Map<InfoHash, Stored>()
  const names = new Map<string, Resolution>()
  const histories = new Map<string, SiteVersion[]>()
  const items = new Map<Target, Uint8Array>()
  const fails = new Map<string, Error | 'never'>()
  const asked: string[] = []
  const hints = new Map<InfoHash, SwarmHints>()
  const aborted: string[] = []
  const uploads: FakeLibrary['uploads'] = []
  const filePath = (infoHash: InfoHash, index: number) => join(folder, infoHash, String(index))

  function stored(infoHash: InfoHash): Stored {
    const found = torrents.get(infoHash)
    if (!found) throw new FakeBadMetainfo(infoHash)
    return found
  }

  async function failing(key: string, signal: AbortSignal | undefined): Promise<void> {
    const failure = fails.get(key)
    if (failure === 'never') await untilAborted(signal, () => aborted.push(key))
    else if (failure) throw failure
  }

  async function add(files: FakeFiles, options: FakeTorrentOptions = {}): Promise<Metainfo> {
    const metainfo = decodeInfo(infoOf(files, options).info)
    const contents = options.single ? [options.single] : Object.values(files)
    const real = metainfo.files.filter((file) => !file.isPad)
    for (const [i, file] of real.entries()) {
      const path = filePath(metainfo.infoHash, file.index)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, contents[i] ?? '')
    }
    const there = metainfo.files.map((file) =>
      createByteRanges(options.missing === true ? [] : [{ start: 0, end: file.length }]),
    )
    torrents.set(metainfo.infoHash, { metainfo, there, wake: new Set() })
    return metainfo
  }

  const library: Library = {
    async open(infoHash, options, signal) {
      asked.push(`open ${infoHash}`)
      if (options?.hints) hints.set(infoHash, options.hints)
      const isKnown = torrents.has(infoHash)
      if (!isKnown && options?.localOnly === true) throw new FakeNotLocal(infoHash)
      await failing(infoHash, signal)
      const { metainfo } = stored(infoHash)
      return { metainfo, filePath: (index) => filePath(infoHash, index) }
    },
    isLocal(infoHash, index, range) {
      const { metainfo, there } = stored(infoHash)
      const length = metainfo.files[index]?.length ?? 0
      return there[index]?.covers(range ?? { start: 0, end: length }) ?? false
    },
    async *available(infoHash, index, range, signal) {
      asked.push(`available ${infoHash} ${index} ${range.start}-${range.end}`)
      const torrent = stored(infoHash)
      const ranges = torrent.there[index]
      for (let at = range.start; at < range.end; ) {
        const end = Math.min(ranges?.reach(at) ?? at, range.end)
        if (end > at) {
          yield { start: at, end }
          at = end
          continue
        }
        const arrival = Promise.withResolvers<void>()
        torrent.wake.add(arrival.resolve)
        await Promise.race([
          arrival.promise,
          untilAborted(signal, () => aborted.push(`available ${infoHash}`)),
        ])
        torrent.wake.delete(arrival.resolve)
      }
    },
  }

  const resolver: LinkResolver = {
    async resolve(key, salt, options, signal) {
      const name = nameKey(key, salt)
      asked.push(`resolve ${name}`)
      const found = names.get(name)
      if (!found && options?.localOnly === true) throw new FakeNotResolved(name)
      await failing(name, signal)
      if (!found) throw new FakeNotFound(name)
      return found
    },
    async immutable(target, options, signal) {
      asked.push(`immutable ${target}`)
      const found = items.get(target)
      if (!found && options?.localOnly === true) throw new FakeNotResolved(target)
      await failing(target, signal)
      if (!found) throw new FakeNotFound(target)
      return found
    },
    versions: (key, salt) => histories.get(nameKey(key, salt)) ?? [],
  }

  async function collect(file: UploadedFile): Promise<{ path: readonly string[]; bytes: Buffer }> {
    const chunks: Uint8Array[] = []
    for await (const chunk of file.content) chunks.push(chunk)
    return { path: file.path, bytes: Buffer.concat(chunks) }
  }

  const notHere = async (): Promise<never> => {
    throw new FakeUnreachable()
  }
  const publisher: Publisher = {
    async upload(name, files) {
      const taken: { path: readonly string[]; bytes: Buffer }[] = []
      for await (const file of files) taken.push(await collect(file))
      uploads.push({ name, files: taken })
      const made = Object.fromEntries(taken.map(({ path, bytes }) => [path.join('/'), bytes]))
      const { infoHash, totalLength } = await add(made, { name })
      return { infoHash, totalLength, files: taken.length }
    },
    folder: notHere,
    point: notHere,
    unpublish: notHere,
    pin: notHere,
    unpin: notHere,
    pinTorrent: notHere,
    unpinTorrent: notHere,
  }

  return {
    library,
    resolver,
    publisher,
    add,
    arrive(infoHash, fileIndex, start, end) {
      const torrent = stored(infoHash)
      torrent.there[fileIndex]?.add({ start, end })
      for (const wake of torrent.wake) wake()
    },
    point: (key, salt, resolution) => void names.set(nameKey(key, salt), resolution),
    setVersions: (key, salt, versions) => void histories.set(nameKey(key, salt), versions),
    item: (target, value) => void items.set(target, value),
    fails,
    asked,
    hints,
    aborted,
    uploads,
  }
}

/** A version as the store keeps it, unsigned: only its shape matters to edges. */
export function fakeVersion(
  key: PublicKey,
  salt: Uint8Array,
  { infoHash, seq, at }: { infoHash: InfoHash; seq: number; at: number },
): SiteVersion {
  return {
    publicKey: key,
    salt,
    seq,
    value: encode({ ih: fromHex(infoHash) }),
    signature: new Uint8Array(64),
    infoHash,
    firstSeenAt: at,
    confirmedAt: at,
  }
}
