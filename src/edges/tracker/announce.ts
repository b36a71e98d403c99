/** One announce, whichever way it came, and what is said to it. */
import type { InfoHash } from '../../base/hashes.ts'
import type { Asker } from './askers.ts'

/** Events by their number in BEP 15; `paused` is BEP 21's. */
export const NO_EVENT = 0
export const COMPLETED_EVENT = 1
export const STARTED_EVENT = 2
export const STOPPED_EVENT = 3
export const PAUSED_EVENT = 4
export type AnnounceEvent =
  | typeof NO_EVENT
  | typeof COMPLETED_EVENT
  | typeof STARTED_EVENT
  | typeof STOPPED_EVENT
  | typeof PAUSED_EVENT

export interface Announce {
  infoHash: InfoHash
  asker: Asker
  port: number
  /** 20 bytes. */
  peerId: Uint8Array
  /** What proves that a later announce comes from the same client; 0 for none. */
  key: number
  event: AnnounceEvent
  /** Bytes; Infinity where the client does not know. */
  left: number
  uploaded: number
  /** Peers wanted; undefined for the default. */
  numwant: number | undefined
  /** Which addresses the transport can carry. */
  families: 4 | 6 | 'both'
}

/** Why an announce or scrape is refused: the sentence for the client, and when to come back. */
export interface Refusal {
  refused: keyof typeof REFUSALS
  reason: string
  retryMinutes: number | 'never'
}

const REFUSALS = {
  bad_request: undefined,
  not_tracked: undefined,
  too_often: undefined,
  full: undefined,
}

export type RefusalKind = keyof typeof REFUSALS
export const REFUSAL_KINDS = Object.keys(REFUSALS) as RefusalKind[]

export const badRequest = (reason: string): Refusal => ({
  refused: 'bad_request',
  reason,
  retryMinutes: 'never',
})

export const NOT_TRACKED: Refusal = {
  refused: 'not_tracked',
  reason: 'this tracker does not track this torrent',
  // Not longer: a box that has just started does not know yet what it holds.
  retryMinutes: 5,
}
export const TOO_OFTEN: Refusal = {
  refused: 'too_often',
  reason: 'too many requests from your address',
  retryMinutes: 1,
}
export const FULL: Refusal = {
  refused: 'full',
  reason: 'this tracker has no room for another torrent',
  retryMinutes: 30,
}

/** A peer that is in no table: the box itself. */
export interface BoxPeer {
  /** 16 bytes. */
  address: Uint8Array
  v4: boolean
  port: number
}

/** Valid until the next announce: one object, filled anew each time. */
export interface Answer {
  refused: undefined
  complete: number
  incomplete: number
  downloaded: number
  /** Seconds. */
  interval: number
  minInterval: number
  /** Slots of the peer table, the best first; only the first `count` count. */
  slots: Int32Array
  count: number
  box: BoxPeer[]
  warning: string | undefined
}
