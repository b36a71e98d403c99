/** Queries of every kind as strangers send them, and a shelf of broken ones. */
import { type Encodable, encode } from '../../../src/base/bencode.ts'
import { utf8 } from '../../../src/base/bytes.ts'

const ID = new Uint8Array(20).fill(0x61)
const HASH = new Uint8Array(20).fill(0x62)

/** A query written by hand, so that its fields may be anything. */
export const query = (q: Encodable, a: Encodable, more: Record<string, Encodable> = {}) =>
  encode({ t: 'aa', y: 'q', q, a, ...more })

const withId = (args: Record<string, Encodable>): Record<string, Encodable> => ({ id: ID, ...args })

export const goodQueries: Record<string, Uint8Array> = {
  ping: query('ping', withId({})),
  find_node: query('find_node', withId({ target: HASH })),
  'find_node with want': query('find_node', withId({ target: HASH, want: ['n4', 'n6'] })),
  get_peers: query('get_peers', withId({ info_hash: HASH })),
  get: query('get', withId({ target: HASH })),
  'get with seq': query('get', withId({ target: HASH, seq: 3 })),
  announce_peer: query('announce_peer', withId({ info_hash: HASH, token: 'tokentok', port: 1 })),
  put: query('put', withId({ token: 'tokentok', v: 'value' })),
}

/** Eight of these end the process of at least one other DHT node; none may end ours. */
export const brokenDatagrams: Record<string, Uint8Array> = {
  'find_node with an integer target': query('find_node', withId({ target: 5 })),
  'get with an integer target': query('get', withId({ target: 5 })),
  'get with a list as target': query('get', withId({ target: ['a', 'b'] })),
  'get_peers with an integer info_hash': query('get_peers', withId({ info_hash: 5 })),
  'get_peers with a huge info_hash': query('get_peers', withId({ info_hash: 2n ** 62n })),
  'get_peers with a list as info_hash': query('get_peers', withId({ info_hash: [HASH] })),
  'announce_peer with an integer token': query(
    'announce_peer',
    withId({ info_hash: HASH, token: 5, port: 1 }),
  ),
  'put with an integer token': query('put', withId({ token: 5, v: 'x' })),
  'ping without id': query('ping', {}),
  'ping with an id of 19 bytes': query('ping', { id: new Uint8Array(19) }),
  'a query without transaction': encode({ y: 'q', q: 'ping', a: { id: ID } }),
  'an integer as message type': encode({ t: 'aa', y: 5, q: 'ping', a: { id: ID } }),
  'an integer as method': query(5, withId({})),
  'a list as arguments': query('ping', [ID]),
  'lists nested ten thousand deep': utf8('l'.repeat(10_000) + 'e'.repeat(10_000)),
  'a truncated query': query('ping', withId({})).subarray(0, 40),
  'an integer beyond 64 bits': utf8(`d1:ai${'9'.repeat(400)}ee`),
  'a value of 60 KB': query('put', withId({ token: 'tokentok', v: 'x'.repeat(60_000) })),
  'a response that nobody asked for': encode({ t: 'aa', y: 'r', r: { id: ID, nodes: 5 } }),
  'an error that is no list': encode({ t: 'aa', y: 'e', e: 5 }),
  'an empty datagram': new Uint8Array(0),
  'a string longer than the datagram': utf8('d1:t9999999999:a'),
  'a salt that is an integer': query('put', withId({ token: 'tokentok', v: 'x', salt: 5 })),
  'a signature of 63 bytes': query(
    'put',
    withId({ token: 'tokentok', v: 'x', k: new Uint8Array(32), sig: new Uint8Array(63), seq: 1 }),
  ),
}

/** The same bytes with one to four bits flipped, from a small generator that repeats. */
export function* bitFlips(originals: Uint8Array[], count: number): Generator<Uint8Array> {
  let state = 0x9e3779b9
  const next = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  for (let made = 0; made < count; made++) {
    const flipped = Uint8Array.from(originals[made % originals.length] ?? new Uint8Array(1))
    for (let flips = 1 + next(4); flips > 0; flips--) {
      const at = next(flipped.length)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << next(8))
    }
    yield flipped
  }
}
