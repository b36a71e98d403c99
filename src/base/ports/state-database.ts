/** The database of the box as a file at rest: for backups of it, and for what is put in its place. */
import type { InfoHash, PublicKey } from '../hashes.ts'

/** The highest sequence number (BEP 44) that a name is known to have used. */
export interface NameNumber {
  publicKey: PublicKey
  salt: Uint8Array
  seq: number
}

export interface DatabaseFacts {
  /** Sites with a key of this box. */
  own: (NameNumber & { keyName: string; title?: string; infoHash?: InfoHash })[]
  pinned: number
  visited: number
}

/** Each call opens the file for itself alone and leaves it whole, without companions. */
export interface DatabaseFiles {
  /**
   * Reads every page of it, and brings an older one to the present form.
   * @throws BTL_ERR_STORE_CORRUPT, BTL_ERR_STORE_TOO_NEW, BTL_ERR_STORE_IN_USE
   */
  inspect(path: string): Promise<DatabaseFacts>
  /** Numbers of names that this box signs for, or did. */
  numbers(path: string): Promise<NameNumber[]>
  /** No number up to `gap` above those it holds, and above `seen`, is given out from now on. */
  raiseNumbers(path: string, gap: number, seen: readonly NameNumber[]): Promise<void>
  /** Drops sites that were only visited, with their history; gives how many, and the torrents that are still needed. */
  forgetVisited(path: string): Promise<{ sites: number; needed: Set<InfoHash> }>
}
