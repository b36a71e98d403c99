/**
 * What is known about a torrent's files between two runs: `have` beside them says which pieces were
 * verified, `seed` that the torrent is seeded and where it is announced.
 */
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type BDict, type BValue, decode, encode } from '../../base/bencode.ts'
import { utf8Text } from '../../base/bytes.ts'
import { codeOf } from '../../base/errors.ts'
import { type InfoHash, infoHash } from '../../base/hashes.ts'
import { type StoreLayout, torrentFilePath, torrentFolder } from '../../base/layout.ts'
import type { Metainfo, TorrentFile } from '../../base/metainfo/metainfo.ts'
import type { SwarmHints } from '../../base/ports/torrent-engine.ts'
import type { PieceMap } from './piece-map.ts'
import { createPieceSet, type PieceSet } from './piece-set.ts'

const MAX_RESUME_BYTES = 4 * 1024 * 1024
const MAX_HINTS = 100
// Pieces may be written for a few seconds after `have` was; later changes were not ours.
const SLACK_MS = 15_000

export interface SeedMark {
  announceDht: boolean
  hints: SwarmHints
}

export interface Resume {
  have: PieceSet
  /** Pieces that may be there, in files that changed or were never looked at. */
  doubtful: number[]
  /** Milliseconds of the system's clock: files changed later were changed by somebody else. */
  newest: number
}

async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(`${path}.tmp`, 'w', 0o640)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.tmp`, path)
}

async function readDict(path: string): Promise<BDict | undefined> {
  try {
    if ((await stat(path)).size > MAX_RESUME_BYTES) return undefined
    const value = decode(await readFile(path))
    return value instanceof Map ? value : undefined
  } catch {
    // Missing or broken: the pieces are hashed again.
    return undefined
  }
}

interface FileState {
  size: number
  changedAt: number
  /** A file of nothing but holes holds no piece. */
  empty: boolean
}

async function fileState(path: string): Promise<FileState> {
  try {
    const { size, mtimeMs, blocks } = await stat(path)
    return { size, changedAt: mtimeMs, empty: size === 0 || blocks === 0 }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { size: 0, changedAt: 0, empty: true }
    throw error
  }
}

/** Pieces that cannot be there because a file ends before them, and those of files that changed. */
async function judgeFiles(
  layout: StoreLayout,
  metainfo: Metainfo,
  map: PieceMap,
  isTrusted: (file: TorrentFile, state: FileState) => boolean,
): Promise<{ absent: PieceSet; doubted: PieceSet }> {
  const doubted = createPieceSet(map.count)
  const absent = createPieceSet(map.count)
  for (const file of metainfo.files) {
    const span = map.span(file.index, { start: 0, end: file.length })
    if (file.isPad || span === undefined) continue
    const state = await fileState(torrentFilePath(layout, metainfo.infoHash, file.index))
    const trusted = isTrusted(file, state)
    if (trusted && state.size >= file.length) continue
    for (let piece = span.first; piece <= span.last; piece++) {
      const part = map.rangeIn(piece, file.index)
      if (state.empty || (part?.end ?? 0) > state.size) absent.add(piece)
      else if (!trusted) doubted.add(piece)
    }
  }
  return { absent, doubted }
}

/**
 * Which pieces are good without hashing, and which must be hashed to know.
 * @param known the caller vouches for the data: only sizes are compared
 */
export async function loadResume(
  layout: StoreLayout,
  metainfo: Metainfo,
  map: PieceMap,
  known: boolean,
): Promise<Resume> {
  const saved = await readDict(join(torrentFolder(layout, metainfo.infoHash), 'have'))
  const bits = saved?.get('have')
  const newest = Number(saved?.get('newest') ?? 0)
  const old = createPieceSet(map.count, bits instanceof Uint8Array ? bits : undefined)
  const isTrusted = (file: TorrentFile, state: FileState) =>
    known ? state.size === file.length : saved !== undefined && state.changedAt <= newest + SLACK_MS
  const { absent, doubted } = await judgeFiles(layout, metainfo, map, isTrusted)
  const have = createPieceSet(map.count)
  const doubtful: number[] = []
  for (let piece = 0; piece < map.count; piece++) {
    if (absent.has(piece)) continue
    if (doubted.has(piece)) doubtful.push(piece)
    else if (known || old.has(piece)) have.add(piece)
  }
  return { have, doubtful, newest }
}

/** Writes `have`; the pieces it names must be on the disk already. */
export async function saveResume(
  layout: StoreLayout,
  hash: InfoHash,
  bits: Uint8Array,
  newest: number,
): Promise<void> {
  await replace(
    join(torrentFolder(layout, hash), 'have'),
    encode({ have: bits, newest: Math.floor(newest) }),
  )
}

const peerText = (peer: { host: string; port: number }) => `${peer.host}|${peer.port}`

export async function saveSeedMark(
  layout: StoreLayout,
  hash: InfoHash,
  mark: SeedMark,
): Promise<void> {
  const { trackers = [], webSeeds = [], peers = [] } = mark.hints
  const bytes = encode({
    dht: mark.announceDht ? 1 : 0,
    peers: peers.slice(0, MAX_HINTS).map(peerText),
    trackers: trackers.slice(0, MAX_HINTS),
    webseeds: webSeeds.slice(0, MAX_HINTS),
  })
  await replace(join(torrentFolder(layout, hash), 'seed'), bytes)
}

const texts = (value: BValue | undefined): string[] =>
  Array.isArray(value)
    ? value.flatMap((item) => (item instanceof Uint8Array ? (utf8Text(item) ?? []) : []))
    : []

export async function loadSeedMark(
  layout: StoreLayout,
  hash: InfoHash,
): Promise<SeedMark | undefined> {
  const saved = await readDict(join(torrentFolder(layout, hash), 'seed'))
  if (saved === undefined) return undefined
  const peers = texts(saved.get('peers')).flatMap((text) => {
    const [host = '', port = ''] = text.split('|')
    return /^\d{1,5}$/.test(port) ? [{ host, port: Number(port) }] : []
  })
  return {
    announceDht: saved.get('dht') !== 0,
    hints: {
      peers,
      trackers: texts(saved.get('trackers')),
      webSeeds: texts(saved.get('webseeds')),
    },
  }
}

export async function removeSeedMark(layout: StoreLayout, hash: InfoHash): Promise<void> {
  await rm(join(torrentFolder(layout, hash), 'seed'), { force: true })
}

/** Infohashes of the folders with a `seed` file. */
export async function* seededTorrents(layout: StoreLayout): AsyncGenerator<InfoHash> {
  let names: string[]
  try {
    names = await readdir(layout.torrents)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  for (const name of names) {
    if (!/^[0-9a-f]{40}$/.test(name)) continue
    try {
      await stat(join(layout.torrents, name, 'seed'))
      yield infoHash(name)
    } catch {
      // Not a seeded one.
    }
  }
}
