import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { encode } from '../../../src/base/bencode.ts'
import { EMPTY, toHex } from '../../../src/base/bytes.ts'
import { decodeMessage } from '../../../src/engines/dht/krpc.ts'
import { infoHash } from '../../../src/base/hashes.ts'
import { createSigner, linkValue, peersOf } from '../../compliance/dht-node.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { createFakeSocket } from './fake-socket.ts'
import { freshHost, startNetwork, startNode } from './network.ts'
import { startRawNode } from './raw-node.ts'

const HOUR = 3_600_000
const movedClock = () => {
  const clock = { ahead: 0, now: () => Date.now() + clock.ahead }
  return clock
}
const knows = async (started: Awaited<ReturnType<typeof startNode>>, count: number) =>
  until('it knows others', async () => (await started.node.info()).nodes4 >= count)

describe('the start of the DHT node', () => {
  it('does not wait for unreachable bootstrap nodes, and finds them when they come', async (t) => {
    const host = freshHost()
    const address = `${host}:6999`
    const early = await startNode(
      { bootstrap_nodes: [address, 'no-such-name.invalid:1'] },
      {
        resolveHost: async () => Promise.reject(new Error('no resolver here')),
      },
    )
    t.after(early.stop)
    assert.equal((await early.node.info()).nodes4, 0)
    assert.equal((await early.node.health()).status, 'degraded')
    const late = await startNode({ bind_address: host, port: 6999 })
    t.after(late.stop)
    await knows(early, 1)
  })

  it('asks names as soon as they resolve', async (t) => {
    const first = await startNode()
    t.after(first.stop)
    let tries = 0
    const second = await startNode(
      { bootstrap_nodes: [`router.test:${first.port}`] },
      {
        resolveHost: async () => (++tries < 3 ? [] : [first.host]),
      },
    )
    t.after(second.stop)
    await knows(second, 1)
    assert.ok(tries >= 3)
  })

  it('lets a lookup right after it wait for the first node', async (t) => {
    const network = await startNetwork(3)
    t.after(async () => network.stop())
    const signer = createSigner()
    const [first] = network.nodes
    await first?.node.putMutable(signer.item(1, linkValue(1)))
    const fresh = await startNode({ bootstrap_nodes: [first?.address ?? ''] })
    t.after(fresh.stop)
    assert.equal((await fresh.node.getMutable(signer.key, EMPTY)).item?.seq, 1)
  })

  it('finds the network of its last run without any bootstrap node', async (t) => {
    const network = await startNetwork(6)
    t.after(async () => network.stop())
    const statePath = await tempFolder(t)
    const options = { bind_address: freshHost() }
    const bootstrap = network.nodes.map(({ address }) => address)
    const before = await startNode({ ...options, bootstrap_nodes: bootstrap }, { statePath })
    await knows(before, 6)
    const signer = createSigner()
    await before.node.putMutable(signer.item(1, linkValue(1)))
    const { nodeId } = await before.node.info()
    await before.stop()
    const again = await startNode(options, { statePath })
    t.after(again.stop)
    await knows(again, 6)
    const info = await again.node.info()
    assert.equal(info.nodeId, nodeId)
    assert.equal(info.stats['stored_items'], 1)
  })

  it('does without a damaged state', async (t) => {
    const statePath = await tempFolder(t)
    await writeFile(join(statePath, 'nodes.benc'), 'd3:id4')
    await writeFile(join(statePath, 'items.benc'), 'd5:itemsl3:abci5eeXX')
    const started = await startNode({}, { statePath })
    await started.stop()
  })

  it('fails with BTL_ERR_DHT_BIND when its port is taken, and can be stopped after', async (t) => {
    const taken = await startNode()
    t.after(taken.stop)
    await assert.rejects(startNode({ bind_address: taken.host, port: taken.port }), {
      code: 'BTL_ERR_DHT_BIND',
    })
  })

  it('is nothing when switched off: nobody is asked', async (t) => {
    const off = await startNode({ enabled: false })
    t.after(off.stop)
    const signer = createSigner()
    assert.equal((await off.node.info()).port, 0)
    assert.equal((await off.node.getMutable(signer.key, EMPTY)).answered, 0)
    assert.equal((await off.node.putMutable(signer.item(1, linkValue(1)))).asked, 0)
    assert.deepEqual(await peersOf(off.node, '11'.repeat(20)), [])
  })
})

