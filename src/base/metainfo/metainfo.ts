/** A torrent as the rest of the house sees it: decoded from bytes that passed every rule. */
import type { InfoHash } from '../hashes.ts'

export interface TorrentFile {
  /** Position in the info dict; 0 for a single-file torrent. */
  index: number
  /** Path components; `path.utf-8` where present; for a single-file torrent `[name]`. Never `..`, empty, or with `/` or NUL inside. */
  path: readonly string[]
  /** Bytes. */
  length: number
  /** First byte within the torrent's concatenated data. */
  offset: number
  /** BEP 47 pad file, or under `.pad/`: kept for piece sums, never shown. */
  isPad: boolean
}

export interface Metainfo {
  infoHash: InfoHash
  name: string
  isSingleFile: boolean
  isPrivate: boolean
  files: readonly TorrentFile[]
  pieceLength: number
  pieceCount: number
  /** 20 bytes a piece. */
  pieces: Uint8Array
  totalLength: number
  /** The info dict as it was hashed. */
  info: Uint8Array
}
