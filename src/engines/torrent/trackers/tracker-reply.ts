/** What is said to trackers and what they answer, over HTTP (BEP 3, 7, 23) and UDP (BEP 15). */
import { type BDict, type BValue, decode } from '../../../base/bencode.ts'
import { latin1, utf8Text } from '../../../base/bytes.ts'
import type { PeerAddress } from '../../../base/ports/dht-node.ts'
import { TorrentBadReply } from '../errors.ts'
import { plainAddress } from '../../../base/ip-reach.ts'

const MAX_PEERS = 200

export interface Announce {
  infoHash: Uint8Array
  peerId: Uint8Array
  /** Lets the tracker know us again when our address changes. */
  key: number
  port: number
  left: number
  event: 'started' | 'none' | 'stopped'
  wanted: number
}

export interface TrackerReply {
  peers: PeerAddress[]
  intervalSeconds: number
}

/** @param hostBytes 4 or 16 */
export function compactPeers(bytes: Uint8Array, hostBytes: 4 | 16): PeerAddress[] {
  const peers: PeerAddress[] = []
  const size = hostBytes + 2
  for (let at = 0; at + size <= bytes.length && peers.length < MAX_PEERS; at += size) {
    const host = bytes.subarray(at, at + hostBytes)
    const port = ((bytes[at + hostBytes] ?? 0) << 8) | (bytes[at + hostBytes + 1] ?? 0)
    if (port > 0) peers.push({ host: hostText(host), port })
  }
  return peers
}

function hostText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const hex = Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? []
  return new URL(`http://[${hex.join(':')}]`).hostname.slice(1, -1)
}

function dictPeers(list: BValue[]): PeerAddress[] {
  return list.slice(0, MAX_PEERS).flatMap((item) => {
    if (!(item instanceof Map)) return []
    const ip = item.get('ip')
    const port = item.get('port')
    // BEP 3 allows names; a tracker's word must not make us ask a DNS.
    const host = ip instanceof Uint8Array ? plainAddress(latin1(ip)) : undefined
    const isPort = typeof port === 'number' && port > 0 && port < 65_536
    return host !== undefined && isPort ? [{ host, port }] : []
  })
}

/** @throws TorrentBadReply, also with the tracker's own reason */
export function decodeHttpReply(tracker: string, body: Uint8Array): TrackerReply {
  let dict: BDict
  try {
    const value = decode(body, { maxDepth: 5, maxValues: 10_000 })
    if (!(value instanceof Map)) throw new TypeError('not a dictionary')
    dict = value
  } catch (error) {
    throw new TorrentBadReply(tracker, 'not bencode', { cause: error })
  }
  const failure = dict.get('failure reason')
  if (failure instanceof Uint8Array)
    throw new TorrentBadReply(tracker, (utf8Text(failure) ?? 'a failure').slice(0, 200))
  const [v4, v6, interval] = [dict.get('peers'), dict.get('peers6'), dict.get('interval')]
  const peers = [
    ...(v4 instanceof Uint8Array ? compactPeers(v4, 4) : []),
    ...(Array.isArray(v4) ? dictPeers(v4) : []),
    ...(v6 instanceof Uint8Array ? compactPeers(v6, 16) : []),
  ]
  return {
    peers: peers.slice(0, MAX_PEERS),
    intervalSeconds: typeof interval === 'number' ? interval : 0,
  }
}
