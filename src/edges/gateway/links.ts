/** Links that leave the site: its magnet, its web seed, its torrent file. */
import type { Socket } from 'node:net'
import { encode, encodeRawDict } from '../../base/bencode.ts'
import { type KeyName, writeMagnet } from '../../base/names/index.ts'
import { torrentOrigin, type Exchange } from './exchange.ts'
import type { SiteView } from './site-view.ts'

/** Announce addresses for those who reach the box by this connection. */
export type AnnounceUrls = (connection: Socket) => string[]

/** Always of the `-ih` host: a web seed must not change its content under a client. */
export const webSeedUrl = (exchange: Exchange, view: SiteView): string =>
  `${torrentOrigin(exchange, view.infoHash)}/.btlink/webseed/`

/** The magnet of the torrent as it stands now, with trackers and this box as a web seed. */
export function torrentMagnet(
  exchange: Exchange,
  view: SiteView,
  announceUrls: AnnounceUrls,
): string {
  const trackers = announceUrls(exchange.req.socket)
  return writeMagnet(
    { kind: 'infohash', infoHash: view.infoHash },
    {
      title: view.torrent.metainfo.name,
      hints: { trackers, webSeeds: [webSeedUrl(exchange, view)] },
    },
  )
}

/** Of a site: its key and salt (BEP 46), which lead to whatever torrent it is then. */
export const siteMagnet = (
  { req }: Exchange,
  { publicKey, salt }: KeyName,
  announceUrls: AnnounceUrls,
): string =>
  writeMagnet({ kind: 'key', publicKey, salt }, { hints: { trackers: announceUrls(req.socket) } })

/** A torrent file (BEP 3) whose info dict is the very one that was hashed, with `url-list` (BEP 19). */
export function torrentFile(
  exchange: Exchange,
  view: SiteView,
  announceUrls: AnnounceUrls,
): Uint8Array {
  const trackers = announceUrls(exchange.req.socket)
  const entries = new Map([
    ['info', view.torrent.metainfo.info],
    ['created by', encode('btlinkd')],
    ['url-list', encode([webSeedUrl(exchange, view)])],
  ])
  const [first] = trackers
  if (first !== undefined) {
    entries.set('announce', encode(first))
    entries.set('announce-list', encode(trackers.map((tracker) => [tracker])))
  }
  return encodeRawDict(entries)
}
