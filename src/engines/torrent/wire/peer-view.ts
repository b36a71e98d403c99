/** What is told of a peer: who it is, how it came, and how fast it is. */
import type Wire from 'bittorrent-protocol'
import type { Peer } from 'webtorrent'
import type { PeerInfo, PeerSource } from '../../../base/ports/torrent-engine.ts'

/** `-qB4520-` and the like, when the peer does not say its name in the extended handshake. */
function clientOf(wire: Wire): string | undefined {
  const { v } = wire.peerExtendedHandshake
  if (v instanceof Uint8Array) return Buffer.from(v.subarray(0, 80)).toString('utf8')
  const id = Buffer.from(wire.peerId ?? '', 'hex').toString('latin1')
  return /^-[\w.]{6}-/.test(id) ? id.slice(1, 7) : undefined
}

function sourceOf(peer: Peer): PeerSource {
  if (peer.type.endsWith('Incoming')) return 'incoming'
  const { source } = peer
  if (source === 'ut_pex') return 'pex'
  if (source === 'met') return 'tracker'
  if (source === 'dht' || source === 'tracker' || source === 'lsd') return source
  return 'hint'
}

/** Without the IPv4-in-IPv6 wrapping of a socket that listens on both. */
export const plainPeer = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, '')

export const hostOf = (address: string): string =>
  plainPeer(address.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''))

export const isWebRtc = ({ type }: { type: string }): boolean => type === 'webrtc'

function viewOf(peer: Peer): PeerInfo | undefined {
  const { wire } = peer
  if (!wire || wire.peerId === null) return undefined
  const client = clientOf(wire)
  return {
    // A browser's address may be unknown; its id tells it from others all the same.
    address: plainPeer(peer.addr ?? peer.id),
    kind: isWebRtc(peer) ? 'webrtc' : 'tcp',
    source: sourceOf(peer),
    ...(client === undefined ? {} : { client }),
    downloadedBytes: wire.downloaded,
    uploadedBytes: wire.uploaded,
    downloadBytesPerSecond: Math.round(wire.downloadSpeed()),
    uploadBytesPerSecond: Math.round(wire.uploadSpeed()),
  }
}

/** Those that shook hands, each once. */
export function peersView(peers: Iterable<Peer>): PeerInfo[] {
  const seen = new Map<string, PeerInfo>()
  for (const peer of peers) {
    const view = viewOf(peer)
    if (view === undefined) continue
    const key = isWebRtc(peer) ? peer.id : view.address
    if (!seen.has(key)) seen.set(key, view)
  }
  return [...seen.values()]
}
