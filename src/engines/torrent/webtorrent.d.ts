/** The parts of webtorrent 3 and its wire that this room uses; neither brings types. */
declare module 'bittorrent-protocol' {
  import type { EventEmitter } from 'node:events'

  export interface PieceBits {
    readonly buffer: Uint8Array
    get(index: number): boolean
    set(index: number, value: boolean): void
  }

  export interface WireRequest {
    piece: number
    offset: number
    length: number
  }

  export interface WireExtension {
    onMessage?(payload: Uint8Array): void
  }

  export default class Wire extends EventEmitter {
    readonly type: string
    readonly peerId: string | null
    readonly destroyed: boolean
    write(bytes: Uint8Array): boolean
    choke(): void
    readonly peerChoking: boolean
    readonly peerInterested: boolean
    readonly amInterested: boolean
    readonly hasFast: boolean
    readonly isSeeder: boolean
    readonly peerAllowedFastSet: number[]
    readonly peerPieces: PieceBits
    readonly requests: WireRequest[]
    readonly peerRequests: WireRequest[]
    readonly peerExtendedHandshake: {
      v?: unknown
      reqq?: unknown
      p?: unknown
      upload_only?: unknown
    }
    readonly peerExtendedMapping: Record<string, number>
    readonly extendedHandshake: Record<string, unknown>
    readonly uploaded: number
    readonly downloaded: number
    readonly remoteAddress?: string
    readonly remotePort?: number
    readonly lt_donthave?: { donthave(piece: number): void }
    readonly ut_pex?: EventEmitter
    uploadSpeed(): number
    downloadSpeed(): number
    request(
      piece: number,
      offset: number,
      length: number,
      done: (error: Error | null, block?: Uint8Array) => void,
    ): void
    cancel(piece: number, offset: number, length: number): void
    reject(piece: number, offset: number, length: number): void
    have(piece: number): void
    interested(): void
    uninterested(): void
    extended(name: string, payload: Uint8Array): void
    use(extension: new (wire: Wire) => WireExtension): void
    destroy(): void

    // The parser, which harden-wire.ts replaces.
    _encryptor: unknown
    _buffer: Uint8Array[]
    _bufferSize: number
    _parserSize: number
    _parse(size: number, parser: (bytes: Uint8Array) => void): void
    _write(data: Uint8Array, done: (error: Error | null) => void): void
    _processBuffer(): void
    _onMessageLength(bytes: Uint8Array): void
    _onMessage(bytes: Uint8Array): void
    _onKeepAlive(): void
    _onHave(piece: number): void
    _onBitField(bits: Uint8Array): void
    _onRequest(piece: number, offset: number, length: number): void
    _onCancel(piece: number, offset: number, length: number): void
  }
}

declare module 'webtorrent' {
  import type { EventEmitter } from 'node:events'
  import type { Server, Socket } from 'node:net'
  import type Wire from 'bittorrent-protocol'
  import type { PieceBits } from 'bittorrent-protocol'
  import type { Duplex } from 'node:stream'

  /** Both directions of one client; what they limit is ours, see peer-flow.ts. */
  export interface ThrottleGroups {
    readonly down: object
    readonly up: object
  }

  export interface Peer extends EventEmitter {
    /** `host:port`, or the peer id of a WebRTC peer. */
    readonly id: string
    addr: string | null
    readonly type: string
    readonly source: string | null
    readonly connected: boolean
    readonly destroyed: boolean
    readonly conn: Duplex | null
    readonly wire: Wire | null
    readonly swarm: Torrent | null
    readonly throttleGroups: ThrottleGroups
    retries: number
    destroy(error?: Error): void
  }

  export interface ParsedTorrent {
    infoHash: string
    info: object
    name: string
    files: { path: string; name: string; length: number; offset: number }[]
    length: number
    pieceLength: number
    lastPieceLength: number
    /** 40 hex digits each. */
    pieces: string[]
    private: boolean
    announce: string[]
    urlList: string[]
  }

  export interface ChunkStore {
    readonly chunkLength: number
    get(
      index: number,
      options: { offset?: number; length?: number } | null,
      done: (error: Error | null, bytes?: Uint8Array) => void,
    ): void
    put(index: number, bytes: Uint8Array, done: (error: Error | null) => void): void
    close(done: (error: Error | null) => void): void
    destroy(done: (error: Error | null) => void): void
  }

  export interface TorrentOptions {
    bitfield: Uint8Array
    deselect: true
    preloadedStore: ChunkStore
    storeCacheSlots: 0
    alwaysChokeSeeders: false
    uploads: number
  }

  export interface Torrent extends EventEmitter {
    readonly infoHash: string
    readonly destroyed: boolean
    readonly ready: boolean
    readonly wires: Wire[]
    readonly bitfield: PieceBits
    readonly received: number
    readonly uploaded: number
    readonly done: boolean
    discovery: unknown
    /** Peers by id; null once destroyed. */
    readonly _peers: Map<string, Peer> | null
    readonly _numConns: number
    destroy(options: { destroyStore: false }, done: (error?: Error | null) => void): void
    addPeer(address: string, source: string): boolean
    /** Null where a peer of that id is there; the connection is then destroyed. */
    _addPeer(
      connection: Duplex & { id: string; connected: true },
      type: 'webrtc',
      source: string,
    ): Peer | null
    removePeer(id: string): void
    _drain(): void
    _startDiscovery(): void
    _verifyPieces(done: (error: Error | null) => void): void
    _addIncomingPeer(peer: Peer): void
    _updateWire(wire: Wire): void
    _updateWireInterest(wire: Wire): void
    _markVerified(index: number): void
    _markUnverified(index: number): void
    _checkDone(): boolean
  }

  export interface ClientOptions {
    torrentPort: number
    maxConns: number
    downloadLimit?: number
    uploadLimit?: number
    utPex: boolean
    userAgent: string
    dht: false
    lsd: false
    tracker: false
    natUpnp: false
    natPmp: false
    utp: false
    webSeeds: false
    secure: 0
  }

  export default class WebTorrent extends EventEmitter {
    constructor(options: ClientOptions)
    readonly peerId: string
    readonly torrentPort: number
    readonly listening: boolean
    readonly destroyed: boolean
    readonly torrents: Torrent[]
    readonly downloadSpeed: number
    readonly uploadSpeed: number
    readonly throttleGroups: ThrottleGroups
    readonly _connPool: {
      readonly tcpServer: Server | null
      /** Reads the handshake and finds the torrent by `get` of the client. */
      _onConnection(socket: Socket, type: 'tcp'): void
    } | null
    get(infoHash: string): Promise<Torrent | null>
    add(torrent: ParsedTorrent, options: TorrentOptions): Torrent
    destroy(done: (error?: Error | null) => void): void
  }
}

declare module 'webtorrent/lib/peer.js' {
  import type { Peer } from 'webtorrent'

  /** The class of every peer. */
  export default class AnyPeer {
    /** Called once, when the peer is connected. */
    setThrottlePipes(this: Peer): void
  }
}
