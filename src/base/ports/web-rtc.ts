/** Data channels to browsers, kept in a process of their own: its native code may die, the swarm may not. */
import type { Duplex } from 'node:stream'
import type { InfoHash } from '../hashes.ts'
import type { PeerAddress } from './dht-node.ts'
import type { Component, Stats } from './component.ts'

/** An SDP with all its candidates: nothing is trickled, as in WebTorrent's signalling. */
export interface WebRtcOffer {
  /** 20 random bytes in hex. */
  offerId: string
  sdp: string
}

/** An open data channel; what is written to `stream` arrives there in order. */
export interface PeerChannel {
  infoHash: InfoHash
  /** As signalled, 40 hex digits; the BitTorrent handshake may say another. */
  peerId: string
  /** The far end of the chosen candidate pair, where it is known. */
  address?: PeerAddress
  stream: Duplex
}

/** WebRTC as the torrent engine needs it. Nothing runs, and no memory is taken, until the first call. */
export interface WebRtc extends Component {
  /**
   * Answers a browser's offer.
   * @param offer.peerId 40 hex digits
   * @returns the answer's SDP
   * @throws BTL_ERR_WEBRTC_BAD_SDP, BTL_ERR_WEBRTC_FULL, BTL_ERR_WEBRTC_TIMEOUT, BTL_ERR_WEBRTC_ENDED,
   *   BTL_ERR_WEBRTC_DISABLED, or the reason of `signal`
   */
  answer(
    infoHash: InfoHash,
    offer: { sdp: string; peerId: string },
    signal?: AbortSignal,
  ): Promise<string>
  /** New offers to hand to a tracker, fewer where there is no room; each is forgotten unless accepted in time. */
  offer(infoHash: InfoHash, count: number, signal?: AbortSignal): Promise<WebRtcOffer[]>
  /** Completes one of our offers. No error for an unknown or late one, nor for a malformed answer. */
  accept(offerId: string, answer: { sdp: string; peerId: string }): Promise<void>
  /** Ends the offers and channels of a torrent. */
  close(infoHash: InfoHash): void
  /** Whoever takes the channels as they open; the last caller wins. */
  onChannel(take: (channel: PeerChannel) => void): void
  stats(): Stats
}
