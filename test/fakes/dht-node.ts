/** DHT nodes in memory: all of one `createFakeDht` share what they put and announce. */
import {
  immutableTarget,
  isSignedByOwner,
  MAX_VALUE_BYTES,
  mutableTarget,
} from '../../src/base/bep44.ts'
import { decode } from '../../src/base/bencode.ts'
import { equalBytes } from '../../src/base/bytes.ts'
import { declareError } from '../../src/base/errors.ts'
import { type Target, target as asTarget } from '../../src/base/hashes.ts'
import type { DhtNode, PeerAddress, PutOutcome, SignedItem } from '../../src/base/ports/dht-node.ts'

const BadItem = declareError('BTL_ERR_DHT_BAD_ITEM', 'not an item the DHT would store: %s', 400)

export interface FakeDht {
  /** Another node of the network; `host` is where its announces point. */
  node(host?: string): DhtNode
  /** False: nobody answers anyone. */
  reachable: boolean
  /** Every call that would have gone to the network, as `method target`. */
  readonly calls: string[]
  readonly items: Map<Target, SignedItem>
}

/** @param nodes how many nodes the network claims to ask and to store on */
export function createFakeDht(nodes = 20): FakeDht {
  const values = new Map<Target, Uint8Array>()
  const items = new Map<Target, SignedItem>()
  const peers = new Map<string, Map<string, PeerAddress>>()
  const calls: string[] = []
  let started = 0

  const put = (target: Target, code?: number): PutOutcome => {
    const answering = dht.reachable ? nodes : 0
    const errors = code && answering > 0 ? { [code]: answering } : {}
    return { target, asked: nodes, stored: code ? 0 : answering, errors }
  }

  function checkValue(value: Uint8Array): void {
    if (value.length > MAX_VALUE_BYTES) throw new BadItem(`a value of ${value.length} bytes`)
    try {
      decode(value)
    } catch {
      throw new BadItem('a value that is not bencode')
    }
  }

  function outcome<Item>(item: Item | undefined) {
    const answered = dht.reachable ? nodes : 0
    const found = dht.reachable && item !== undefined ? item : undefined
    const counts = { asked: nodes, answered, holders: found ? 8 : 0, rejected: 0 }
    return { ...counts, ...(found && { item: found }) }
  }

  function node(host = '127.0.0.1'): DhtNode {
    const nodeId = (++started).toString(16).padStart(40, '0')
    return {
      name: 'dht',
      async start() {},
      async stop() {},
      health: () => ({ status: 'ok', score: 100 }),
      async *peers(infoHash, signal) {
        calls.push(`peers ${infoHash}`)
        const found = [...(peers.get(infoHash)?.values() ?? [])]
        if (dht.reachable && !signal?.aborted && found.length > 0) yield found
      },
      async announce(infoHash, port) {
        calls.push(`announce ${infoHash}`)
        const known = peers.get(infoHash) ?? new Map<string, PeerAddress>()
        if (dht.reachable) peers.set(infoHash, known.set(`${host}:${port}`, { host, port }))
        return put(asTarget(infoHash))
      },
      async getImmutable(target) {
        calls.push(`getImmutable ${target}`)
        return outcome(values.get(target))
      },
      async getMutable(key, salt) {
        const target = mutableTarget(key, salt)
        calls.push(`getMutable ${target}`)
        return outcome(items.get(target))
      },
      async putImmutable(value) {
        checkValue(value)
        const target = immutableTarget(value)
        calls.push(`putImmutable ${target}`)
        if (dht.reachable) values.set(target, value)
        return put(target)
      },
      async putMutable(item, cas) {
        checkValue(item.value)
        if (!isSignedByOwner(item)) throw new BadItem('its signature does not hold')
        const target = mutableTarget(item.publicKey, item.salt)
        calls.push(`putMutable ${target}`)
        const stored = items.get(target)
        if (stored && cas !== undefined && cas !== stored.seq) return put(target, 301)
        const same = stored?.seq === item.seq && equalBytes(stored.value, item.value)
        if (stored && !same && stored.seq >= item.seq) return put(target, 302)
        if (dht.reachable) items.set(target, item)
        return put(target)
      },
      async addNode() {},
      async info() {
        return { nodeId, nodes4: nodes, nodes6: 0, port: 0, readOnly: false, stats: {} }
      },
    }
  }

  const dht: FakeDht = { node, reachable: true, calls, items }
  return dht
}
