/**
 * Kademlia's routing table (BEP 5): buckets by the number of leading bits shared with our id. Only
 * nodes that answered us get in, so nobody can fill it by talking.
 */
import { equalBytes } from '../../base/bytes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import { endpointKey, isLocal } from './address.ts'
import type { Contact } from './krpc.ts'
import {
  compareDistance,
  ID_BYTES,
  idInBucket,
  isSecureId,
  type RandomBytes,
  sharedBits,
} from './node-id.ts'

/** BEP 5: eight nodes in a bucket. The widest buckets hold more, which saves hops. */
const K = 8
const WIDE_BUCKETS = 4
const MAX_SPARES = 8
/** BEP 5: a node is good for 15 minutes after its last word. */
export const QUESTIONABLE_MS = 15 * 60_000
const MAX_FAILURES = 3

export interface TableNode extends Contact {
  /** When it last answered us or asked us something, by the clock. */
  heardAt: number
  /** Queries it left unanswered since its last word. */
  failures: number
  secure: boolean
}

interface Bucket {
  nodes: TableNode[]
  /** Verified too, but there was no room; newest last. */
  spares: TableNode[]
  touchedAt: number
}

const capacity = (bits: number): number => K << Math.max(0, WIDE_BUCKETS - bits)

export function createRoutingTable(ownId: Uint8Array, clock: Clock) {
  const buckets = new Map<number, Bucket>()
  const byEndpoint = new Map<string, TableNode>()
  /** Public addresses in the table: one node each, so that one host cannot hold many places. */
  const hosts = new Map<string, TableNode>()

  const bitsOf = (id: Uint8Array): number => Math.min(sharedBits(ownId, id), ID_BYTES * 8 - 1)

  function bucketOf(id: Uint8Array): Bucket {
    const bits = bitsOf(id)
    let bucket = buckets.get(bits)
    if (!bucket) {
      bucket = { nodes: [], spares: [], touchedAt: clock.now() }
      buckets.set(bits, bucket)
    }
    return bucket
  }

  function remove(node: TableNode): void {
    const bucket = bucketOf(node.id)
    bucket.nodes = bucket.nodes.filter((other) => other !== node)
    byEndpoint.delete(endpointKey(node))
    if (hosts.get(node.host) === node) hosts.delete(node.host)
  }

  function place(bucket: Bucket, node: TableNode): void {
    bucket.nodes.push(node)
    byEndpoint.set(endpointKey(node), node)
    if (!isLocal(node.host)) hosts.set(node.host, node)
  }

  function promoteSpare(bucket: Bucket): void {
    for (let spare = bucket.spares.pop(); spare; spare = bucket.spares.pop()) {
      if (byEndpoint.has(endpointKey(spare)) || hosts.has(spare.host)) continue
      place(bucket, spare)
      return
    }
  }

  /** Whom a newcomer may replace: who failed most, else who fails BEP 42 where the newcomer does not. */
  function weakest(bucket: Bucket, newcomer: TableNode): TableNode | undefined {
    const failing = bucket.nodes.filter((node) => node.failures > 0)
    failing.sort((a, b) => b.failures - a.failures)
    if (failing[0]) return failing[0]
    return newcomer.secure ? bucket.nodes.find((node) => !node.secure) : undefined
  }

  function insert(contact: Contact): void {
    if (equalBytes(contact.id, ownId)) return
    const bucket = bucketOf(contact.id)
    const sameId = bucket.nodes.find((node) => equalBytes(node.id, contact.id))
    // An id that moved is believed only once its old place went silent.
    if (sameId && sameId.failures === 0) return
    const sameHost = hosts.get(contact.host)
    if (sameHost && sameHost.failures === 0) return
    for (const old of [sameId, sameHost]) if (old) remove(old)
    const { id, host, port } = contact
    const secure = isSecureId(id, host)
    const node = { id, host, port, heardAt: clock.now(), failures: 0, secure }
    if (bucket.nodes.length >= capacity(bitsOf(id))) {
      const weak = weakest(bucket, node)
      if (!weak) {
        const others = bucket.spares.filter((spare) => endpointKey(spare) !== endpointKey(node))
        bucket.spares = [...others, node].slice(-MAX_SPARES)
        return
      }
      remove(weak)
    }
    place(bucket, node)
  }

  const all = (): TableNode[] => [...byEndpoint.values()]

  return {
    ownId,
    all,
    size: () => byEndpoint.size,
    has: (contact: Contact): boolean => byEndpoint.has(endpointKey(contact)),
    /** It answered a query of ours: the only way in. */
    answered(contact: Contact): void {
      const known = byEndpoint.get(endpointKey(contact))
      if (known && equalBytes(known.id, contact.id)) {
        known.heardAt = clock.now()
        known.failures = 0
      } else {
        if (known) remove(known)
        insert(contact)
      }
      bucketOf(contact.id).touchedAt = clock.now()
    },
    /** It asked us something: a node we know is alive. */
    asked(contact: Contact): void {
      const known = byEndpoint.get(endpointKey(contact))
      if (known?.failures === 0 && equalBytes(known.id, contact.id)) known.heardAt = clock.now()
    },
    /** Whether asking it could bring a new node into the table. */
    wants(contact: Contact): boolean {
      if (byEndpoint.has(endpointKey(contact)) || equalBytes(contact.id, ownId)) return false
      const bucket = bucketOf(contact.id)
      return (
        bucket.nodes.length < capacity(bitsOf(contact.id)) ||
        bucket.nodes.some((node) => node.failures > 0)
      )
    },
    /** It did not answer. `keep` it where everybody is silent: then the fault is our own line's. */
    failed(contact: Contact, keep = false): void {
      const node = byEndpoint.get(endpointKey(contact))
      if (!node) return
      node.failures++
      if (keep) return
      const bucket = bucketOf(node.id)
      if (node.failures >= MAX_FAILURES || bucket.spares.length > 0) {
        remove(node)
        promoteSpare(bucket)
      }
    },
    /** The `most` nodes closest to `target`, the failing ones left out unless all fail. */
    closest(target: Uint8Array, most: number): TableNode[] {
      const known = all()
      const usable = known.filter((node) => node.failures < 2)
      const chosen = usable.length > 0 ? usable : known
      return chosen.sort((a, b) => compareDistance(target, a.id, b.id)).slice(0, most)
    },
    /** Nodes that were silent for long, the longest first. */
    questionable(): TableNode[] {
      const before = clock.now() - QUESTIONABLE_MS
      return all()
        .filter((node) => node.heardAt < before || node.failures > 0)
        .sort((a, b) => a.heardAt - b.heardAt)
    },
    /** A target in every bucket that nothing happened in for long; marks them as touched. */
    refreshTargets(random: RandomBytes): Uint8Array[] {
      const before = clock.now() - QUESTIONABLE_MS
      const targets: Uint8Array[] = []
      for (const [bits, bucket] of buckets) {
        if (bucket.touchedAt > before || bucket.nodes.length === 0) continue
        bucket.touchedAt = clock.now()
        targets.push(idInBucket(ownId, bits, random))
      }
      return targets
    },
  }
}

export type RoutingTable = ReturnType<typeof createRoutingTable>
