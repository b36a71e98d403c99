/** One torrent while it is in the swarm: webtorrent's connections, choking and PEX with our picker, store and limits in place. */
import type WebTorrent from 'webtorrent'
import type Wire from 'bittorrent-protocol'
import type { Torrent } from 'webtorrent'
import { toHex } from '../../base/bytes.ts'
import type { Metainfo } from '../../base/metainfo/metainfo.ts'
import { formatPeerAddress } from '../../base/peer-address.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'
import type { PeerInfo } from '../../base/ports/torrent-engine.ts'
import type { PeerChannel } from '../../base/ports/web-rtc.ts'
import { expectPieces } from './wire/harden-wire.ts'
import { metadataExtension } from './discovery/metadata-extension.ts'
import { plainAddress } from '../../base/ip-reach.ts'
import { type BanList, type DialSource, mayDial } from './wire/peer-policy.ts'
import { hostOf, isWebRtc, peersView } from './wire/peer-view.ts'
import type { PieceSet } from './pieces/piece-set.ts'
import type { Scheduler } from './pieces/scheduler.ts'
import { createTwins } from './wire/twins.ts'
import type { UploadStore } from './pieces/upload-store.ts'
import { addWebPeer } from './wire/web-peer.ts'

const MAX_KNOWN_PEERS = 300
// Tells peers how many requests we queue for them (BEP 10).
const OUR_REQQ = 500
const NO_RETRY = 99
const SHA1_BYTES = 20

export interface SwarmDeps {
  client: WebTorrent
  metainfo: Metainfo
  have: PieceSet
  uploads: UploadStore
  bans: BanList
  log: Log
  /** Connections of all torrents, to stay below the limit of the box. */
  openConnections: () => number
  scheduler: () => Scheduler
  /** webtorrent gave the torrent up. */
  failed: (error: Error) => void
  /** Whether a peer of that address is let in or dialled now. */
  mayMeet: (host: string) => boolean
}

export interface SwarmLimits {
  maxConnections: number
  maxConnectionsPerTorrent: number
  uploadSlots: number
  allowLocal: boolean
}

export interface Swarm {
  wires(): readonly Wire[]
  addPeers(peers: readonly PeerAddress[], source: DialSource): void
  /** Whether a browser of that id may come; ids are 40 hex digits. */
  hasPlace(peerId: string): boolean
  /** A browser whose data channel is open; refused, it is closed. */
  addChannel(channel: PeerChannel): void
  verified(piece: number): void
  lost(piece: number): void
  disconnect(wire: Wire): void
  peers(): PeerInfo[]
  /** Bytes of payload. */
  traffic(): { downloaded: number; uploaded: number }
  leave(): Promise<void>
}

/** Whether the peer has every piece; looks at each piece once however often it is asked. */
function seederTest(wire: Wire, pieces: number): () => boolean {
  let next = 0
  return () => {
    while (next < pieces && wire.peerPieces.get(next)) next++
    return next === pieces
  }
}

/** Everything webtorrent asks of a parsed torrent; file names never reach it. */
function parsed(metainfo: Metainfo) {
  const { infoHash, totalLength, pieceLength, pieceCount } = metainfo
  const hex = toHex(metainfo.pieces)
  const pieces: string[] = []
  for (let at = 0; at < hex.length; at += 2 * SHA1_BYTES)
    pieces.push(hex.slice(at, at + 2 * SHA1_BYTES))
  return {
    infoHash,
    info: {},
    name: infoHash,
    files: [{ path: infoHash, name: infoHash, length: totalLength, offset: 0 }],
    length: totalLength,
    pieceLength,
    lastPieceLength: totalLength - (pieceCount - 1) * pieceLength,
    pieces,
    private: metainfo.isPrivate,
    announce: [],
    urlList: [],
  }
}

