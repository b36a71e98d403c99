/** What services offer to the edges: names to torrents, torrents to bytes, folders to sites. */
import type { InfoHash, PublicKey, Target } from '../hashes.ts'
import type { Metainfo } from '../metainfo/metainfo.ts'
import type { PutOutcome } from './dht-node.ts'
import type { Site, SiteVersion } from './store.ts'
import type { ByteRange, SwarmHints } from './torrent-engine.ts'

export interface Resolution {
  infoHash: InfoHash
  seq?: number
  /** `fresh`: asked or confirmed within the cache time; `stale`: the DHT could not be asked, last known good. */
  freshness: 'fresh' | 'stale'
  /** Seconds since the record was confirmed. */
  ageSeconds: number
  version?: SiteVersion
}

/** Name to infohash: cached, single-flight, last known good. */
export interface LinkResolver {
  /**
   * @param options.localOnly never asks the network (`only-if-cached`)
   * @throws BTL_ERR_RESOLVE_NOT_FOUND (404), BTL_ERR_RESOLVE_UNREACHABLE (503), BTL_ERR_RESOLVE_TIMEOUT (504), BTL_ERR_RESOLVE_NOT_LOCAL (412)
   */
  resolve(
    key: PublicKey,
    salt: Uint8Array,
    options?: { localOnly?: boolean; fresh?: boolean },
    signal?: AbortSignal,
  ): Promise<Resolution>
  /** The bencoded immutable item (BEP 44); its SHA-1 is `target`. Same errors. */
  immutable(
    target: Target,
    options?: { localOnly?: boolean },
    signal?: AbortSignal,
  ): Promise<Uint8Array>
  versions(key: PublicKey, salt: Uint8Array): SiteVersion[]
}

export interface OpenTorrent {
  metainfo: Metainfo
  /** The plain file with file `index`, present at least as far as `available` says. */
  filePath(index: number): string
}

/** Torrents as files that can be read while they arrive. */
export interface Library {
  /**
   * Finds and validates the metainfo and adds the torrent; one fetch however many wait.
   * @param options.site reuses unchanged files of older versions of it
   * @throws BTL_ERR_LIBRARY_TIMEOUT (504), BTL_ERR_LIBRARY_BAD_METAINFO (502), BTL_ERR_LIBRARY_NOT_LOCAL (412)
   */
  open(
    infoHash: InfoHash,
    options?: {
      hints?: SwarmHints
      localOnly?: boolean
      site?: { publicKey: PublicKey; salt: Uint8Array }
    },
    signal?: AbortSignal,
  ): Promise<OpenTorrent>
  /** Whether every byte of the file (or range) is verified on disk, answered from memory. */
  isLocal(infoHash: InfoHash, fileIndex: number, range?: ByteRange): boolean
  /**
   * Consecutive verified ranges that together are `range`, each as soon as it can be read.
   * @throws BTL_ERR_LIBRARY_TIMEOUT (504) when nothing arrives in time
   */
  available(
    infoHash: InfoHash,
    fileIndex: number,
    range: ByteRange,
    signal?: AbortSignal,
  ): AsyncIterable<ByteRange>
}

export interface Publication {
  infoHash: InfoHash
  publicKey: PublicKey
  salt: Uint8Array
  seq: number
  /** False where the folder was published before and nothing changed. */
  changed: boolean
  /** How the put went; undefined with `wait: false`. */
  stored?: PutOutcome
}

export interface PublishOptions {
  keyName: string
  salt?: Uint8Array
  title?: string
  watch?: boolean
  /** Wait for the DHT (default); else resolve once committed. */
  wait?: boolean
}

export interface UploadedFile {
  /** Path components, checked by the publisher. */
  path: readonly string[]
  content: AsyncIterable<Uint8Array>
}

export interface Publisher {
  folder(folder: string, options: PublishOptions, signal?: AbortSignal): Promise<Publication>
  /** Makes and seeds a torrent of uploaded files; same files and name give the same infohash. */
  upload(
    name: string,
    files: AsyncIterable<UploadedFile>,
    options?: { announceDht?: boolean; maxBytes?: number },
    signal?: AbortSignal,
  ): Promise<{ infoHash: InfoHash; totalLength: number; files: number }>
  /** Points a name at a torrent that is already there (an upload). */
  point(infoHash: InfoHash, options: PublishOptions, signal?: AbortSignal): Promise<Publication>
  /** Stops announcing and watching; the key and the history stay. */
  unpublish(key: PublicKey, salt: Uint8Array): Promise<void>
  pin(key: PublicKey, salt: Uint8Array, signal?: AbortSignal): Promise<Site>
  unpin(key: PublicKey, salt: Uint8Array): Promise<void>
  pinTorrent(infoHash: InfoHash, title?: string, signal?: AbortSignal): Promise<void>
  unpinTorrent(infoHash: InfoHash): Promise<void>
}
