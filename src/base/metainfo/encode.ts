/** Writes torrents: what `decode.ts` reads, byte for byte the same for the same content. */
import { type Encodable, encode, encodeRawDict } from '../bencode.ts'
import type { PeerAddress } from '../ports/dht-node.ts'
import { decodeInfo } from './decode.ts'

export interface InfoFile {
  path: readonly string[]
  length: number
  /** BEP 47 pad: zeroes that move the next file to a piece boundary. */
  isPad?: boolean
}

export interface InfoParts {
  name: string
  /** In the order of the data; of a single-file torrent the one file, whose path is not written. */
  files: readonly InfoFile[]
  isSingleFile: boolean
  pieceLength: number
  /** 20 bytes a piece. */
  pieces: Uint8Array
  isPrivate?: boolean
}

export interface TorrentFileParts {
  /** Tiers of BEP 12. */
  trackers?: readonly (readonly string[])[]
  /** BEP 19. */
  webSeeds?: readonly string[]
  /** DHT nodes of BEP 5. */
  nodes?: readonly PeerAddress[]
  comment?: string
  createdBy?: string
  /** Seconds since 1970. */
  creationDate?: number
}

const toEntry = ({ path, length, isPad }: InfoFile): Encodable => ({
  attr: isPad ? 'p' : undefined,
  length,
  path: path.map((name) => name.toWellFormed()),
})

/**
 * The raw info dict, whose SHA-1 is the infohash.
 * @throws BadMetainfo where `decodeInfo` would refuse what was written
 */
export function encodeInfo(parts: InfoParts): Uint8Array {
  const { name, files, isSingleFile, pieceLength, pieces, isPrivate } = parts
  const content = isSingleFile ? { length: files[0]?.length } : { files: files.map(toEntry) }
  const info = encode({
    ...content,
    name: name.toWellFormed(),
    'piece length': pieceLength,
    pieces,
    private: isPrivate ? 1 : undefined,
  })
  decodeInfo(info)
  return info
}

/** The torrent file of a raw info dict, which is put into it as it is. */
export function encodeTorrentFile(info: Uint8Array, parts: TorrentFileParts = {}): Uint8Array {
  const tiers = (parts.trackers ?? []).filter((tier) => tier.length > 0)
  const some = <Item>(items: readonly Item[] | undefined) =>
    items && items.length > 0 ? items : undefined
  const around: Record<string, Encodable | undefined> = {
    announce: tiers[0]?.[0],
    'announce-list': tiers.flat().length > 1 ? tiers : undefined,
    comment: parts.comment?.toWellFormed(),
    'created by': parts.createdBy?.toWellFormed(),
    'creation date': parts.creationDate,
    nodes: some(parts.nodes)?.map(({ host, port }) => [host, port]),
    'url-list': some(parts.webSeeds),
  }
  const entries = new Map([['info', info]])
  for (const [key, value] of Object.entries(around)) {
    if (value !== undefined) entries.set(key, encode(value))
  }
  return encodeRawDict(entries)
}
