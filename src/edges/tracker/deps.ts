/** What the tracker asks of the box around it, and what it gives. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { InfoHash } from '../../base/hashes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Component, Stats } from '../../base/ports/component.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'

/** What the tracker knows of the box, which is a peer in every swarm it holds. */
export interface TrackerBox {
  /** From memory and at once: it is asked for every announce. */
  holds(infoHash: InfoHash): 'whole' | 'part' | undefined
  /** TCP port of BitTorrent; 0 where there is none. */
  peerPort(): number
  /**
   * Answers the WebRTC offer of a browser in the box's stead. Peer ids are 40 hex digits.
   * @returns undefined where the box cannot or will not
   */
  answerOffer(
    infoHash: InfoHash,
    offer: { sdp: string; peerId: string },
    signal?: AbortSignal,
  ): Promise<{ sdp: string; peerId: string } | undefined>
  /** TCP peers that announced themselves here; the box may dial them. */
  meet(infoHash: InfoHash, peers: PeerAddress[]): void
}

export interface TrackerDeps {
  box: TrackerBox
  log: Log
  clock: Clock
  /** Milliseconds that only go forward; of the process, but for tests. */
  ticks?: () => number
  /** The room's own folder below the state. */
  statePath: string
}

export interface Tracker extends Component {
  /** 0 while UDP is off. */
  readonly udpPort: number
  /** Takes `/announce` and `/scrape`, on the server of the API; false where the request is not for it. */
  answer(req: IncomingMessage, res: ServerResponse): boolean
  /** Takes the WebSocket of a browser at `/announce`; false where the request is not for it. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): boolean
  /**
   * The URLs of the tracker for magnets and torrents.
   * @param host name or literal that clients reach the box by
   */
  announceUrls(host: string, apiPort: number): string[]
  stats(): Stats
}
