/** The query of an announce or scrape (BEP 3, 48): bytes in percent-encoding, not UTF-8. */
import type { InfoHash } from '../../base/hashes.ts'
import {
  type AnnounceEvent,
  badRequest,
  COMPLETED_EVENT,
  NO_EVENT,
  PAUSED_EVENT,
  type Refusal,
  STARTED_EVENT,
  STOPPED_EVENT,
} from './announce.ts'

export interface AnnounceQuery {
  refused: undefined
  infoHash: InfoHash
  peerId: Uint8Array
  port: number
  uploaded: number
  left: number
  event: AnnounceEvent
  numwant: number | undefined
  key: number
  compact: boolean
  noPeerId: boolean
}

/** BEP 48 sets no limit; as many fit into the longest request line that the server takes. */
export const MAX_SCRAPED = 50
const MAX_PARAMETERS = 64
const HASH_BYTES = 20
const PERCENT = 0x25
const MAX_NUMBER_DIGITS = 20

const EVENTS = new Map<string, AnnounceEvent>([
  ['', NO_EVENT],
  ['empty', NO_EVENT],
  ['started', STARTED_EVENT],
  ['stopped', STOPPED_EVENT],
  ['completed', COMPLETED_EVENT],
  ['paused', PAUSED_EVENT],
])

const BAD_HASH = badRequest('info_hash must be 20 bytes, percent-encoded')
const NO_HASH = badRequest('info_hash is missing')
const BAD_PEER_ID = badRequest('peer_id must be 20 bytes, percent-encoded')
const BAD_PORT = badRequest('port must be a number from 1 to 65535')
const BAD_EVENT = badRequest('event must be started, stopped, completed, paused or empty')
const BAD_NUMBER = badRequest('uploaded, downloaded, left and numwant must be whole numbers')
const TOO_MANY = badRequest('too many parameters')
const NO_FULL_SCRAPE = badRequest('name an info_hash: this tracker does not list its torrents')

const digitOf = (code: number): number => {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/**
 * Percent-decodes `text[from, to)` into exactly `into.length` bytes; upper and lower case alike, and
 * a plus sign is a plus sign, as clients send it.
 */
export function decodeBytes(text: string, from: number, to: number, into: Uint8Array): boolean {
  let length = 0
  for (let at = from; at < to; at++) {
    let code = text.charCodeAt(at)
    if (code === PERCENT) {
      const high = at + 2 < to ? digitOf(text.charCodeAt(at + 1)) : -1
      const low = at + 2 < to ? digitOf(text.charCodeAt(at + 2)) : -1
      if (high < 0 || low < 0) return false
      code = high * 16 + low
      at += 2
    }
    if (length === into.length || code > 255) return false
    into[length++] = code
  }
  return length === into.length
}

/** A whole number of bytes or peers; undefined for anything else. -1 is what some send for "unknown". */
function wholeNumber(text: string): number | undefined {
  if (text === '-1') return -1
  if (text === '' || text.length > MAX_NUMBER_DIGITS || !/^\d+$/.test(text)) return undefined
  return Number(text)
}

/** 32 bits of whatever a client takes for a key: up to eight hex digits as they are, the rest mixed. */
export function keyNumber(text: string): number {
  if (text.length <= 8 && /^[0-9a-fA-F]+$/.test(text)) return Number.parseInt(text, 16)
  let hash = 0
  for (let i = 0; i < Math.min(text.length, 64); i++) {
    hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  }
  return hash >>> 0
}

/** Calls `take` with where each parameter's name and value stand; false stops. */
function walk(
  query: string,
  take: (name: string, from: number, to: number) => boolean,
): Refusal | undefined {
  let parameters = 0
  for (let start = 0; start < query.length; ) {
    let end = query.indexOf('&', start)
    if (end < 0) end = query.length
    if (end > start) {
      if (++parameters > MAX_PARAMETERS) return TOO_MANY
      let equals = query.indexOf('=', start)
      if (equals < 0 || equals > end) equals = end
      if (!take(query.slice(start, equals), Math.min(equals + 1, end), end)) return undefined
    }
    start = end + 1
  }
  return undefined
}

const HASH = new Uint8Array(HASH_BYTES)
const HASH_BUFFER = Buffer.from(HASH.buffer)

/** The hex of an infohash in percent-encoding; undefined where it has not 20 bytes. */
const hashAt = (query: string, from: number, to: number): InfoHash | undefined =>
  decodeBytes(query, from, to, HASH) ? (HASH_BUFFER.toString('hex') as InfoHash) : undefined

/** Where the values of an announce stand: two places a field, -1 where it is missing. */
const FIELDS = [
  'info_hash',
  'peer_id',
  'port',
  'uploaded',
  'downloaded',
  'left',
  'numwant',
  'event',
  'key',
  'compact',
  'no_peer_id',
] as const
type Field = (typeof FIELDS)[number]
const FIELD_PLACES = new Map<string, number>(FIELDS.map((name, i) => [name, i * 2]))
const PLACES = new Int32Array(FIELDS.length * 2)

/** What the last walk found under a name; undefined where it found nothing. */
function valueOf(query: string, name: Field): string | undefined {
  const place = FIELD_PLACES.get(name) ?? 0
  const from = PLACES[place] ?? -1
  return from < 0 ? undefined : query.slice(from, PLACES[place + 1])
}

/** Notes where the values stand. Whoever says something twice means the first. */
function locate(query: string): Refusal | undefined {
  PLACES.fill(-1)
  return walk(query, (name, from, to) => {
    // `ip`, `ipv4` and `ipv6` would let anybody point a swarm at a stranger: unknown, like the rest.
    const place = FIELD_PLACES.get(name)
    if (place !== undefined && PLACES[place] === -1) {
      PLACES[place] = from
      PLACES[place + 1] = to
    }
    return true
  })
}

const isYes = (text: string | undefined, missing: boolean): boolean =>
  text === undefined ? missing : text !== '0'

function portOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,5}$/.test(text)) return undefined
  const port = Number(text)
  return port >= 1 && port <= 65_535 ? port : undefined
}

