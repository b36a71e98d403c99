/** Signed records of names (BEP 46): learned from the DHT, or made by us with the next seq. */
import { encode } from '../../base/bencode.ts'
import { infoHashOfValue, isSignedByOwner, nameKey, signedBytes } from '../../base/bep44.ts'
import { equalBytes, fromHex } from '../../base/bytes.ts'
import { messageOf } from '../../base/errors.ts'
import type { InfoHash, PublicKey } from '../../base/hashes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { DhtNode, SignedItem } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'
import type { SiteVersion, Store } from '../../base/ports/store.ts'

export interface RecordsDeps {
  store: Store
  dht: Pick<DhtNode, 'getMutable'>
  clock: Clock
  log: Log
}

export interface Learned {
  /** The highest seq the network showed; 0 where it showed none. */
  seq: number
  /** Newer than anything known before, and remembered. */
  newer?: SiteVersion
}

export interface Records {
  /** Asks the DHT for so long at most, and remembers what is newer; never throws for the network's sake. */
  learn(key: PublicKey, salt: Uint8Array, signal: AbortSignal): Promise<Learned>
  /** Signs and commits the record that makes the name point at the torrent, with a seq above all known and `seen`. */
  sign(
    owner: { keyName: string; publicKey: PublicKey; salt: Uint8Array },
    infoHash: InfoHash,
    seen: number,
  ): Promise<SiteVersion>
}

/** BEP 46: the value of a name that points at a torrent. */
export const valueOf = (infoHash: InfoHash): Uint8Array => encode({ ih: fromHex(infoHash) })

export function createRecords(deps: RecordsDeps, lookupTimeoutMs: number): Records {
  const { store, dht, clock, log } = deps

  function versionOf(item: SignedItem, infoHash: InfoHash): SiteVersion {
    const now = clock.now()
    return { ...item, infoHash, firstSeenAt: now, confirmedAt: now }
  }

  function take(item: SignedItem): Learned {
    const infoHash = infoHashOfValue(item.value)
    const latest = store.sites.latest(item.publicKey, item.salt)
    if (latest && latest.seq >= item.seq) {
      if (latest.seq === item.seq && equalBytes(latest.value, item.value)) {
        store.sites.confirmed(item.publicKey, item.salt, item.seq, clock.now())
      }
      return { seq: item.seq }
    }
    // A name may be used for other values; their seq still stands in the way of ours.
    if (infoHash === undefined) return { seq: item.seq }
    const newer = versionOf(item, infoHash)
    return store.sites.remember(newer) ? { seq: item.seq, newer } : { seq: item.seq }
  }

  return {
    async learn(key, salt, signal) {
      try {
        const within = AbortSignal.any([signal, AbortSignal.timeout(lookupTimeoutMs)])
        const { item } = await dht.getMutable(key, salt, within)
        if (!item || nameKey(item.publicKey, item.salt) !== nameKey(key, salt)) return { seq: 0 }
        return isSignedByOwner(item) ? take(item) : { seq: 0 }
      } catch (error) {
        signal.throwIfAborted()
        log.debug({ key, reason: messageOf(error) }, 'the newest record could not be asked for')
        return { seq: 0 }
      }
    },
    async sign({ keyName, publicKey, salt }, infoHash, seen) {
      // Committed before it is used, so that a crash on the way never gives the number twice.
      const seq = store.sites.reserveSeq(publicKey, salt, seen)
      const value = valueOf(infoHash)
      const signature = await store.keys.sign(keyName, signedBytes(salt, seq, value))
      const version = versionOf({ publicKey, salt, seq, value, signature }, infoHash)
      store.sites.remember(version)
      return version
    },
  }
}
