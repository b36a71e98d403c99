/**
 * Who is answered, and how often. A resolver that answers anyone is a weapon: spoofed questions make it
 * flood third parties. What is refused here gets no byte.
 */
import { ipBytes } from '../../base/ip-address.ts'
import type { DnsConfig } from './config.ts'
import { createNetworks, HOUSE } from './networks.ts'

/** Sources of these ports are other services (echo, daytime, chargen, DNS, ...): answering is a loop. */
const REFLECTORS = new Set([0, 7, 13, 17, 19])
const MAX_CLIENTS = 4096
const REREAD_MS = 10_000

/** A /64 may be a house of devices, or all one device: it gets what so many clients get. */
const NETWORK_SHARE = 8

/** What may be asked yet, of one address or one network. */
interface Bucket {
  /** How many clients' worth it holds. */
  share: number
  tokens: number
  at: number
  /** Questions that wait for other servers, and how many may. */
  waiting: number
  maxWaiting: number
}

interface Client {
  isAllowed: boolean
  isFront: boolean
  /** Its own, and that of its /64 where it has one. */
  buckets: readonly Bucket[]
}

/** Puts an entry in; the oldest of too many is forgotten. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value): Value {
  if (map.size >= MAX_CLIENTS) map.delete(map.keys().next().value ?? '')
  map.set(key, value)
  return value
}

export interface GuardDeps {
  /** Monotonic ms. */
  now: () => number
  /** Networks this machine is directly connected to. */
  networks: () => string[]
  /** Addresses that ask for the whole house: nobody counts what they ask. */
  fronts?: readonly string[]
}

export function createGuard(
  { now, networks, fronts = [] }: GuardDeps,
  config: Pick<DnsConfig, 'allow' | 'max_rate' | 'burst'>,
) {
  const stats = { strangers: 0, tooMany: 0 }
  const clients = new Map<string, Client>()
  const networkBuckets = new Map<string, Bucket>()

  // Names of a server that is silent wait for seconds each: one device must not take every place there
  // is, whatever addresses it has.
  const newBucket = (share: number): Bucket => ({
    share,
    tokens: config.burst * share,
    at: now(),
    waiting: 0,
    maxWaiting: share > 1 ? config.burst : Math.ceil(config.burst / 2),
  })
  let connected = networks()
  let allowed = createNetworks([...HOUSE, ...connected, ...config.allow])
  let readAt = now()

  /** Clients are judged anew when the networks changed, and only then: a bucket must not be refilled by it. */
  function follow(time: number): void {
    if (time - readAt < REREAD_MS) return
    readAt = time
    const fresh = networks()
    if (fresh.join(' ') === connected.join(' ')) return
    connected = fresh
    allowed = createNetworks([...HOUSE, ...connected, ...config.allow])
    clients.clear()
    networkBuckets.clear()
  }

  function networkOf(bytes: Uint8Array): Bucket {
    const key = Buffer.from(bytes.subarray(0, 8)).toString('latin1')
    return networkBuckets.get(key) ?? keep(networkBuckets, key, newBucket(NETWORK_SHARE))
  }

  function clientOf(address: string): Client {
    const known = clients.get(address)
    if (known) return known
    const bytes = ipBytes(address.split('%', 1)[0] ?? '')
    const own = newBucket(1)
    // Link-local addresses are those of the devices on one cable, and no network's.
    const hasNetwork = bytes?.length === 16 && !address.startsWith('fe80')
    return keep(clients, address, {
      isAllowed: bytes !== undefined && allowed.has(bytes),
      isFront: fronts.includes(address),
      buckets: hasNetwork ? [own, networkOf(bytes)] : [own],
    })
  }

  /** Fills it for the time that went by; whether one more question goes in. */
  function hasRoom(bucket: Bucket, time: number): boolean {
    const { share } = bucket
    const fresh = ((time - bucket.at) * config.max_rate * share) / 1000
    bucket.tokens = Math.min(config.burst * share, bucket.tokens + fresh)
    bucket.at = time
    return bucket.tokens >= 1 && bucket.waiting < bucket.maxWaiting
  }

  return {
    stats,
    /** Whether a client may have a connection or an answer at all. */
    isAllowed(address: string): boolean {
      follow(now())
      const { isAllowed } = clientOf(address)
      if (!isAllowed) stats.strangers++
      return isAllowed
    },
    /** Whether one more question of it is answered, which came at `time`. */
    admits(address: string, port: number, time = now()): boolean {
      follow(time)
      const client = clientOf(address)
      if (!client.isAllowed || REFLECTORS.has(port)) {
        stats.strangers++
        return false
      }
      if (client.isFront) return true
      if (!client.buckets.every((bucket) => hasRoom(bucket, time))) {
        stats.tooMany++
        return false
      }
      for (const bucket of client.buckets) bucket.tokens--
      return true
    },
    /** Counts a question of it that waits for other servers, until what is returned is called. */
    waits(address: string): () => void {
      const { buckets } = clientOf(address)
      for (const bucket of buckets) bucket.waiting++
      return () => {
        for (const bucket of buckets) bucket.waiting--
      }
    },
  }
}

export type Guard = ReturnType<typeof createGuard>
