/** What is known about a torrent's files between two runs: `have` beside them says which pieces were verified. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../../base/errors.ts'
import type { InfoHash } from '../../../base/hashes.ts'
import { type StoreLayout, torrentFilePath, torrentFolder } from '../../../base/layout.ts'
import type { Metainfo, TorrentFile } from '../../../base/metainfo/metainfo.ts'
import { readNote, writeNote } from './notes.ts'
import type { PieceMap } from './piece-map.ts'
import { createPieceSet, type PieceSet } from './piece-set.ts'

// Pieces may be written for a few seconds after `have` was; later changes were not ours.
const SLACK_MS = 15_000

export interface Resume {
  have: PieceSet
  /** Pieces that may be there, in files that changed or were never looked at. */
  doubtful: number[]
  /** Milliseconds of the system's clock: files changed later were changed by somebody else. */
  newest: number
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
  const saved = await readNote(join(torrentFolder(layout, metainfo.infoHash), 'have'))
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
  const path = join(torrentFolder(layout, hash), 'have')
  await writeNote(path, { have: bits, newest: Math.floor(newest) })
}
