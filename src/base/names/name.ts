/** What a btlink name stands for, however it was written. */
import type { InfoHash, PublicKey, Target } from '../hashes.ts'

/** One torrent, for ever the same. */
export interface InfoHashName {
  kind: 'infohash'
  infoHash: InfoHash
}

/** Whatever torrent the owner of the key points at now (BEP 46). */
export interface KeyName {
  kind: 'key'
  publicKey: PublicKey
  /** At most 64 bytes; empty is no salt. */
  salt: Uint8Array
}

/** One immutable DHT item (BEP 44). */
export interface ImmutableName {
  kind: 'immutable'
  target: Target
}

export type Name = InfoHashName | KeyName | ImmutableName
