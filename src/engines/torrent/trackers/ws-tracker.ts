/** All torrents of the box at one WebSocket tracker: announces them, answers browsers, takes answers. */
import type { InfoHash } from '../../../base/hashes.ts'
import type { Log } from '../../../base/ports/log.ts'
import type { WebRtcOffer } from '../../../base/ports/web-rtc.ts'
import { createAllowance } from '../allowance.ts'
import type { Offer } from '../browsers.ts'
import { createWsLine, type WsLine } from './ws-line.ts'
import {
  decodeWsMessage,
  encodeWsAnnounce,
  encodeWsAnswer,
  type WsMessage,
} from './ws-tracker-codec.ts'

// WebTorrent's clients make five, each of which costs a PeerConnection.
const MAX_OFFERS = 5
const MAX_OPEN_OFFERS = 20
const FIRST_INTERVAL_MS = 120_000
const MIN_INTERVAL_MS = 30_000
const MAX_INTERVAL_MS = 60 * 60_000
// A browser that still closes our last channel turns the next one away, and intervals are minutes.
const LONELY_MS = [3000, 9000, 27_000]
// Answering takes a PeerConnection as well.
const ANSWERS = { burst: 20, perSecond: 1 }
const MAX_ANSWERING = 8
// Torrents whose turn is over are answered for until the tracker has forgotten them.
const MAX_RESTING = 2000
const LEFT_UNKNOWN = 16_384

export interface Signaller {
  /** Ours, 40 hex digits; empty while there is none. */
  peerId(): string
  /** Fewer where there is no room for more; never throws. */
  offers(infoHash: InfoHash, count: number): Promise<WebRtcOffer[]>
  /** Never throws. */
  answer(infoHash: InfoHash, offer: Offer): Promise<Offer | undefined>
  accept(infoHash: InfoHash, offerId: string, answer: Offer): Promise<void>
  /** Whether a browser is connected as a peer of that torrent. */
  hasBrowser(infoHash: InfoHash): boolean
}

export interface WsTracker {
  /** Announces now and at the tracker's interval. */
  add(infoHash: InfoHash, isSeed: boolean): void
  /** Announced no more, but who asks is answered. */
  rest(infoHash: InfoHash): void
  remove(infoHash: InfoHash): void
  /** Whether anything is announced. */
  isIdle(): boolean
  close(): void
}

interface Entry {
  isSeed: boolean
  resting: boolean
  /** The tracker knows it, on this connection. */
  known: boolean
  /** Who lacks something, as the tracker said last. */
  leechers: number
  /** Offers were made since it was added. */
  offered: boolean
  /** How often it was announced early, since no offer had led to a peer. */
  lonely: number
  openOffers: Set<string>
  timer: NodeJS.Timeout | undefined
}

