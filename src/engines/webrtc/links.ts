/** Who is connected or about to be: each link with the one timer that may end it, and the counts. */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { printable } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { Log } from '../../base/ports/log.ts'

export interface LinkLimits {
  /** An offer nobody accepted is forgotten after this; trackers hand them on within seconds. */
  offerMs: number
  /** From the exchange of descriptions to the open channel. */
  connectMs: number
  /** What is left in a stream whose far side is gone may be read for this long. */
  unreadMs: number
}

export interface Link {
  /** What the child and its connection know it by: 64 hex digits that nobody else knows. */
  readonly key: string
  readonly infoHash: InfoHash
  /** As signalled; empty for an offer that nobody accepted yet. */
  peerId: string
  offerId: string | undefined
  stream: Socket | undefined
  /** What of `stream.bytesRead` was not the far side's. */
  greetingBytes: number
  timer: NodeJS.Timeout | undefined
  headStart: NodeJS.Timeout | undefined
}

export interface Links {
  readonly size: number
  readonly offers: number
  get(key: string): Link | undefined
  /** Whether the link is still wanted, and has no channel yet. */
  isConnecting(link: Link): boolean
  reserve(infoHash: InfoHash, peerId: string, offerId?: string): Link
  drop(link: Link, why: string): void
  /** Without an infohash: all of them. */
  dropAll(why: string, infoHash?: InfoHash): void
  /** An offer of ours that is still open; it is none from here on. */
  takeOffer(offerId: string): Link | undefined
  /** From here on an offer waits for somebody to accept it. */
  awaitAccept(link: Link): void
  /** From here on only an open channel keeps the link. */
  awaitChannel(link: Link): void
  /** The far side is gone: the stream ends by itself once it is read to its end, if somebody does. */
  awaitReader(link: Link, why: string): void
  /** A channel opened; the link lives as long as its stream. */
  attach(link: Link, stream: Socket, greetingBytes: number): void
  /** Does something for the link in `ms`, unless it is dropped before. */
  later(link: Link, ms: number, work: () => void): void
  stats(): {
    connections: number
    channels: number
    offers_pending: number
    offers_expired: number
    channels_opened: number
    channels_failed: number
    bytes_received: number
    bytes_sent: number
  }
}

/** @param onDrop called once for each link, after it is gone from here */
export function createLinks(log: Log, limits: LinkLimits, onDrop: (link: Link) => void): Links {
  const links = new Map<string, Link>()
  const offers = new Map<string, Link>()
  const counts = { opened: 0, failed: 0, expired: 0, received: 0, sent: 0 }

  function forgetOffer(link: Link): void {
    if (link.offerId !== undefined) offers.delete(link.offerId)
    link.offerId = undefined
  }

  function drop(link: Link, why: string): void {
    if (!links.delete(link.key)) return
    clearTimeout(link.timer)
    clearTimeout(link.headStart)
    forgetOffer(link)
    if (link.stream) link.stream.destroy()
    else log.debug({ infoHash: link.infoHash, why: printable(why) }, 'no channel to a browser')
    onDrop(link)
  }

  function dropIn(link: Link, ms: number, why: string, count?: 'failed' | 'expired'): void {
    clearTimeout(link.timer)
    link.timer = setTimeout(() => {
      if (count) counts[count] += 1
      drop(link, why)
    }, ms).unref()
  }

  return {
    get size() {
      return links.size
    },
    get offers() {
      return offers.size
    },
    get: (key) => links.get(key),
    isConnecting: (link) => links.get(link.key) === link && !link.stream,
    reserve(infoHash, peerId, offerId) {
      const link: Link = {
        key: randomBytes(32).toString('hex'),
        infoHash,
        peerId,
        offerId,
        stream: undefined,
        greetingBytes: 0,
        timer: undefined,
        headStart: undefined,
      }
      links.set(link.key, link)
      if (offerId !== undefined) offers.set(offerId, link)
      return link
    },
    drop,
    dropAll(why, infoHash) {
      for (const link of links.values()) {
        if (infoHash === undefined || link.infoHash === infoHash) drop(link, why)
      }
    },
    takeOffer(offerId) {
      const link = offers.get(offerId)
      if (link) forgetOffer(link)
      return link
    },
    awaitAccept: (link) => dropIn(link, limits.offerMs, 'nobody accepted', 'expired'),
    awaitChannel: (link) => dropIn(link, limits.connectMs, 'no channel in time', 'failed'),
    awaitReader: (link, why) => dropIn(link, limits.unreadMs, why),
    attach(link, stream, greetingBytes) {
      clearTimeout(link.timer)
      forgetOffer(link)
      link.stream = stream
      link.greetingBytes = greetingBytes
      counts.opened += 1
      stream.once('close', () => {
        counts.received += stream.bytesRead - greetingBytes
        counts.sent += stream.bytesWritten
        drop(link, 'closed')
      })
    },
    later(link, ms, work) {
      clearTimeout(link.headStart)
      link.headStart = setTimeout(work, ms).unref()
    },
    stats() {
      let channels = 0
      let { received, sent } = counts
      for (const { stream, greetingBytes } of links.values()) {
        if (!stream) continue
        channels += 1
        received += stream.bytesRead - greetingBytes
        sent += stream.bytesWritten
      }
      return {
        connections: links.size,
        channels,
        offers_pending: offers.size,
        offers_expired: counts.expired,
        channels_opened: counts.opened,
        channels_failed: counts.failed,
        bytes_received: received,
        bytes_sent: sent,
      }
    },
  }
}
