import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it, type TestContext } from 'node:test'
import { encode } from '../../../src/base/bencode.ts'
import { toHex, utf8 } from '../../../src/base/bytes.ts'
import { infoHash, publicKey, target } from '../../../src/base/hashes.ts'
import { createSigner, linkValue, peersOf } from '../../compliance/dht-node.ts'
import { type LibtorrentPeer, libtorrentNode, PYTHON } from '../../support/libtorrent.ts'
import { COMPILER, LIBTORRENT_HEADERS, ltGet, ltPut } from '../../support/lt-bep46.ts'
import { missing } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { freshHost, startNetwork, startNode, type TestNetwork } from './network.ts'

const listen = (): string => `${freshHost()}:0`

describe('the DHT node and libtorrent', { skip: missing(COMPILER, LIBTORRENT_HEADERS) }, () => {
  let network: TestNetwork
  let bootstrap: string

  before(async () => {
    network = await startNetwork(12)
    bootstrap = network.nodes[0]?.address ?? ''
  })
  after(async () => network.stop())

  it('gets the BEP 46 items that libtorrent puts into our nodes, and its updates', async () => {
    const reader = network.nodes.at(-1)?.node
    const seed = toHex(randomBytes(32))
    for (const salt of ['', 'blog']) {
      for (const seq of [1, 2]) {
        const hash = toHex(new Uint8Array(20).fill(seq))
        const put = await ltPut({ bootstrap, listen: listen(), salt, infoHash: hash, seed })
        assert.equal(put.seq, seq)
        assert.ok(put.stored >= 8)
        const got = await reader?.getMutable(publicKey(put.key), utf8(salt))
        assert.equal(got?.item?.seq, seq)
        assert.equal(toHex(got.item.value), toHex(linkValue(seq)))
      }
    }
  })

  it('puts BEP 46 items that libtorrent gets from our nodes', async () => {
    const writer = network.nodes.at(-1)?.node
    const signer = createSigner()
    for (const salt of ['', 'blog']) {
      await writer?.putMutable(signer.item(7, linkValue(3), utf8(salt)))
      const got = await ltGet({ bootstrap, listen: listen(), salt, key: signer.key })
      assert.deepEqual(got, { ih: '03'.repeat(20), seq: 7 })
    }
  })
})

describe('the DHT node among libtorrent nodes only', { skip: missing(PYTHON) }, () => {
  async function libtorrentNetwork(t: TestContext): Promise<[LibtorrentPeer[], string]> {
    const host = freshHost()
    const first = await libtorrentNode(t, { host })
    const bootstrap = `${host}:${first.port}`
    const others = await Promise.all(
      [1, 2].map(async () => libtorrentNode(t, { host: freshHost(), dhtNodes: [bootstrap] })),
    )
    return [[first, ...others], bootstrap]
  }

  it('reads and writes peers and items through them', async (t) => {
    const [[first], bootstrap] = await libtorrentNetwork(t)
    const a = await startNode({ bootstrap_nodes: [bootstrap] })
    const b = await startNode({ bootstrap_nodes: [bootstrap], read_only: 'on' })
    t.after(async () => Promise.all([a.stop(), b.stop()]))
    await until('both know the libtorrent nodes', async () => {
      const infos = await Promise.all([a.node.info(), b.node.info()])
      return infos.every((info) => info.nodes4 >= 3)
    })

    const hash = infoHash(toHex(randomBytes(20)))
    assert.ok((await a.node.announce(hash, 5003)).stored >= 3)
    assert.deepEqual(
      (await peersOf(b.node, hash)).map((peer) => peer.port),
      [5003],
    )
    first?.command('get_peers', { infohash: hash })
    const said = await first?.event<{ peers: string[] }>('peers', ({ peers }) => peers.length > 0)
    assert.deepEqual(said?.peers, [`${a.host}:5003`])

    first?.command('put', { value: 'from libtorrent' })
    const put = await first?.event<{ target: string; stored: number }>('put')
    assert.ok(put && put.stored > 0)
    const immutable = await a.node.getImmutable(target(put.target))
    assert.equal(immutable.item && toHex(immutable.item), toHex(encode('from libtorrent')))

    const signer = createSigner()
    const stored = await a.node.putMutable(signer.item(1, linkValue(1), utf8('s')))
    assert.ok(stored.stored >= 3)
    const got = await b.node.getMutable(signer.key, utf8('s'))
    assert.equal(got.item?.seq, 1)
    assert.ok(got.holders >= 3)
  })
})
