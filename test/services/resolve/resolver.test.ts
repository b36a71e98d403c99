import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { immutableTarget, nameKey, signedBytes } from '../../../src/base/bep44.ts'
import { encode } from '../../../src/base/bencode.ts'
import { EMPTY, toHex, utf8 } from '../../../src/base/bytes.ts'
import { publicKey, type PublicKey } from '../../../src/base/hashes.ts'
import type { GetOutcome, SignedItem } from '../../../src/base/ports/dht-node.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import type { Site, SiteStore, SiteVersion } from '../../../src/base/ports/store.ts'
import { createResolver, type Resolver } from '../../../src/services/resolve/index.ts'

const config = {
  record_cache: 60_000,
  revalidate_patience: 30,
  lookup_timeout: 200,
  missing_cache: 30_000,
  max_cached_names: 16,
}

interface Owner {
  key: PublicKey
  privateKey: KeyObject
}

function newOwner(): Owner {
  const pair = generateKeyPairSync('ed25519')
  const der = pair.publicKey.export({ type: 'spki', format: 'der' })
  return { key: publicKey(toHex(der.subarray(12))), privateKey: pair.privateKey }
}

function record(owner: Owner, seq: number, fill: number, salt = EMPTY): SignedItem {
  const value = encode({ ih: new Uint8Array(20).fill(fill) })
  const signature = sign(null, signedBytes(salt, seq, value), owner.privateKey)
  return { publicKey: owner.key, salt, seq, value, signature }
}

/** The part of the site store that the resolver uses, in memory. */
function memorySites(): SiteStore {
  const versions = new Map<string, SiteVersion[]>()
  const sites = new Map<string, Site>()
  const all = (key: PublicKey, salt: Uint8Array) => versions.get(nameKey(key, salt)) ?? []
  const store: Partial<SiteStore> = {
    site: (key, salt) => sites.get(nameKey(key, salt)),
    visited(key, salt, at) {
      sites.set(nameKey(key, salt), {
        publicKey: key,
        salt,
        watched: false,
        pinned: false,
        lastVisitedAt: at,
      })
    },
    latest: (key, salt) => all(key, salt).toSorted((a, b) => b.seq - a.seq)[0],
    versions: (key, salt) => all(key, salt).toSorted((a, b) => b.seq - a.seq),
    remember(version) {
      versions.set(nameKey(version.publicKey, version.salt), [
        ...all(version.publicKey, version.salt),
        version,
      ])
      return true
    },
    confirmed(key, salt, seq, at) {
      for (const version of all(key, salt)) if (version.seq === seq) version.confirmedAt = at
    },
  }
  return store as SiteStore
}

const found = <Item>(item: Item): GetOutcome<Item> => ({
  item,
  asked: 8,
  answered: 8,
  holders: 8,
  rejected: 0,
})
const nobodyHolds = { asked: 8, answered: 8, holders: 0, rejected: 0 }
const nobodyAnswers = { asked: 8, answered: 0, holders: 0, rejected: 0 }