/** @param query what stands behind the question mark, as it came */
export function parseAnnounceQuery(query: string): AnnounceQuery | Refusal {
  const overflow = locate(query)
  if (overflow) return overflow
  const hash = valueOf(query, 'info_hash')
  if (hash === undefined) return NO_HASH
  const infoHash = hashAt(hash, 0, hash.length)
  if (infoHash === undefined) return BAD_HASH
  const peerId = new Uint8Array(HASH_BYTES)
  const id = valueOf(query, 'peer_id') ?? ''
  if (!decodeBytes(id, 0, id.length, peerId)) return BAD_PEER_ID
  const port = portOf(valueOf(query, 'port'))
  if (port === undefined) return BAD_PORT
  const event = EVENTS.get(valueOf(query, 'event') ?? '')
  if (event === undefined) return BAD_EVENT
  const uploaded = wholeNumber(valueOf(query, 'uploaded') ?? '0')
  const downloaded = wholeNumber(valueOf(query, 'downloaded') ?? '0')
  // Whoever does not say what is left is taken for one that wants something.
  const left = wholeNumber(valueOf(query, 'left') ?? '-1')
  const numwant = wholeNumber(valueOf(query, 'numwant') ?? '-1')
  if (
    uploaded === undefined ||
    downloaded === undefined ||
    left === undefined ||
    numwant === undefined
  ) {
    return BAD_NUMBER
  }
  return {
    refused: undefined,
    infoHash,
    peerId,
    port,
    uploaded: Math.max(0, uploaded),
    left: left < 0 ? Infinity : left,
    event,
    numwant: numwant < 0 ? undefined : numwant,
    key: keyNumber(valueOf(query, 'key') ?? ''),
    compact: isYes(valueOf(query, 'compact'), true),
    noPeerId: isYes(valueOf(query, 'no_peer_id'), false),
  }
}

/** The infohashes asked about, at most `MAX_SCRAPED`, each once; further ones are left out. */
export function parseScrapeQuery(
  query: string,
): { refused: undefined; hashes: InfoHash[] } | Refusal {
  const hashes = new Set<InfoHash>()
  let bad = false
  const overflow = walk(query, (name, from, to) => {
    if (name !== 'info_hash') return true
    const hash = hashAt(query, from, to)
    if (hash === undefined) bad = true
    else hashes.add(hash)
    return !bad && hashes.size < MAX_SCRAPED
  })
  if (overflow) return overflow
  if (bad) return BAD_HASH
  return hashes.size === 0 ? NO_FULL_SCRAPE : { refused: undefined, hashes: [...hashes] }
}
