import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { encode } from '../../../src/base/bencode.ts'
import {
  immutableTarget,
  infoHashOfValue,
  isSignedByOwner,
  mutableTarget,
} from '../../../src/base/bep44.ts'
import { EMPTY, fromHex, utf8 } from '../../../src/base/bytes.ts'
import { publicKey } from '../../../src/base/hashes.ts'
import type { SignedItem } from '../../../src/base/ports/dht-node.ts'
import { createItemStore, wireOf } from '../../../src/engines/dht/item-store.ts'
import {
  createBackgroundBudget,
  createRateLimiter,
  createRecentSet,
} from '../../../src/engines/dht/limits.ts'
import { createPeerStore } from '../../../src/engines/dht/peer-store.ts'
import { createTokens } from '../../../src/engines/dht/tokens.ts'
import { createSigner, linkValue } from '../../compliance/dht-node.ts'

const MINUTE = 60_000
const fakeClock = () => {
  const clock = { at: 1_700_000_000_000, now: () => clock.at }
  return clock
}
const wire = (item: SignedItem) => {
  const target = mutableTarget(item.publicKey, item.salt)
  return wireOf({ target, at: 0, value: item.value, mutable: item })
}
const HASH = randomBytes(20)

describe('the vectors of BEP 44 and 46', () => {
  const key = publicKey('77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548')
  const value = utf8('12:Hello World!')

  it('hold for a mutable item', () => {
    const signature = fromHex(
      '305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01',
    )
    assert.ok(isSignedByOwner({ publicKey: key, salt: EMPTY, seq: 1, value, signature }))
    assert.equal(mutableTarget(key, EMPTY), '4a533d47ec9c7d95b1ad75f576cffc641853b750')
  })

  it('hold for a mutable item with salt', () => {
    const signature = fromHex(
      '6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17ddf9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08',
    )
    const salt = utf8('foobar')
    const item = { publicKey: key, salt, seq: 1, value, signature }
    assert.ok(isSignedByOwner(item))
    assert.equal(mutableTarget(key, salt), '411eba73b6f087ca51a3795d9c8c938d365e32c1')
    const store = createItemStore(10, () => HASH, fakeClock())
    assert.equal(store.put(wire(item), salt), undefined)
    assert.equal(store.put(wire(item), utf8('other'))?.code, 206)
  })

  it('hold for an immutable item', () => {
    assert.equal(immutableTarget(value), 'e5f96f6f38320f0f33959cb4d3d656452117aadb')
  })

  it('hold for the targets of BEP 46', () => {
    const owner = publicKey('8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e')
    assert.equal(mutableTarget(owner, EMPTY), 'cc3f9d90b572172053626f9980ce261a850d050b')
    assert.equal(mutableTarget(owner, utf8('n')), '59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f')
    assert.equal(infoHashOfValue(linkValue(5)), '05'.repeat(20))
  })
})

describe('stored items', () => {
  it('are refused by the codes of BEP 44', () => {
    const store = createItemStore(10, () => HASH, fakeClock())
    const signer = createSigner()
    const put = (item: SignedItem, cas?: number) => store.put(wire(item), item.salt, cas)?.code
    assert.equal(put(signer.item(5, linkValue(1))), undefined)
    assert.equal(put(signer.item(4, linkValue(1))), 302, 'an older seq')
    assert.equal(put(signer.item(5, linkValue(2))), 302, 'the same seq with another value')
    assert.equal(put(signer.item(6, linkValue(2)), 4), 301, 'a cas that does not match')
    assert.equal(put(signer.item(6, linkValue(2)), 5), undefined, 'a cas that matches')
    const long = encode('x'.repeat(997))
    assert.equal(long.length, 1001)
    assert.equal(put(signer.item(7, long)), 205)
    assert.equal(store.put({ value: long }, EMPTY)?.code, 205)
    assert.equal(put(signer.item(7, encode({ a: 'x'.repeat(996) }))), 205, 'a dictionary too')
    assert.equal(put(signer.item(7, linkValue(1), new Uint8Array(65))), 207)
    const item = signer.item(7, linkValue(1))
    assert.equal(put({ ...item, value: linkValue(3) }), 206)
    assert.equal(put({ ...signer.item(7, linkValue(1)), seq: 8 }), 206)
    assert.equal(put(signer.item(-1, linkValue(1))), 203)
    assert.equal(store.get(mutableTarget(signer.key, EMPTY))?.mutable?.seq, 6)
  })

  it('expire after two hours unless put again', () => {
    const clock = fakeClock()
    const store = createItemStore(10, () => HASH, clock)
    const item = createSigner().item(1, linkValue(1))
    const target = mutableTarget(item.publicKey, EMPTY)
    store.put(wire(item), EMPTY)
    clock.at += 119 * MINUTE
    assert.ok(store.get(target))
    assert.equal(store.put(wire(item), EMPTY), undefined)
    clock.at += 119 * MINUTE
    assert.ok(store.get(target), 'the identical put has set its time back')
    clock.at += MINUTE
    assert.equal(store.get(target), undefined)
    assert.equal(store.size(), 0)
  })

  it('make room by giving up those farthest from the node', () => {
    const store = createItemStore(20, () => new Uint8Array(20), fakeClock())
    const targets = Array.from({ length: 200 }, (_, at) => {
      const value = encode(`value ${at}`)
      assert.equal(store.put({ value }, EMPTY), undefined)
      return immutableTarget(value)
    })
    assert.equal(store.size(), 20)
    const kept = store.all().map((item) => item.target)
    const closest = [...targets].sort().slice(0, 19)
    assert.ok(closest.every((target) => kept.includes(target)))
  })

  it('are restored only while they hold', () => {
    const clock = fakeClock()
    const store = createItemStore(10, () => HASH, clock)
    const item = createSigner().item(1, linkValue(1))
    const target = mutableTarget(item.publicKey, EMPTY)
    const stored = { target, at: clock.at, value: item.value, mutable: item }
    store.restore({ ...stored, mutable: { ...item, seq: 9 } })
    store.restore({ ...stored, at: clock.at - 121 * MINUTE })
    store.restore({ target, at: clock.at, value: encode('of another hash') })
    assert.equal(store.size(), 0)
    store.restore(stored)
    assert.equal(store.size(), 1)
  })
})