export function joinSwarm(deps: SwarmDeps, limits: SwarmLimits): Swarm {
  const { client, metainfo, have, bans, log } = deps
  const torrent: Torrent = client.add(parsed(metainfo), {
    bitfield: have.bytes(),
    deselect: true,
    preloadedStore: deps.uploads,
    storeCacheSlots: 0,
    alwaysChokeSeeders: false,
    uploads: limits.uploadSlots,
  })
  const Extension = metadataExtension(metainfo.info)
  const proto = {
    addPeer: torrent.addPeer.bind(torrent),
    addIncoming: torrent._addIncomingPeer.bind(torrent),
    drain: torrent._drain.bind(torrent),
  }
  const twins = createTwins(client.peerId, () => (torrent.destroyed ? [] : torrent.wires))
  let gone = { downloaded: 0, uploaded: 0 }

  const peerOf = (wire: Wire) => [...(torrent._peers?.values() ?? [])].find((p) => p.wire === wire)

  function disconnect(wire: Wire): void {
    const peer = peerOf(wire)
    if (peer) {
      // webtorrent dials a closed peer again unless it has failed often enough.
      peer.retries = NO_RETRY
      peer.destroy()
    } else wire.destroy()
  }

  function onWire(wire: Wire): void {
    expectPieces(wire, have.count)
    wire.extendedHandshake['reqq'] = OUR_REQQ
    wire.use(Extension)
    if (wire.peerId === client.peerId) {
      queueMicrotask(() => disconnect(wire))
      return
    }
    const surplus = twins.surplus(wire)
    if (surplus) queueMicrotask(() => disconnect(surplus))
    // A browser cannot name peers that TCP reaches, and must not make us dial.
    if (isWebRtc(wire)) wire.ut_pex?.removeAllListeners('peer')
    wire.once('close', () => {
      gone = {
        downloaded: gone.downloaded + wire.downloaded,
        uploaded: gone.uploaded + wire.uploaded,
      }
    })
    // BEP 6: a request is answered either way; webtorrent leaves those for missing pieces hanging.
    wire.on('request', (piece: number, offset: number, length: number) => {
      if (wire.hasFast && !have.has(piece)) wire.reject(piece, offset, length)
    })
    const isSeeder = seederTest(wire, have.count)
    // webtorrent takes everybody who sends a bitfield or a have for a seeder, and would choke them.
    Object.defineProperty(wire, 'isSeeder', { get: isSeeder, set() {} })
    const idleSeeds = () => {
      if (have.size === have.count && isSeeder()) disconnect(wire)
    }
    wire.on('bitfield', idleSeeds)
    wire.on('have', idleSeeds)
    wire.on('have-all', idleSeeds)
  }

  const isFull = () =>
    torrent._numConns >= limits.maxConnectionsPerTorrent ||
    deps.openConnections() >= limits.maxConnections

  // Discovery is ours: webtorrent's would ask trackers and the DHT without our rules.
  torrent._startDiscovery = () => {
    torrent.discovery = { complete() {}, destroy: (done: () => void) => done() }
  }
  // The pieces named by the bitfield were verified, or are being hashed, by us.
  torrent._verifyPieces = (done) => done(null)
  torrent._updateWire = (wire) => deps.scheduler().fill(wire)
  torrent._updateWireInterest = (wire) => deps.scheduler().updateInterest(wire)
  torrent._addIncomingPeer = (peer) => {
    const host = hostOf(peer.id)
    if (isFull() || bans.has(host) || !deps.mayMeet(host))
      peer.destroy(new Error('no place for this peer'))
    else proto.addIncoming(peer)
  }
  torrent._drain = () => {
    if (deps.openConnections() < limits.maxConnections) proto.drain()
  }
  torrent.addPeer = (address, source) => {
    const host = hostOf(address)
    const kind: DialSource = source === 'ut_pex' ? 'pex' : (source as DialSource)
    if ((torrent._peers?.size ?? 0) >= MAX_KNOWN_PEERS || bans.has(host)) return false
    if (!deps.mayMeet(host)) return false
    if (!mayDial(host, kind, limits.allowLocal) || twins.isHere(address)) return false
    return proto.addPeer(address, source)
  }
  torrent.on('wire', onWire)
  torrent.on('warning', () => {})
  torrent.on('error', (error: Error) => {
    log.warn({ infoHash: metainfo.infoHash, err: error }, 'webtorrent gave a torrent up')
    deps.failed(error)
  })

  const whenReady = (work: () => void) => {
    if (torrent.destroyed) return
    if (torrent.ready) work()
    else torrent.once('ready', work)
  }

  return {
    wires: () => (torrent.destroyed ? [] : torrent.wires),
    addPeers(peers, source) {
      whenReady(() => {
        for (const { host, port } of peers) {
          const plain = plainAddress(host)
          if (plain !== undefined) torrent.addPeer(formatPeerAddress({ host: plain, port }), source)
        }
      })
    },
    hasPlace: (peerId) => !torrent.destroyed && !isFull() && torrent._peers?.has(peerId) === false,
    addChannel(channel) {
      if (torrent.destroyed || isFull()) channel.stream.destroy()
      else whenReady(() => void addWebPeer(torrent, channel, bans))
    },
    verified(piece) {
      whenReady(() => {
        torrent._markVerified(piece)
        for (const wire of torrent.wires) wire.have(piece)
        if (have.size === have.count) torrent._checkDone()
      })
    },
    lost(piece) {
      whenReady(() => {
        torrent._markUnverified(piece)
        for (const wire of torrent.wires) wire.lt_donthave?.donthave(piece)
      })
    },
    disconnect,
    peers: () => peersView(torrent._peers?.values() ?? []),
    traffic() {
      const sum = { ...gone }
      for (const wire of torrent.destroyed ? [] : torrent.wires) {
        sum.downloaded += wire.downloaded
        sum.uploaded += wire.uploaded
      }
      return sum
    },
    leave: () =>
      new Promise((resolve) => {
        if (torrent.destroyed) resolve()
        else torrent.destroy({ destroyStore: false }, () => resolve())
      }),
  }
}
