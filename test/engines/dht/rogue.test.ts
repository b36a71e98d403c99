import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { encode } from '../../../src/base/bencode.ts'
import { immutableTarget, mutableTarget } from '../../../src/base/bep44.ts'
import { EMPTY, fromHex, utf8 } from '../../../src/base/bytes.ts'
import type { SignedItem } from '../../../src/base/ports/dht-node.ts'
import { createSigner, linkValue, peersOf } from '../../compliance/dht-node.ts'
import { until } from '../../support/until.ts'
import { freshHost, startNetwork, startNode, type TestNode } from './network.ts'
import { packNodes, type RawNode, type RawReply, startRawNode } from './raw-node.ts'

/** An id right beside the target, so that every lookup ends at this node. */
const beside = (target: string, last: number): Uint8Array => {
  const id = fromHex(target)
  id[19] = (id[19] ?? 0) ^ last
  return id
}

const wire = (item: SignedItem): RawReply => ({
  fields: { token: 'token', k: fromHex(item.publicKey), sig: item.signature, seq: item.seq },
  raw: { v: item.value },
})

/** A node of ours that knows honest nodes and a few rogues, all of which answer gets with `reply`. */
async function amongRogues(
  t: TestContext,
  target: string,
  reply: RawReply,
): Promise<{ reader: TestNode; writer: TestNode; rogues: RawNode[] }> {
  const network = await startNetwork(4)
  t.after(async () => network.stop())
  const rogues: RawNode[] = []
  for (let at = 1; at <= 3; at++) {
    const rogue = await startRawNode(beside(target, at), ({ question }) =>
      question.method === 'get' ? reply : { fields: { token: 'token' } },
    )
    t.after(rogue.stop)
    rogues.push(rogue)
  }
  const reader = await startNode({
    bootstrap_nodes: [...network.nodes, ...rogues].map(({ address }) => address),
  })
  t.after(reader.stop)
  await until('the reader knows all', async () => (await reader.node.info()).nodes4 >= 7)
  const [writer] = network.nodes
  assert.ok(writer)
  return { reader, writer, rogues }
}

describe('what rogue nodes return', () => {
  it('is refused when its hash is wrong, and the true value is found', async (t) => {
    const value = encode('the truth')
    const target = immutableTarget(value)
    const { reader, writer } = await amongRogues(t, target, { raw: { v: encode('a lie') } })
    const none = await reader.node.getImmutable(target)
    assert.equal(none.item, undefined)
    assert.equal(none.rejected, 3)
    await writer.node.putImmutable(value)
    const got = await reader.node.getImmutable(target)
    assert.deepEqual(got.item, Uint8Array.from(value))
  })

  it('is refused when its signature is wrong', async (t) => {
    const signer = createSigner()
    const honest = signer.item(1, linkValue(1))
    const forged = { ...honest, seq: 99, value: linkValue(2) }
    const { reader, writer } = await amongRogues(t, mutableTarget(signer.key, EMPTY), wire(forged))
    await writer.node.putMutable(honest)
    const got = await reader.node.getMutable(signer.key, EMPTY)
    assert.equal(got.item?.seq, 1)
    assert.equal(got.rejected, 3)
  })

  it('is refused when another key or salt signed it', async (t) => {
    const signer = createSigner()
    for (const lie of [
      createSigner().item(9, linkValue(2)),
      signer.item(9, linkValue(2), utf8('s')),
    ]) {
      const { reader } = await amongRogues(t, mutableTarget(signer.key, EMPTY), wire(lie))
      const got = await reader.node.getMutable(signer.key, EMPTY)
      assert.equal(got.item, undefined)
      assert.equal(got.rejected, 3)
      assert.ok(got.answered > 3)
    }
  })

  it('is refused when it is over 1000 bytes, correctly signed or not', async (t) => {
    const signer = createSigner()
    const large = signer.item(9, encode('x'.repeat(1200)))
    const { reader } = await amongRogues(t, mutableTarget(signer.key, EMPTY), wire(large))
    const got = await reader.node.getMutable(signer.key, EMPTY)
    assert.equal(got.item, undefined)
    assert.equal(got.rejected, 3)
  })

  it('is passed over when it is an older item, and those nodes are told the newer one', async (t) => {
    const signer = createSigner()
    const older = signer.item(1, linkValue(1))
    const { reader, writer, rogues } = await amongRogues(
      t,
      mutableTarget(signer.key, EMPTY),
      wire(older),
    )
    await writer.node.putMutable(signer.item(2, linkValue(2)))
    for (const rogue of rogues) rogue.queries.length = 0
    const got = await reader.node.getMutable(signer.key, EMPTY)
    assert.equal(got.item?.seq, 2)
    await until('the older holders are told', () =>
      rogues.every(({ queries }) =>
        queries.some(({ question }) => question.method === 'put' && question.item.seq === 2),
      ),
    )
  })

  it('is harmless when it is endless fictitious nodes', async (t) => {
    const target = '55'.repeat(20)
    let told = 0
    const fiction = (): RawReply => ({
      fields: {
        token: 'token',
        nodes: packNodes(
          Array.from({ length: 60 }, () => ({
            id: beside(target, ++told & 255),
            host: freshHost(),
            port: 9,
          })),
        ),
      },
    })
    const rogue = await startRawNode(beside(target, 1), fiction)
    t.after(rogue.stop)
    const { node, stop } = await startNode({ bootstrap_nodes: [rogue.address] })
    t.after(stop)
    await until('it knows the rogue', async () => (await node.info()).nodes4 === 1)
    const before = (await node.info()).stats['packets_sent'] ?? 0
    assert.deepEqual(await peersOf(node, target), [])
    const sent = ((await node.info()).stats['packets_sent'] ?? 0) - before
    assert.ok(sent <= 250, `${sent} packets`)
  })

  it('never becomes a peer when it is a loopback address and only the internet is allowed', async (t) => {
    const hash = '66'.repeat(20)
    const network = await startNetwork(2)
    t.after(async () => network.stop())
    const [a, b] = network.nodes
    assert.ok(a && b)
    const strict = await startNode({ bootstrap_nodes: [a.address], allow_local: false })
    t.after(strict.stop)
    const outcome = await strict.node.getMutable(createSigner().key, EMPTY)
    assert.equal(outcome.asked, 0)
    assert.deepEqual(await peersOf(strict.node, hash), [])
  })
})
