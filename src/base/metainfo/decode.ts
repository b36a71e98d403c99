/**
 * The strict validator: a torrent's raw bytes become a `Metainfo` here or nowhere. Everything a
 * stranger sends passes through before an engine sees it.
 */
import { type BValue, decode } from '../bencode.ts'
import { createReader, fail } from '../bencode-reader.ts'
import { utf8Text } from '../bytes.ts'
import { MAX_HINTS, trackerUrls, webSeedUrls } from '../hint-urls.ts'
import { parsePeerAddress } from '../peer-address.ts'
import type { PeerAddress } from '../ports/dht-node.ts'
import { refuse } from './errors.ts'
import type { Metainfo } from './metainfo.ts'
import { readInfo } from './read-info.ts'
import { hasMore, keyAfter, openDict, skipLarge } from './read-values.ts'
import { runAtOnce, runInSlices, type Slices } from './slices.ts'

// A hybrid torrent carries its v2 hashes beside the info.
const MAX_TORRENT_BYTES = 32 * 1024 * 1024
const MAX_TIERS = 20

export interface TorrentContents {
  metainfo: Metainfo
  /** Tiers of BEP 12; `announce` alone is one tier. Sound ones, at most 20 in all. */
  trackers: string[][]
  /** `url-list` of BEP 19; sound ones, at most 20. */
  webSeeds: string[]
  /** DHT nodes of BEP 5 given by address; at most 20. */
  nodes: PeerAddress[]
}

/**
 * Validates a raw info dict of at most 10 MiB and 100,000 files. Takes up to 200 ms for the largest;
 * where strangers choose the input, `decodeInfoInSlices` leaves the loop free.
 * @throws BadMetainfo (502) with the reason
 */
export const decodeInfo = (info: Uint8Array): Metainfo => runAtOnce(readInfo(info))

/** As `decodeInfo`, never holding the event loop for more than a few milliseconds. */
export const decodeInfoInSlices = (info: Uint8Array, signal?: AbortSignal): Promise<Metainfo> =>
  runInSlices(readInfo(info), signal)

/**
 * Validates a torrent file. What is wrong with the info refuses it; unsound trackers, web seeds and
 * nodes are left out.
 * @throws BadMetainfo (502) with the reason
 */
export const decodeTorrentFile = (bytes: Uint8Array): TorrentContents =>
  runAtOnce(readTorrentFile(bytes))

/** As `decodeTorrentFile`, never holding the event loop for more than a few milliseconds. */
export const decodeTorrentFileInSlices = (
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<TorrentContents> => runInSlices(readTorrentFile(bytes), signal)

function* readTorrentFile(bytes: Uint8Array): Slices<TorrentContents> {
  if (bytes.length > MAX_TORRENT_BYTES) refuse(`it has more than ${MAX_TORRENT_BYTES} bytes`)
  const raw = yield* readTop(bytes)
  const info = raw.get('info')
  if (!info) refuse('"info" is missing')
  const metainfo = yield* readInfo(info)
  const tiers = listOf(smallValue(raw.get('announce-list')))
  return {
    metainfo,
    trackers: readTrackers(tiers, smallValue(raw.get('announce'))),
    webSeeds: webSeedUrls(textsOf(smallValue(raw.get('url-list')))),
    nodes: readNodes(smallValue(raw.get('nodes'))),
  }
}

/** The raw entries of the top dictionary. */
function* readTop(bytes: Uint8Array): Slices<Map<string, Uint8Array>> {
  const reader = createReader(bytes)
  const entries = new Map<string, Uint8Array>()
  openDict(reader, 'the torrent file')
  for (let key: string | undefined; hasMore(reader); ) {
    key = keyAfter(reader, key)
    if (entries.size === 100) refuse('more than 100 entries beside "info"')
    const start = reader.at
    yield* skipLarge(reader)
    entries.set(key, bytes.subarray(start, reader.at))
  }
  if (reader.at !== bytes.length) fail(reader, 'bytes after the end')
  return entries
}

/** Values beside the info are hints: one that is too large is none. */
function smallValue(raw: Uint8Array | undefined): BValue | undefined {
  if (!raw || raw.length > 256 * 1024) return undefined
  try {
    return decode(raw, { maxDepth: 4, maxValues: 4000 })
  } catch {
    return undefined
  }
}

const listOf = (value: BValue | undefined): BValue[] => (Array.isArray(value) ? value : [])

/** The texts of a list, or of a single one. */
function textsOf(value: BValue | undefined): string[] {
  const values = Array.isArray(value) ? value : [value]
  return values.flatMap((item) => (item instanceof Uint8Array ? (utf8Text(item) ?? []) : []))
}

function readTrackers(tiers: BValue[], announce: BValue | undefined): string[][] {
  const seen = new Set<string>()
  const trackers: string[][] = []
  for (const tier of tiers.length > 0 ? tiers.slice(0, MAX_TIERS) : [announce]) {
    const urls = trackerUrls(textsOf(tier)).filter((url) => !seen.has(url))
    const kept = urls.slice(0, MAX_HINTS - seen.size)
    for (const url of kept) seen.add(url)
    if (kept.length > 0) trackers.push(kept)
  }
  return trackers
}

function readNodes(value: BValue | undefined): PeerAddress[] {
  const nodes = listOf(value).flatMap((node) => {
    const [host, port] = listOf(node)
    const text = host instanceof Uint8Array ? utf8Text(host) : undefined
    if (text === undefined || typeof port !== 'number') return []
    return parsePeerAddress(text.includes(':') ? `[${text}]:${port}` : `${text}:${port}`) ?? []
  })
  return nodes.slice(0, MAX_HINTS)
}
