import { formatSize } from '../../base/units.ts'
import type { PeerInfo, TorrentStatus } from '../../base/ports/torrent-engine.ts'
import { ask } from './admin-client.ts'
import { table } from './table.ts'
import { argument, type Verb } from './verb.ts'

interface Answer {
  infoHash: string
  status?: TorrentStatus
  peers: PeerInfo[]
}

const perSecond = (bytes: number): string => (bytes === 0 ? '-' : `${formatSize(bytes)}/s`)

/** Control characters of a stranger's client name must not reach a terminal. */
const printed = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 40)

/** One line a peer: address, kind, where it was found, client, and how fast it gives and takes. */
export const peerTable = (peers: readonly PeerInfo[]): string =>
  table(
    ['PEER', 'KIND', 'SOURCE', 'CLIENT', 'FROM IT', 'TO IT', 'TAKEN', 'GIVEN'],
    peers.map((peer) => [
      peer.address,
      peer.kind,
      peer.source,
      printed(peer.client ?? '-'),
      perSecond(peer.downloadBytesPerSecond),
      perSecond(peer.uploadBytesPerSecond),
      formatSize(peer.downloadedBytes),
      formatSize(peer.uploadedBytes),
    ]),
  )

const limit = ({ limited }: TorrentStatus): string =>
  limited === undefined ? '' : ` to the house only: its ${limited} is reached`

function describe({ infoHash, status, peers }: Answer): string {
  if (!status) return `${infoHash}\nthis box does not have the torrent`
  const share = status.totalBytes === 0 ? 1 : status.verifiedBytes / status.totalBytes
  const head = `${infoHash}  ${formatSize(status.verifiedBytes)} of ${formatSize(status.totalBytes)} (${Math.floor(share * 100)} %)${status.seeding ? ', seeded' : ''}${limit(status)}`
  return peers.length === 0 ? `${head}\nno peers now` : `${head}\n\n${peerTable(peers)}`
}

export const peersVerb: Verb = {
  usage: ['peers NAME'],
  help: `Lists the peers of a site or torrent: TCP, WebRTC (browsers) and web seeds, who named them
(tracker, dht, lsd, pex, hint of a link, or they came by themselves), and how fast they are.`,
  options: {},
  takes: [1, 1],
  async run(input) {
    const path = `/api/sites/${encodeURIComponent(argument(input, 0))}/peers`
    const known = await ask<Answer>(await input.stateDir(), 'GET', path)
    input.print(describe(known), known)
  },
}