describe('stored peers', () => {
  const limits = { maxTorrents: 3, maxPeersPerTorrent: 5 }
  const peer = (at: number) => ({ host: `10.0.0.${at}`, port: 1 })

  it('are capped by torrent and in all', () => {
    const store = createPeerStore(limits, fakeClock())
    for (let at = 0; at < 20; at++) store.add('one', peer(at))
    assert.equal(store.sample('one', 4, 100).length, 5)
    for (const hash of ['two', 'three', 'four']) store.add(hash, peer(1))
    assert.equal(store.torrents(), 3)
    assert.deepEqual(store.sample('one', 4, 100), [], 'the oldest had to go')
  })

  it('expire, and one that announces again stays', () => {
    const clock = fakeClock()
    const store = createPeerStore(limits, clock)
    store.add('one', peer(1))
    store.add('one', peer(2))
    clock.at += 30 * MINUTE
    store.add('one', peer(1))
    clock.at += 20 * MINUTE
    assert.deepEqual(store.sample('one', 4, 100), [peer(1)])
    clock.at += 30 * MINUTE
    store.sweep()
    assert.equal(store.torrents(), 0)
  })

  it('are given to askers of their family', () => {
    const store = createPeerStore(limits, fakeClock())
    store.add('one', peer(1))
    store.add('one', { host: '::1', port: 2 })
    assert.deepEqual(store.sample('one', 6, 100), [{ host: '::1', port: 2 }])
  })
})

describe('write tokens', () => {
  it('hold for the address and target they were issued for, five to ten minutes', () => {
    const clock = fakeClock()
    const tokens = createTokens(clock, randomBytes)
    const token = tokens.issue('1.2.3.4', HASH)
    assert.ok(tokens.accepts(token, '1.2.3.4', HASH))
    assert.ok(!tokens.accepts(token, '1.2.3.5', HASH))
    assert.ok(!tokens.accepts(token, '1.2.3.4', randomBytes(20)))
    assert.ok(!tokens.accepts(token.subarray(1), '1.2.3.4', HASH))
    clock.at += 6 * MINUTE
    assert.ok(tokens.accepts(token, '1.2.3.4', HASH), 'after one rotation')
    clock.at += 6 * MINUTE
    assert.ok(!tokens.accepts(token, '1.2.3.4', HASH), 'after two')
  })

  it('are void after a long silence', () => {
    const clock = fakeClock()
    const tokens = createTokens(clock, randomBytes)
    const token = tokens.issue('1.2.3.4', HASH)
    clock.at += 60 * MINUTE
    assert.ok(!tokens.accepts(token, '1.2.3.4', HASH))
  })
})

describe('budgets', () => {
  it('let a key spend its burst, then its rate', () => {
    const clock = fakeClock()
    const limiter = createRateLimiter({ perSecond: 10, burst: 5 }, 100, clock)
    const spend = () => Array.from({ length: 20 }, () => limiter.take('a')).filter(Boolean).length
    assert.equal(spend(), 5)
    clock.at += 300
    assert.equal(spend(), 3)
    assert.ok(limiter.take('b'))
    clock.at -= 100_000
    assert.equal(spend(), 0, 'a clock set back gives nothing')
  })

  it('remember a bounded number of keys', () => {
    const limiter = createRateLimiter({ perSecond: 1, burst: 1 }, 10, fakeClock())
    const recent = createRecentSet(1000, 10, fakeClock())
    for (let at = 0; at < 100; at++) {
      limiter.take(`k${at}`)
      recent.add(`k${at}`)
    }
    assert.equal(limiter.size(), 10)
    assert.equal(recent.size(), 10)
  })

  it('of upkeep allow 300 new endpoints a minute, and the known ones further', async () => {
    const clock = fakeClock()
    const budget = createBackgroundBudget({ perSecond: 1000, burst: 1000 }, clock)
    for (let at = 0; at < 300; at++) assert.ok(await budget.turn(`e${at}`))
    assert.ok(await budget.turn('e5'))
    let allowed: boolean | undefined
    const late = budget.turn('another').then((answer) => {
      allowed = answer
    })
    assert.equal(budget.waiting(), 1)
    clock.at += 61_000
    await late
    assert.equal(allowed, true)
    budget.stop()
    assert.equal(await budget.turn('e1'), false)
  })

  it('of upkeep spread packets over time', async () => {
    const clock = fakeClock()
    const budget = createBackgroundBudget({ perSecond: 25, burst: 60 }, clock)
    let sent = 0
    for (let at = 0; at < 200; at++)
      void budget.turn('e').then((allowed) => (sent += allowed ? 1 : 0))
    await new Promise((done) => setTimeout(done, 60))
    assert.equal(sent, 60)
    clock.at += 1000
    await new Promise((done) => setTimeout(done, 60))
    assert.equal(sent, 85)
    budget.stop()
  })
})
