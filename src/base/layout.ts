/** Where things lie in the state folder: the one agreement between the roles that write and read it. */
import { join } from 'node:path'
import type { InfoHash, Sha256 } from './hashes.ts'

/** Where `storage.*` put the content: the defaults are folders of the state. */
export interface StoreLayout {
  /** `<state>/store/blobs` */
  blobs: string
  /** `<state>/store/torrents` */
  torrents: string
}

export const blobPath = (layout: StoreLayout, hash: Sha256): string =>
  join(layout.blobs, hash.slice(0, 2), hash)

/** One folder a torrent; torrent paths never become file names. */
export const torrentFolder = (layout: StoreLayout, infoHash: InfoHash): string =>
  join(layout.torrents, infoHash)

/** The file with index `fileIndex` of the info dict (0 for a single-file torrent). */
export const torrentFilePath = (
  layout: StoreLayout,
  infoHash: InfoHash,
  fileIndex: number,
): string => join(torrentFolder(layout, infoHash), String(fileIndex))

/** The raw info dict of the torrent, written once it was validated. */
export const torrentInfoPath = (layout: StoreLayout, infoHash: InfoHash): string =>
  join(torrentFolder(layout, infoHash), 'info')
