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

interface Client {
  isAllowed: boolean
  isFront: boolean
  tokens: number
  at: number
  /** Questions that wait for other servers. */
  waiting: number
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
  // Names of a server that is silent wait for seconds each: one device must not take every place there is.
  const maxWaiting = Math.ceil(config.burst / 2)
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
  }

  function clientOf(address: string): Client {
    const known = clients.get(address)
    if (known) return known
    const bytes = ipBytes(address.split('%', 1)[0] ?? '')
    const isAllowed = bytes !== undefined && allowed.has(bytes)
    // A house's device has a whole /64 to speak from: they share one bucket.
    const isShared = bytes?.length === 16 && !address.startsWith('fe80')
    const key = isShared ? Buffer.from(bytes.subarray(0, 8)).toString('hex') : address
    let client = clients.get(key)
    if (client === undefined || client.isAllowed !== isAllowed) {
      const isFront = fronts.includes(address)
      client = { isAllowed, isFront, tokens: config.burst, at: now(), waiting: 0 }
    }
    // Two keys a client at most; the oldest are forgotten.
    for (const one of [key, address]) {
      if (clients.size >= MAX_CLIENTS) clients.delete(clients.keys().next().value ?? '')
      clients.set(one, client)
    }
    return client
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
      client.tokens = Math.min(
        config.burst,
        client.tokens + ((time - client.at) * config.max_rate) / 1000,
      )
      client.at = time
      if (client.tokens < 1 || client.waiting >= maxWaiting) {
        stats.tooMany++
        return false
      }
      client.tokens--
      return true
    },
    /** Counts a question of it that waits for other servers, until what is returned is called. */
    waits(address: string): () => void {
      const client = clientOf(address)
      client.waiting++
      return () => void client.waiting--
    },
  }
}

export type Guard = ReturnType<typeof createGuard>
