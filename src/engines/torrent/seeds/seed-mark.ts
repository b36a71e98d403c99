/** The file `seed` beside a torrent's data: that it is seeded, and all there is to know while nobody asks for it. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { BDict, BValue } from '../../../base/bencode.ts'
import { utf8Text } from '../../../base/bytes.ts'
import { codeOf } from '../../../base/errors.ts'
import { type InfoHash, infoHash } from '../../../base/hashes.ts'
import { type StoreLayout, torrentFolder } from '../../../base/layout.ts'
import type { SwarmHints } from '../../../base/ports/torrent-engine.ts'
import { readNote, writeNote } from '../pieces/notes.ts'

const MAX_HINTS = 100
// A box without a battery for its clock starts in 1970.
export const FIRST_SANE_MS = Date.UTC(2025, 0, 1)

export interface SeedMark {
  announceDht: boolean
  /** Published here. */
  own: boolean
  isPrivate: boolean
  /** Bytes of the torrent once all of it was verified; without it the pieces have to be looked at. */
  wholeBytes: number | undefined
  /** Milliseconds of the system's clock when it was first seeded; 0 where nobody knows. */
  since: number
  downloaded: number
  uploaded: number
  /** What of `uploaded` went to strangers. */
  given: number
  hints: SwarmHints
}

const pathOf = (layout: StoreLayout, hash: InfoHash) => join(torrentFolder(layout, hash), 'seed')

const peerText = (peer: { host: string; port: number }) => `${peer.host}|${peer.port}`

export async function saveSeedMark(
  layout: StoreLayout,
  hash: InfoHash,
  mark: SeedMark,
): Promise<void> {
  const { trackers = [], webSeeds = [], peers = [] } = mark.hints
  await writeNote(pathOf(layout, hash), {
    dht: mark.announceDht ? 1 : 0,
    down: mark.downloaded,
    given: mark.given,
    own: mark.own ? 1 : 0,
    peers: peers.slice(0, MAX_HINTS).map(peerText),
    private: mark.isPrivate ? 1 : 0,
    since: Math.floor(mark.since),
    trackers: trackers.slice(0, MAX_HINTS),
    up: mark.uploaded,
    webseeds: webSeeds.slice(0, MAX_HINTS),
    whole: mark.wholeBytes,
  })
}

const texts = (value: BValue | undefined): string[] =>
  Array.isArray(value)
    ? value
        .slice(0, MAX_HINTS)
        .flatMap((item) => (item instanceof Uint8Array ? (utf8Text(item) ?? []) : []))
    : []

function count(saved: BDict, key: string): number {
  const value = saved.get(key)
  return typeof value === 'number' && value > 0 ? value : 0
}

/** Undefined where the torrent is not seeded, or the mark cannot be read. */
export async function loadSeedMark(
  layout: StoreLayout,
  hash: InfoHash,
): Promise<SeedMark | undefined> {
  const saved = await readNote(pathOf(layout, hash))
  if (saved === undefined) return undefined
  const peers = texts(saved.get('peers')).flatMap((text) => {
    const [host = '', port = ''] = text.split('|')
    return /^\d{1,5}$/.test(port) ? [{ host, port: Number(port) }] : []
  })
  const since = count(saved, 'since')
  return {
    announceDht: saved.get('dht') !== 0,
    own: saved.get('own') === 1,
    isPrivate: saved.get('private') === 1,
    wholeBytes: count(saved, 'whole') || undefined,
    since: since < FIRST_SANE_MS ? 0 : since,
    downloaded: count(saved, 'down'),
    uploaded: count(saved, 'up'),
    given: count(saved, 'given'),
    hints: {
      peers,
      trackers: texts(saved.get('trackers')),
      webSeeds: texts(saved.get('webseeds')),
    },
  }
}

export async function removeSeedMark(layout: StoreLayout, hash: InfoHash): Promise<void> {
  await rm(pathOf(layout, hash), { force: true })
}

/** Infohashes of all folders; only the mark says which of them are seeded. */
export async function torrentFolders(layout: StoreLayout): Promise<InfoHash[]> {
  try {
    const names = await readdir(layout.torrents)
    return names.filter((name) => /^[0-9a-f]{40}$/.test(name)).map(infoHash)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}
