/** What the box remembers: content on disk, sites in state.db. */
import type { InfoHash, PublicKey, Sha256 } from '../hashes.ts'
import type { Component } from './component.ts'
import type { SignedItem } from './dht-node.ts'

export interface StoredBlob {
  sha256: Sha256
  length: number
  path: string
}

/** Immutable files by sha256; an acknowledged put survives a power cut. */
export interface BlobStore {
  /** Streams to disk in constant memory; the same bytes give the same blob. `observe` sees every chunk in order. */
  put(
    source: AsyncIterable<Uint8Array>,
    options?: { observe?: (chunk: Uint8Array) => void; maxBytes?: number; signal?: AbortSignal },
  ): Promise<StoredBlob>
  get(sha256: Sha256): Promise<StoredBlob | undefined>
  /** Links a complete file into the store (a finished download); hashes it first. */
  adopt(path: string, signal?: AbortSignal): Promise<StoredBlob>
  /** Takes back one `put` whose purpose failed: the blob goes unless a torrent or another put holds it. */
  discard(sha256: Sha256): Promise<void>
}

/** The folders of torrents under `store/torrents`, written for a published or uploaded torrent. */
export interface TorrentFolders {
  /** Makes the folder of hard links to blobs, with the info dict, in one rename. Idempotent. `blobs[i]` is file i; undefined for a pad file. */
  link(infoHash: InfoHash, info: Uint8Array, blobs: readonly (Sha256 | undefined)[]): Promise<void>
  /** The validated info dict, from the folder or the cache; undefined where unknown. */
  info(infoHash: InfoHash): Promise<Uint8Array | undefined>
  saveInfo(infoHash: InfoHash, info: Uint8Array): Promise<void>
  /** After a whole download: every file becomes a link to its blob. */
  adopt(infoHash: InfoHash, signal?: AbortSignal): Promise<void>
  remove(infoHash: InfoHash): Promise<void>
}

export interface SiteVersion extends SignedItem {
  infoHash: InfoHash
  /** Milliseconds since 1970: when this box first saw or signed it. */
  firstSeenAt: number
  /** When the DHT last confirmed it. */
  confirmedAt: number
}

export interface Site {
  publicKey: PublicKey
  salt: Uint8Array
  /** Ours, with the key's name; a pinned or visited one has none. */
  keyName?: string
  title?: string
  /** The published folder, for `--watch` and idempotent publishing. */
  folder?: string
  watched: boolean
  pinned: boolean
  lastVisitedAt?: number
}

/** The history of signed records, and what the house does with each site. Every write is committed when it returns. */
export interface SiteStore {
  site(key: PublicKey, salt: Uint8Array): Site | undefined
  sites(): Site[]
  saveSite(site: Site): void
  removeSite(key: PublicKey, salt: Uint8Array): void
  visited(key: PublicKey, salt: Uint8Array, at: number): void
  latest(key: PublicKey, salt: Uint8Array): SiteVersion | undefined
  /** Newest first. */
  versions(key: PublicKey, salt: Uint8Array): SiteVersion[]
  /** Keeps a verified version; of one seq the first wins. Returns whether it is new. */
  remember(version: SiteVersion): boolean
  confirmed(key: PublicKey, salt: Uint8Array, seq: number, at: number): void
  /** Reserves and commits the next seq: max(known, reserved, `seen`) + 1. A crash after it never gives the same number again. */
  reserveSeq(key: PublicKey, salt: Uint8Array, seen: number): number
  /** Pins of plain torrents (`-ih` names and uploads). */
  pinTorrent(infoHash: InfoHash, title: string | undefined, at: number): void
  unpinTorrent(infoHash: InfoHash): void
  pinnedTorrents(): { infoHash: InfoHash; title?: string; addedAt: number }[]
}

/** Publishing keys: Ed25519 seeds in files of mode 0600. */
export interface KeyStore {
  list(): Promise<{ name: string; publicKey: PublicKey }[]>
  /** Creates the key when absent. */
  ensure(name: string): Promise<PublicKey>
  create(name: string): Promise<PublicKey>
  publicKey(name: string): Promise<PublicKey | undefined>
  importSeed(name: string, seed: Uint8Array): Promise<PublicKey>
  exportSeed(name: string): Promise<Uint8Array>
  /** Ed25519 signature, 64 bytes. */
  sign(name: string, message: Uint8Array): Promise<Uint8Array>
}

/** The content of a box at rest. */
export interface ContentShelves {
  blobs: BlobStore
  torrents: TorrentFolders
  /** Makes the folders where they are not there; before the first put. */
  prepare(): Promise<void>
}

export interface Store extends Component {
  blobs: BlobStore
  torrents: TorrentFolders
  sites: SiteStore
  keys: KeyStore
  /** Copies the database as it is now beside it, checked and durable; gives the path of the copy. */
  snapshot(signal?: AbortSignal): Promise<string>
}