export function createWsTracker(
  url: URL,
  deps: { log: Log; signaller: Signaller },
  allowLocal: boolean,
): WsTracker {
  const { log, signaller } = deps
  const entries = new Map<InfoHash, Entry>()
  const answers = createAllowance(ANSWERS.burst, ANSWERS.perSecond)
  let answering = 0
  let announcing = Promise.resolve()
  const line: WsLine = createWsLine(url, { log, opened, take, closed }, allowLocal)

  async function announce(infoHash: InfoHash): Promise<void> {
    const entry = entries.get(infoHash)
    const peerId = signaller.peerId()
    if (entry === undefined || entry.resting || !line.isOpen() || peerId === '') return
    clearTimeout(entry.timer)
    entry.timer = again(infoHash, FIRST_INTERVAL_MS)
    // Leechers make offers to seeds whenever they announce; a seed makes its own where some wait.
    const count = entry.isSeed ? Math.min(entry.leechers, MAX_OFFERS) : MAX_OFFERS
    const offers = count > 0 ? await signaller.offers(infoHash, count) : []
    if (entries.get(infoHash) !== entry || entry.resting) return
    entry.offered ||= count > 0
    for (const { offerId } of offers) entry.openOffers.add(offerId)
    for (const offerId of entry.openOffers) {
      if (entry.openOffers.size <= MAX_OPEN_OFFERS) break
      entry.openOffers.delete(offerId)
    }
    const left = entry.isSeed ? 0 : LEFT_UNKNOWN
    const event = entry.known ? {} : { event: 'started' as const }
    entry.known = line.send(encodeWsAnnounce({ infoHash, peerId, left, offers, ...event }))
  }

  /** One after the other: offers of a hundred torrents at once would be too many. */
  function enqueue(infoHash: InfoHash): void {
    announcing = announcing
      .then(async () => announce(infoHash))
      .catch((error: unknown) => log.warn({ infoHash, err: error }, 'an announce failed'))
  }

  const again = (infoHash: InfoHash, ms: number) => setTimeout(() => enqueue(infoHash), ms).unref()

  /** Announces now where the last offers led to nobody, else after `ms`. */
  function unlessMet(infoHash: InfoHash, ms: number): void {
    const entry = entries.get(infoHash)
    if (entry === undefined) return
    if (signaller.hasBrowser(infoHash)) entry.timer = again(infoHash, ms)
    else {
      entry.lonely++
      enqueue(infoHash)
    }
  }

  function opened(): void {
    for (const [infoHash, entry] of entries) {
      // A new connection knows nothing of the last one.
      entry.known = false
      if (entry.resting) entries.delete(infoHash)
      else enqueue(infoHash)
    }
  }

  function closed(): void {
    for (const entry of entries.values()) {
      clearTimeout(entry.timer)
      entry.openOffers.clear()
    }
  }

  async function answerOne(message: WsMessage & { kind: 'offer' }): Promise<void> {
    const { infoHash, offerId } = message
    answering++
    try {
      const answer = await signaller.answer(infoHash, message)
      if (answer === undefined) return
      const { sdp, peerId } = answer
      line.send(encodeWsAnswer({ infoHash, peerId, toPeerId: message.peerId, offerId, sdp }))
    } finally {
      answering--
    }
  }

  function replied(message: WsMessage & { kind: 'reply' }, entry: Entry): void {
    const { infoHash, incomplete, intervalSeconds } = message
    const ms = intervalSeconds * 1000 || FIRST_INTERVAL_MS
    entry.leechers = incomplete
    clearTimeout(entry.timer)
    if (entry.resting) return
    if (entry.isSeed && incomplete > 0 && !entry.offered) {
      // Those who came before us would find us at their next announce only.
      entry.offered = true
      enqueue(infoHash)
      return
    }
    const wait = Math.min(Math.max(ms, MIN_INTERVAL_MS), MAX_INTERVAL_MS)
    // Of the leechers one is this box.
    const others = !entry.isSeed && message.complete + incomplete > 1
    const early = others ? LONELY_MS[entry.lonely] : undefined
    if (early === undefined) entry.timer = again(infoHash, wait)
    else entry.timer = setTimeout(() => unlessMet(infoHash, wait - early), early).unref()
  }

  function take(text: string): boolean {
    const message = decodeWsMessage(text)
    if (message === undefined) return false
    if (message.kind === 'failure') {
      log.debug({ tracker: url.host, reason: message.reason }, 'a tracker refused')
      return true
    }
    const entry = entries.get(message.infoHash)
    // What was not announced here is nobody's business: a tracker could ask what the house reads.
    if (entry === undefined) return true
    if (message.kind === 'reply') {
      replied(message, entry)
    } else if (message.peerId === signaller.peerId()) return true
    else if (message.kind === 'answer') {
      if (entry.openOffers.delete(message.offerId))
        void signaller.accept(message.infoHash, message.offerId, message)
    } else if (answering < MAX_ANSWERING && answers.take()) void answerOne(message)
    return true
  }

  function forgetOldest(): void {
    const resting = [...entries].filter(([, entry]) => entry.resting)
    for (const [infoHash] of resting.slice(0, Math.max(resting.length - MAX_RESTING, 0)))
      entries.delete(infoHash)
  }

  function remove(infoHash: InfoHash): void {
    const entry = entries.get(infoHash)
    if (entry === undefined) return
    clearTimeout(entry.timer)
    entries.delete(infoHash)
    const peerId = signaller.peerId()
    if (entry.known && peerId !== '')
      line.send(encodeWsAnnounce({ infoHash, peerId, left: 0, event: 'stopped', offers: [] }))
  }

  return {
    add(infoHash, isSeed) {
      const old = entries.get(infoHash)
      clearTimeout(old?.timer)
      entries.delete(infoHash)
      entries.set(infoHash, {
        isSeed,
        resting: false,
        known: old?.known ?? false,
        offered: false,
        lonely: 0,
        leechers: old?.leechers ?? 0,
        openOffers: old?.openOffers ?? new Set(),
        timer: undefined,
      })
      if (line.isOpen()) enqueue(infoHash)
      else line.open()
    },
    rest(infoHash) {
      const entry = entries.get(infoHash)
      if (entry === undefined) return
      clearTimeout(entry.timer)
      entry.resting = true
      entry.openOffers.clear()
      forgetOldest()
    },
    remove,
    isIdle: () => ![...entries.values()].some((entry) => !entry.resting),
    close() {
      for (const infoHash of entries.keys()) remove(infoHash)
      line.close()
    },
  }
}