describe('the end of the DHT node', () => {
  it('ends every lookup, announce and put that is under way', async (t) => {
    const silent = await startRawNode(randomBytes(20), ({ question }) =>
      question.method === 'find_node' ? {} : undefined,
    )
    t.after(silent.stop)
    const started = await startNode({ bootstrap_nodes: [silent.address] })
    await knows(started, 1)
    const signer = createSigner()
    const underWay = [
      started.node.getMutable(signer.key, EMPTY),
      started.node.putMutable(signer.item(1, linkValue(1))),
      started.node.announce(infoHash('88'.repeat(20)), 1),
      peersOf(started.node, '88'.repeat(20)),
    ]
    await until('the queries are out', () => silent.queries.length >= 4)
    await started.stop()
    await Promise.all(underWay)
    await started.node.stop()
    assert.equal((await started.node.info()).port, 0)
  })
})

describe('the DHT node and its uplink', () => {
  it('knows its nodes still when the line comes back after a long silence', async (t) => {
    const socket = createFakeSocket()
    const clock = movedClock()
    const routers = Array.from({ length: 6 }, (_, at) => `9.${at + 1}.1.1:6881`)
    const started = await startNode(
      { bootstrap_nodes: routers, min_interval: 50 },
      { openSocket: socket.open, clock },
    )
    t.after(started.stop)
    const ids = new Map<string, Uint8Array>()
    let online = true
    const world = setInterval(() => {
      for (const { datagram, host, port } of socket.sent.splice(0)) {
        const message = decodeMessage(datagram)
        if (message?.kind !== 'query' || !online) continue
        const id = ids.get(host) ?? randomBytes(20)
        ids.set(host, id)
        socket.inject(encode({ t: message.transaction, y: 'r', r: { id } }), host, port)
      }
    }, 5)
    t.after(() => clearInterval(world))
    await knows(started, 6)
    online = false
    clock.ahead += HOUR
    const lost = await started.node.getMutable(createSigner().key, EMPTY)
    assert.equal(lost.answered, 0)
    await sleep(3000)
    assert.equal((await started.node.info()).nodes4, 6)
    online = true
    const found = await started.node.getMutable(createSigner().key, EMPTY)
    assert.equal(found.answered, 6)
  })
})

describe('items over time', () => {
  it('are gone two hours after the last put, and live on when another box puts them again', async (t) => {
    const clock = movedClock()
    const network = await startNetwork(8, {}, { clock })
    t.after(async () => network.stop())
    const [publisher, pinner, reader] = network.nodes
    assert.ok(publisher && pinner && reader)
    const pinned = createSigner()
    const forgotten = createSigner()
    await publisher.node.putMutable(pinned.item(3, linkValue(3)))
    await publisher.node.putMutable(forgotten.item(3, linkValue(3)))
    const seen = (await pinner.node.getMutable(pinned.key, EMPTY)).item
    assert.ok(seen)
    await publisher.stop()
    clock.ahead += 1.5 * HOUR
    // No secret here: only the item as its owner signed it.
    assert.ok((await pinner.node.putMutable(seen)).stored >= 5)
    clock.ahead += 1.5 * HOUR
    const got = await reader.node.getMutable(pinned.key, EMPTY)
    assert.equal(got.item?.seq, 3)
    assert.equal(toHex(got.item.signature), toHex(seen.signature))
    const gone = await reader.node.getMutable(forgotten.key, EMPTY)
    assert.equal(gone.item, undefined)
    assert.ok(gone.answered > 0)
  })

  it('are read from the network also by the box that put an older one', async (t) => {
    const network = await startNetwork(8)
    t.after(async () => network.stop())
    const [a, b] = network.nodes
    assert.ok(a && b)
    const signer = createSigner()
    await a.node.putMutable(signer.item(1, linkValue(1)))
    await b.node.putMutable(signer.item(2, linkValue(2)))
    assert.equal((await a.node.getMutable(signer.key, EMPTY)).item?.seq, 2)
  })

  it('are never answered from the own store alone', async (t) => {
    const alone = await startNode()
    t.after(alone.stop)
    const signer = createSigner()
    await alone.node.putMutable(signer.item(1, linkValue(1)))
    const got = await alone.node.getMutable(signer.key, EMPTY)
    assert.equal(got.item, undefined)
    assert.equal(got.answered, 0)
  })

  it('go to at least 17 nodes when there are as many', async (t) => {
    const network = await startNetwork(30)
    t.after(async () => network.stop())
    const writer = network.nodes.at(-1)
    const put = await writer?.node.putMutable(createSigner().item(1, linkValue(1)))
    assert.ok(put && put.stored >= 17, `stored on ${put?.stored}`)
  })
})
