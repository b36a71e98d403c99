/** A data channel becomes a peer of its torrent, like any other from then on. */
import type { Torrent } from 'webtorrent'
import { formatPeerAddress } from '../../../base/peer-address.ts'
import type { PeerChannel } from '../../../base/ports/web-rtc.ts'
import { plainAddress } from '../../../base/ip-reach.ts'
import { type BanList } from './peer-policy.ts'

const MAX_CHANNELS_PER_ADDRESS = 8

/** `host:port`, where the far end is known and no name. */
function addressOf({ address }: PeerChannel): string | undefined {
  const host = address && plainAddress(address.host)
  return host === undefined ? undefined : formatPeerAddress({ host, port: address?.port ?? 0 })
}

/** Refused, the channel is closed. The torrent has to be ready. */
export function addWebPeer(torrent: Torrent, channel: PeerChannel, bans: BanList): boolean {
  const { stream, peerId, address } = channel
  const host = address && plainAddress(address.host)
  const isSame = (other: string | undefined) => host !== undefined && other === host
  const others = torrent.wires.filter(
    (wire) => wire.type === 'webrtc' && isSame(wire.remoteAddress),
  ).length
  if (stream.destroyed || others >= MAX_CHANNELS_PER_ADDRESS || (host && bans.has(host))) {
    stream.destroy()
    return false
  }
  const connection = Object.assign(stream, { id: peerId, connected: true as const })
  const peer = torrent._addPeer(connection, 'webrtc', 'tracker')
  // Set before the far end's handshake can be read: it is what blame and bans go by.
  if (peer) peer.addr = addressOf(channel) ?? null
  return peer !== null
}
