/**
 * What browsers say to the tracker over WebSocket: WebTorrent's JSON, in which binary values travel
 * as strings of one character a byte. No BEP describes it; bittorrent-tracker and libtorrent speak it.
 */
import { infoHash, type InfoHash } from '../../base/hashes.ts'

/** 20 characters of one byte each: an infohash, peer id or offer id as it travels. */
export type Binary20 = string

export interface SocketOffer {
  offerId: Binary20
  sdp: string
}

export type SocketEvent = 'started' | 'stopped' | 'completed'

export interface SocketAnnounce {
  kind: 'announce'
  infoHash: InfoHash
  /** The infohash as it travels. */
  wire: Binary20
  peerId: Binary20
  event?: SocketEvent
  /** Bytes that are missing; undefined where the peer does not know yet. */
  left?: number
  /** How many peers may get one of the offers. */
  wanted: number
  offers: SocketOffer[]
}

export interface SocketAnswer {
  kind: 'answer'
  infoHash: InfoHash
  wire: Binary20
  peerId: Binary20
  toPeerId: Binary20
  offerId: Binary20
  sdp: string
}

export interface SocketScrape {
  kind: 'scrape'
  torrents: { infoHash: InfoHash; wire: Binary20 }[]
}

export interface SocketRefusal {
  kind: 'refused'
  /** One line for the one who wrote the client. */
  reason: string
  action?: 'announce' | 'scrape'
  wire?: Binary20
}

export type SocketMessage = SocketAnnounce | SocketAnswer | SocketScrape

// webtorrent makes 5 offers, libtorrent up to 10; further ones are left unread.
export const MAX_OFFERS = 10
/**
 * Measured: an offer of Chromium is 480 bytes and 120 for each candidate, one of Firefox 520 and 95.
 * webtorrent sends five in a message, and five of these fill the largest frame we take.
 */
export const MAX_SDP_CHARS = 12 * 1024
export const MAX_SCRAPED = 64

/** `update` and `empty` are words of bittorrent-tracker for no event, `paused` is one of BEP 21. */
const EVENTS = new Map<unknown, SocketEvent | undefined>([
  ['started', 'started'],
  ['stopped', 'stopped'],
  ['completed', 'completed'],
  ['paused', undefined],
  ['update', undefined],
  ['empty', undefined],
  ['', undefined],
  [null, undefined],
  [undefined, undefined],
])

type Fields = Partial<Record<string, unknown>>

class Unreadable {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isBinary20(value: unknown): value is Binary20 {
  if (typeof value !== 'string' || value.length !== 20) return false
  for (let i = 0; i < 20; i++) if (value.charCodeAt(i) > 0xff) return false
  return true
}

function binary20(fields: Fields, name: string): Binary20 | Unreadable {
  const value = fields[name]
  if (isBinary20(value)) return value
  return new Unreadable(`${name} must be 20 characters of one byte each`)
}

/** Absent and null are unknown; JSON has no Infinity, so null is what peers without metainfo send. */
function amount(fields: Fields, name: string): number | undefined | Unreadable {
  const value = fields[name]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && value >= 0) return value
  return new Unreadable(`${name} must be a number from 0`)
}

function sdp(value: unknown, type: 'offer' | 'answer'): string | Unreadable {
  if (!isFields(value) || value['type'] !== type) {
    return new Unreadable(`an ${type} must be of type "${type}"`)
  }
  const text = value['sdp']
  // RFC 8866 section 5: a session description begins with its version, which is 0.
  if (typeof text !== 'string' || !text.startsWith('v=0')) {
    return new Unreadable(`the sdp of an ${type} must be a session description`)
  }
  if (text.length > MAX_SDP_CHARS) {
    return new Unreadable(`the sdp of an ${type} must have at most ${MAX_SDP_CHARS} characters`)
  }
  return text
}

function offers(value: unknown): SocketOffer[] | Unreadable {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) return new Unreadable('offers must be a list')
  const read: SocketOffer[] = []
  for (const entry of value.slice(0, MAX_OFFERS) as unknown[]) {
    if (!isFields(entry)) return new Unreadable('each of offers must hold offer and offer_id')
    const offerId = binary20(entry, 'offer_id')
    if (offerId instanceof Unreadable) return offerId
    const text = sdp(entry['offer'], 'offer')
    if (text instanceof Unreadable) return text
    read.push({ offerId, sdp: text })
  }
  return read
}

