import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { encode } from '../../../src/base/bencode.ts'
import { toHex, utf8 } from '../../../src/base/bytes.ts'
import { infoHash, publicKey, target } from '../../../src/base/hashes.ts'
import { createSigner, linkValue, peersOf } from '../../compliance/dht-node.ts'
import { type ForeignNode, startForeignNode } from './foreign-node.ts'
import { edPrivateKey } from './keys.ts'
import { startNode, type TestNode } from './network.ts'

describe('the DHT node among nodes of bittorrent-dht', () => {
  const foreign: ForeignNode[] = []
  let ours: TestNode
  let other: ForeignNode

  before(async () => {
    // Ours is in the middle: every foreign node came in through it.
    ours = await startNode()
    for (let at = 0; at < 20; at++) foreign.push(await startForeignNode([ours.address]))
    const last = foreign.at(-1)
    assert.ok(last)
    other = last
  })
  after(async () => {
    await Promise.all([ours.stop(), ...foreign.map(async (node) => node.stop())])
  })

  it('finds peers that they announced, and they find ours', async () => {
    const theirs = toHex(randomBytes(20))
    await other.announce(theirs, 5001)
    assert.ok((await peersOf(ours.node, theirs)).some((peer) => peer.port === 5001))
    const mine = infoHash(toHex(randomBytes(20)))
    const outcome = await ours.node.announce(mine, 5002)
    assert.ok(outcome.stored >= 8)
    assert.ok((await other.lookup(mine)).some((peer) => peer.port === 5002))
  })

  it('gets their immutable items, and they get ours', async () => {
    const text = 'y'.repeat(500)
    const theirs = await other.put(Buffer.from(text))
    const got = await ours.node.getImmutable(target(theirs))
    assert.equal(got.item && toHex(got.item), toHex(encode(text)))
    const put = await ours.node.putImmutable(encode('from us'))
    assert.ok(put.stored >= 17)
    const found = await other.get(put.target)
    assert.equal(Buffer.from(found?.v as Uint8Array).toString(), 'from us')
  })

  it('gets their BEP 46 items with and without salt, and sees updates', async () => {
    const seed = randomBytes(32)
    const key = publicKey(toHex(edPrivateKey(seed).raw))
    for (const salt of [undefined, 'blog']) {
      for (const seq of [1, 2]) {
        const ih = Buffer.alloc(20, seq)
        await other.put({ ih }, { seed, seq, ...(salt !== undefined && { salt }) })
        const got = await ours.node.getMutable(key, utf8(salt ?? ''))
        assert.equal(got.item?.seq, seq)
        assert.equal(toHex(got.item.value), toHex(linkValue(seq)))
      }
    }
  })

  it('puts BEP 46 items that they get, with and without salt', async () => {
    const signer = createSigner()
    for (const salt of ['', 'blog']) {
      const put = await ours.node.putMutable(signer.item(3, linkValue(9), utf8(salt)))
      assert.ok(put.stored >= 17, `stored on ${put.stored}`)
      const found = await other.get(put.target, salt === '' ? undefined : salt)
      assert.equal(found?.seq, 3)
      assert.equal(toHex((found.v as { ih: Uint8Array }).ih), '09'.repeat(20))
    }
  })
})
