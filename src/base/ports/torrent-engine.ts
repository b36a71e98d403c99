import type { InfoHash } from '../hashes.ts'
import type { Component, Stats } from './component.ts'
import type { PeerAddress } from './dht-node.ts'

/** Half-open: from byte `start` up to, not including, byte `end`, counted within one file. */
export interface ByteRange {
  start: number
  end: number
}

/** Where to look besides DHT and LSD: what a magnet or link record names (x.pe, tr, ws). */
export interface SwarmHints {
  peers?: PeerAddress[]
  trackers?: string[]
  webSeeds?: string[]
}

export type PeerSource = 'hint' | 'dht' | 'tracker' | 'lsd' | 'pex' | 'webseed' | 'incoming'

export interface PeerInfo {
  /** `host:port`, or the URL of a web seed. */
  address: string
  kind: 'tcp' | 'utp' | 'webrtc' | 'webseed'
  source: PeerSource
  client?: string
  downloadedBytes: number
  uploadedBytes: number
  downloadBytesPerSecond: number
  uploadBytesPerSecond: number
}

export interface TorrentStatus {
  infoHash: InfoHash
  /** Bytes verified on disk. */
  verifiedBytes: number
  totalBytes: number
  complete: boolean
  seeding: boolean
  peers: number
  downloadedBytes: number
  uploadedBytes: number
  /** Why it is no longer offered to strangers; the house still gets it. */
  limited?: 'ratio' | 'time'
}

/** A local file that may hold the same bytes as a file of the torrent: an older version of a site. */
export interface ReuseCandidate {
  fileIndex: number
  path: string
}

export interface AddOptions {
  hints?: SwarmHints
  /** The data is known to be whole on disk: do not hash it again. */
  verified?: boolean
  /** Copied piece by piece where they verify, before peers are asked. */
  reuse?: ReuseCandidate[]
}

export interface SeedOptions {
  /** True unless said otherwise. */
  announceDht?: boolean
  /** Published here, so that no seeding limit ends it. What an earlier call said stays where it is left out. */
  own?: boolean
}

/** How much a reader minds waiting: `now` blocks a person, `soon` is read-ahead, `background` is a whole download. */
export type Urgency = 'now' | 'soon' | 'background'

/**
 * Verifies pieces from the swarm into plain files and says which ranges are good; whoever serves
 * them reads the file `torrentFilePath` (base/layout.ts) names.
 */
export interface TorrentEngine extends Component {
  /**
   * The raw info dict, found from peers by BEP 9; its SHA-1 is the infohash, and the strict
   * validator (base/metainfo) has passed it.
   */
  metainfo(infoHash: InfoHash, hints?: SwarmHints, signal?: AbortSignal): Promise<Uint8Array>
  /**
   * Adds a torrent by its raw info dict, validated again here. Nothing is downloaded until `want` or
   * `seed` asks. Idempotent; hints of a second call are added.
   */
  add(info: Uint8Array, options?: AddOptions): Promise<InfoHash>
  /** Fetches `range` of a file, its first bytes first; forgotten when `signal` aborts. Resolves when all of it is verified. */
  want(
    infoHash: InfoHash,
    fileIndex: number,
    range: ByteRange,
    urgency: Urgency,
    signal?: AbortSignal,
  ): Promise<void>
  /** First the verified ranges of the file, merged and in order (may be empty), then each newly verified range. */
  verified(infoHash: InfoHash, fileIndex: number, signal?: AbortSignal): AsyncIterable<ByteRange[]>
  /** Keeps the torrent complete and announced from now on, over restarts, until `drop`. */
  seed(infoHash: InfoHash, options?: SeedOptions): Promise<void>
  /** Leaves the swarm. Data stays unless `removeData`. No error for an unknown infohash. */
  drop(infoHash: InfoHash, options?: { removeData?: boolean }): Promise<void>
  /** Each peer once, however many sources named it. */
  peers(infoHash: InfoHash): Promise<PeerInfo[]>
  /**
   * Answers a browser's WebRTC offer in the box's stead; the browser is a peer of the torrent from
   * then on. Peer ids are 40 hex digits.
   * @param offer.sdp with all its candidates
   * @returns undefined where the torrent is not here or private (BEP 27: whoever hands over the
   *   offer is not known to be its tracker), and where there is no place for the peer
   */
  answerOffer(
    infoHash: InfoHash,
    offer: { sdp: string; peerId: string },
    signal?: AbortSignal,
  ): Promise<{ sdp: string; peerId: string } | undefined>
  /**
   * Peers that announced themselves at our own tracker; the connection they came by proves the
   * address. Remembered for a while: whoever wants the torrent later dials them.
   */
  meet(infoHash: InfoHash, peers: PeerAddress[]): Promise<void>
  /** Undefined where the engine does not have the torrent. */
  status(infoHash: InfoHash): Promise<TorrentStatus | undefined>
  torrents(): Promise<TorrentStatus[]>
  /** Infohashes whose last piece was just verified, as it happens. */
  completed(signal?: AbortSignal): AsyncIterable<InfoHash>
  /** Bound peer port (TCP), 0 when not listening. */
  listening(): Promise<{ port: number; stats: Stats }>
}