/** Without a number, or with BEP 15's -1, each offer is for somebody. */
function wanted(value: unknown, offered: number): number | Unreadable {
  if (value === undefined || value === null) return offered
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    return new Unreadable('numwant must be a whole number')
  }
  return value < 0 ? offered : Math.min(value, offered)
}

const hashOf = (wire: Binary20): InfoHash => infoHash(Buffer.from(wire, 'latin1').toString('hex'))

function readAnswer(
  fields: Fields,
  wire: Binary20,
  peerId: Binary20,
): SocketAnswer | SocketRefusal {
  const no = ({ reason }: Unreadable): SocketRefusal => refusal(reason, 'announce', wire)
  const toPeerId = binary20(fields, 'to_peer_id')
  if (toPeerId instanceof Unreadable) return no(toPeerId)
  const offerId = binary20(fields, 'offer_id')
  if (offerId instanceof Unreadable) return no(offerId)
  const text = sdp(fields['answer'], 'answer')
  if (text instanceof Unreadable) return no(text)
  return { kind: 'answer', infoHash: hashOf(wire), wire, peerId, toPeerId, offerId, sdp: text }
}

function readAnnounce(fields: Fields): SocketAnnounce | SocketAnswer | SocketRefusal {
  const wire = binary20(fields, 'info_hash')
  if (wire instanceof Unreadable) return refusal(wire.reason, 'announce')
  const no = ({ reason }: Unreadable): SocketRefusal => refusal(reason, 'announce', wire)
  const peerId = binary20(fields, 'peer_id')
  if (peerId instanceof Unreadable) return no(peerId)
  if (fields['answer'] !== undefined && fields['answer'] !== null) {
    return readAnswer(fields, wire, peerId)
  }
  if (!EVENTS.has(fields['event'])) return no(new Unreadable('event is none of the known ones'))
  const event = EVENTS.get(fields['event'])
  const left = amount(fields, 'left')
  if (left instanceof Unreadable) return no(left)
  for (const name of ['uploaded', 'downloaded']) {
    const value = amount(fields, name)
    if (value instanceof Unreadable) return no(value)
  }
  const offered = offers(fields['offers'])
  if (offered instanceof Unreadable) return no(offered)
  const want = wanted(fields['numwant'], offered.length)
  if (want instanceof Unreadable) return no(want)
  return {
    kind: 'announce',
    infoHash: hashOf(wire),
    wire,
    peerId,
    ...(event !== undefined && { event }),
    ...(left !== undefined && { left }),
    wanted: want,
    offers: offered,
  }
}

function readScrape(fields: Fields): SocketScrape | SocketRefusal {
  const value = fields['info_hash']
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0 || list.length > MAX_SCRAPED) {
    return refusal(`a scrape asks for 1 to ${MAX_SCRAPED} torrents`, 'scrape')
  }
  const torrents: SocketScrape['torrents'] = []
  for (const wire of list) {
    if (!isBinary20(wire)) {
      return refusal('info_hash must be 20 characters of one byte each', 'scrape')
    }
    torrents.push({ infoHash: hashOf(wire), wire })
  }
  return { kind: 'scrape', torrents }
}

function refusal(reason: string, action?: 'announce' | 'scrape', wire?: Binary20): SocketRefusal {
  return {
    kind: 'refused',
    reason,
    ...(action !== undefined && { action }),
    ...(wire !== undefined && { wire }),
  }
}

/**
 * Reads one message. Fields it does not know are left unread, and never travel on.
 * @param text at most one frame; whoever reads the socket holds the limit
 */
export function readSocketMessage(text: string): SocketMessage | SocketRefusal {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return refusal('not JSON')
  }
  if (!isFields(value)) return refusal('not a JSON object')
  switch (value['action']) {
    case 'announce':
      return readAnnounce(value)
    case 'scrape':
      return readScrape(value)
    default:
      return refusal('action must be announce or scrape')
  }
}
