/** What every DhtNode does, whether the fake in memory or the real one on sockets. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { encode } from '../../src/base/bencode.ts'
import { immutableTarget, mutableTarget, signedBytes } from '../../src/base/bep44.ts'
import { toHex, utf8 } from '../../src/base/bytes.ts'
import { infoHash, type PublicKey, publicKey, target } from '../../src/base/hashes.ts'
import type { DhtNode, PeerAddress, SignedItem } from '../../src/base/ports/dht-node.ts'

export interface Signer {
  key: PublicKey
  item(seq: number, value: Uint8Array, salt?: Uint8Array): SignedItem
}

const NO_SALT = new Uint8Array(0)

export function createSigner(): Signer {
  const pair: { publicKey: KeyObject; privateKey: KeyObject } = generateKeyPairSync('ed25519')
  const der = pair.publicKey.export({ format: 'der', type: 'spki' })
  const key = publicKey(toHex(der.subarray(-32)))
  return {
    key,
    item(seq, value, salt = NO_SALT) {
      const signature = sign(null, signedBytes(salt, seq, value), pair.privateKey)
      return { publicKey: key, salt, seq, value, signature }
    },
  }
}

/** A BEP 46 value whose infohash is 20 times `byte`. */
export const linkValue = (byte: number): Uint8Array => encode({ ih: new Uint8Array(20).fill(byte) })

/** A started network: at least two nodes that know each other. */
export interface Network {
  nodes: readonly [DhtNode, DhtNode, ...DhtNode[]]
  stop(): Promise<void>
}

export async function peersOf(node: DhtNode, hash: string): Promise<PeerAddress[]> {
  const found: PeerAddress[] = []
  for await (const batch of node.peers(infoHash(hash))) found.push(...batch)
  return found
}

export function complyAsDhtNode(name: string, createNetwork: () => Promise<Network>): void {
  describe(`${name} complies as a DHT node`, () => {
    let network: Network
    let a: DhtNode
    let b: DhtNode

    before(async () => {
      network = await createNetwork()
      ;[a, b] = network.nodes
    })
    after(async () => network.stop())

    it('finds the peers that another node announced', async () => {
      const hash = infoHash('11'.repeat(20))
      const outcome = await a.announce(hash, 7001)
      assert.equal(outcome.target, hash)
      assert.ok(outcome.stored > 0)
      const ports = (await peersOf(b, hash)).map((peer) => peer.port)
      assert.ok(ports.includes(7001))
    })

    it('ends a search for peers that nobody announced', async () => {
      assert.deepEqual(await peersOf(a, '22'.repeat(20)), [])
    })

    it('ends a search for peers when its signal aborts', async () => {
      const found: PeerAddress[] = []
      for await (const batch of a.peers(infoHash('11'.repeat(20)), AbortSignal.abort()))
        found.push(...batch)
      assert.deepEqual(found, [])
    })

    it('gets an immutable item that another node put', async () => {
      const value = encode({ text: 'x'.repeat(900) })
      const put = await a.putImmutable(value)
      assert.equal(put.target, immutableTarget(value))
      assert.ok(put.stored > 0)
      const got = await b.getImmutable(put.target)
      assert.deepEqual(got.item && toHex(got.item), toHex(value))
      assert.ok(got.holders >= 1 && got.answered >= 1)
    })

    it('refuses to put a value over 1000 bytes or one that is not bencode', async () => {
      await assert.rejects(a.putImmutable(encode('x'.repeat(998))), {
        code: 'BTL_ERR_DHT_BAD_ITEM',
      })
      await assert.rejects(a.putImmutable(utf8('hello')), { code: 'BTL_ERR_DHT_BAD_ITEM' })
    })

    it('gets the newest mutable item, with and without salt', async () => {
      const signer = createSigner()
      for (const salt of [NO_SALT, utf8('blog')]) {
        for (const seq of [1, 2]) {
          const put = await a.putMutable(signer.item(seq, linkValue(seq), salt))
          assert.equal(put.target, mutableTarget(signer.key, salt))
          assert.ok(put.stored > 0)
        }
        const got = await b.getMutable(signer.key, salt)
        assert.equal(got.item?.seq, 2)
        assert.deepEqual(toHex(got.item.value), toHex(linkValue(2)))
        assert.equal(got.item.publicKey, signer.key)
      }
    })

    it('reports 302 to a put of an older seq, and keeps the newer item', async () => {
      const signer = createSigner()
      await a.putMutable(signer.item(5, linkValue(5)))
      const older = await b.putMutable(signer.item(4, linkValue(4)))
      assert.ok((older.errors[302] ?? 0) > 0)
      assert.equal((await a.getMutable(signer.key, NO_SALT)).item?.seq, 5)
    })

    it('reports 301 to a put whose cas does not match', async () => {
      const signer = createSigner()
      await a.putMutable(signer.item(5, linkValue(5)))
      const outcome = await b.putMutable(signer.item(6, linkValue(6)), 3)
      assert.ok((outcome.errors[301] ?? 0) > 0)
      const matching = await b.putMutable(signer.item(7, linkValue(7)), 5)
      assert.ok(matching.stored > 0)
    })

    it('refuses to put an item whose signature does not hold', async () => {
      const item = createSigner().item(1, linkValue(1))
      const forged = { ...item, value: linkValue(2) }
      await assert.rejects(a.putMutable(forged), { code: 'BTL_ERR_DHT_BAD_ITEM' })
    })

    it('tells that nodes answered where nobody holds an item', async () => {
      const immutable = await a.getImmutable(target('33'.repeat(20)))
      assert.equal(immutable.item, undefined)
      assert.ok(immutable.answered > 0)
      const mutable = await a.getMutable(createSigner().key, NO_SALT)
      assert.equal(mutable.item, undefined)
      assert.ok(mutable.answered > 0)
      assert.equal(mutable.holders, 0)
    })

    it('counts the nodes it knows', async () => {
      const info = await a.info()
      assert.match(info.nodeId, /^[0-9a-f]{40}$/)
      assert.ok(info.nodes4 + info.nodes6 > 0)
    })
  })
}