describe('the resolver', () => {
  const owner = newOwner()
  let now = 1_000_000
  let asked = 0
  let answer: (signal?: AbortSignal) => Promise<GetOutcome<SignedItem>>
  let immutableAnswer: () => Promise<GetOutcome<Uint8Array>>
  let sites: SiteStore
  let resolver: Resolver

  beforeEach(() => {
    now = 1_000_000
    asked = 0
    sites = memorySites()
    answer = () => Promise.resolve(nobodyHolds)
    immutableAnswer = () => Promise.resolve(nobodyHolds)
    resolver = createResolver(
      {
        dht: {
          getMutable(_key, _salt, signal) {
            asked++
            return answer(signal)
          },
          getImmutable() {
            asked++
            return immutableAnswer()
          },
        },
        sites,
        clock: { now: () => now },
        log: silentLog,
      },
      config,
    )
  })
  afterEach(() => resolver.stop())

  it('asks the network for an unknown name and keeps the record', async () => {
    answer = () => Promise.resolve(found(record(owner, 3, 7)))
    const resolution = await resolver.resolve(owner.key, EMPTY)
    assert.equal(resolution.infoHash, '07'.repeat(20))
    assert.deepEqual([resolution.seq, resolution.freshness], [3, 'fresh'])
    assert.equal(sites.latest(owner.key, EMPTY)?.seq, 3)
  })

  it('answers a name from its cache for a minute and asks once', async () => {
    answer = () => Promise.resolve(found(record(owner, 3, 7)))
    await resolver.resolve(owner.key, EMPTY)
    now += 59_999
    await resolver.resolve(owner.key, EMPTY)
    assert.equal(asked, 1)
  })

  it('shows a newer version once the cached one is a minute old', async () => {
    answer = () => Promise.resolve(found(record(owner, 3, 7)))
    await resolver.resolve(owner.key, EMPTY)
    now += 60_000
    answer = () => Promise.resolve(found(record(owner, 4, 8)))
    assert.equal((await resolver.resolve(owner.key, EMPTY)).seq, 4)
    assert.deepEqual(
      resolver.versions(owner.key, EMPTY).map((version) => version.seq),
      [4, 3],
    )
  })

  it('never goes back to an older seq', async () => {
    answer = () => Promise.resolve(found(record(owner, 4, 8)))
    await resolver.resolve(owner.key, EMPTY)
    now += 60_000
    answer = () => Promise.resolve(found(record(owner, 3, 7)))
    assert.equal((await resolver.resolve(owner.key, EMPTY)).seq, 4)
  })

  it('asks once however many wait', async () => {
    answer = () =>
      new Promise((resolve) => setTimeout(() => resolve(found(record(owner, 1, 1))), 20))
    const all = await Promise.all(
      Array.from({ length: 50 }, () => resolver.resolve(owner.key, EMPTY)),
    )
    assert.equal(asked, 1)
    assert.ok(all.every((resolution) => resolution.seq === 1))
  })

  it('gives the lookup up when the last waiter leaves, and not before', async () => {
    let given: AbortSignal | undefined
    answer = (signal) => {
      given = signal
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
    }
    const one = new AbortController()
    const two = new AbortController()
    const first = resolver.resolve(owner.key, EMPTY, {}, one.signal)
    const second = resolver.resolve(owner.key, EMPTY, {}, two.signal)
    one.abort()
    await assert.rejects(first, { name: 'AbortError' })
    assert.equal(given?.aborted, false)
    two.abort()
    await assert.rejects(second, { name: 'AbortError' })
    assert.equal(given?.aborted, true)
  })

  it('serves the last known record as stale when nobody answers', async () => {
    answer = () => Promise.resolve(found(record(owner, 3, 7)))
    await resolver.resolve(owner.key, EMPTY)
    now += 3_600_000
    answer = () => Promise.resolve(nobodyAnswers)
    const resolution = await resolver.resolve(owner.key, EMPTY)
    assert.deepEqual([resolution.seq, resolution.freshness], [3, 'stale'])
    await resolver.resolve(owner.key, EMPTY)
    assert.equal(asked, 2, 'an offline house does not ask for every picture')
  })

  it('answers although the visit cannot be noted, as on a full disk', async () => {
    answer = () => Promise.resolve(found(record(owner, 3, 7)))
    sites.visited = () => {
      throw new Error('no space left')
    }
    assert.equal((await resolver.resolve(owner.key, EMPTY)).seq, 3)
    assert.equal((await resolver.resolve(owner.key, EMPTY)).freshness, 'fresh')
  })

  it('serves the known record when the lookup outlasts its patience', async () => {
    answer = () => Promise.resolve(found(record(owner, 3, 7)))
    await resolver.resolve(owner.key, EMPTY)
    now += 60_000
    answer = () =>
      new Promise((resolve) => setTimeout(() => resolve(found(record(owner, 4, 8))), 80))
    assert.equal((await resolver.resolve(owner.key, EMPTY)).freshness, 'stale')
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal((await resolver.resolve(owner.key, EMPTY)).seq, 4)
  })

  it('tells "nobody holds it" from "nobody answers" and remembers the first for a while', async () => {
    await assert.rejects(resolver.resolve(owner.key, EMPTY), { code: 'BTL_ERR_RESOLVE_NOT_FOUND' })
    await assert.rejects(resolver.resolve(owner.key, EMPTY), { code: 'BTL_ERR_RESOLVE_NOT_FOUND' })
    assert.equal(asked, 1)
    now += 30_000
    answer = () => Promise.resolve(nobodyAnswers)
    await assert.rejects(resolver.resolve(owner.key, EMPTY), {
      code: 'BTL_ERR_RESOLVE_UNREACHABLE',
      statusCode: 503,
    })
  })

  it('gives up a lookup that never ends with a timeout', async () => {
    answer = (signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
    await assert.rejects(resolver.resolve(owner.key, EMPTY), {
      code: 'BTL_ERR_RESOLVE_TIMEOUT',
      statusCode: 504,
    })
  })

  it('refuses a record whose signature is of somebody else', async () => {
    answer = () => Promise.resolve(found({ ...record(newOwner(), 3, 7), publicKey: owner.key }))
    await assert.rejects(resolver.resolve(owner.key, EMPTY), {
      code: 'BTL_ERR_RESOLVE_BAD_RECORD',
      statusCode: 502,
    })
    assert.equal(sites.latest(owner.key, EMPTY), undefined)
  })

  it('refuses a signed record that names no infohash', async () => {
    const value = encode({ ih: 'short' })
    const signature = sign(null, signedBytes(EMPTY, 1, value), owner.privateKey)
    answer = () =>
      Promise.resolve(found({ publicKey: owner.key, salt: EMPTY, seq: 1, value, signature }))
    await assert.rejects(resolver.resolve(owner.key, EMPTY), { code: 'BTL_ERR_RESOLVE_BAD_RECORD' })
  })

  it('keeps names with different salts apart', async () => {
    const salt = utf8('blog')
    answer = () => Promise.resolve(found(record(owner, 1, 1, salt)))
    await resolver.resolve(owner.key, salt)
    answer = () => Promise.resolve(nobodyHolds)
    await assert.rejects(resolver.resolve(owner.key, EMPTY), { code: 'BTL_ERR_RESOLVE_NOT_FOUND' })
  })

  it('does not ask the network for a local-only request', async () => {
    await assert.rejects(resolver.resolve(owner.key, EMPTY, { localOnly: true }), {
      statusCode: 412,
    })
    assert.equal(asked, 0)
  })

  it('asks again after the clock jumped back', async () => {
    answer = () => Promise.resolve(found(record(owner, 3, 7)))
    await resolver.resolve(owner.key, EMPTY)
    now = 0
    await resolver.resolve(owner.key, EMPTY)
    assert.equal(asked, 2)
  })

  it('returns an immutable item only when its hash is the target', async () => {
    const value = encode('Hello World!')
    immutableAnswer = () => Promise.resolve(found<Uint8Array>(value))
    assert.deepEqual(await resolver.immutable(immutableTarget(value)), value)
    immutableAnswer = () => Promise.resolve(found<Uint8Array>(encode('something else')))
    await assert.rejects(resolver.immutable(immutableTarget(encode('asked'))), {
      code: 'BTL_ERR_RESOLVE_NOT_FOUND',
    })
  })
})
