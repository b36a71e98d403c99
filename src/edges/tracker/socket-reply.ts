/** What the tracker says to browsers over WebSocket, as JSON text. */
import type { Binary20, SocketRefusal } from './socket-message.ts'

export interface SwarmCounts {
  complete: number
  incomplete: number
}

/** @param interval seconds until the next announce */
export function announceReply(
  wire: Binary20,
  { complete, incomplete }: SwarmCounts,
  interval: number,
): string {
  const hash = JSON.stringify(wire)
  return `{"action":"announce","interval":${interval},"info_hash":${hash},"complete":${complete},"incomplete":${incomplete}}`
}

export interface Signal {
  wire: Binary20
  /** Who offers or answers. */
  peerId: Binary20
  offerId: Binary20
  sdp: string
}

function signal(type: 'offer' | 'answer', { wire, peerId, offerId, sdp }: Signal): string {
  return JSON.stringify({
    action: 'announce',
    [type]: { type, sdp },
    offer_id: offerId,
    peer_id: peerId,
    info_hash: wire,
  })
}

/** An offer of one peer on its way to another. */
export const offerReply = (offer: Signal): string => signal('offer', offer)

/** The answer to it on its way back. */
export const answerReply = (answer: Signal): string => signal('answer', answer)

export interface ScrapedTorrent extends SwarmCounts {
  wire: Binary20
  downloaded: number
}

export function scrapeReply(torrents: readonly ScrapedTorrent[]): string {
  const files = torrents.map(
    ({ wire, complete, incomplete, downloaded }) =>
      [wire, { complete, incomplete, downloaded }] as const,
  )
  return JSON.stringify({ action: 'scrape', files: Object.fromEntries(files) })
}

/**
 * Clients read `info_hash` of every announce reply without looking whether it is there, so a failure
 * that belongs to no torrent names no action either.
 */
export function failureReply({ reason, action, wire }: Omit<SocketRefusal, 'kind'>): string {
  const named = action === 'scrape' || (action === 'announce' && wire !== undefined)
  return JSON.stringify({
    ...(named && { action }),
    'failure reason': reason,
    ...(wire !== undefined && { info_hash: wire }),
  })
}
