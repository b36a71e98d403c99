import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { toHex, utf8 } from '../../../src/base/bytes.ts'
import { systemClock } from '../../../src/base/ports/clock.ts'
import type { Contact, Response } from '../../../src/engines/dht/krpc.ts'
import { lookup, type LookupOptions } from '../../../src/engines/dht/lookup.ts'
import { compareDistance, secureId } from '../../../src/engines/dht/node-id.ts'
import { createRoutingTable, QUESTIONABLE_MS } from '../../../src/engines/dht/routing-table.ts'
import type { Outcome } from '../../../src/engines/dht/rpc.ts'

const TARGET = randomBytes(20)

/** A world of nodes that each know some others, the closer the better. */
function createWorld(count: number, dead: (at: number) => boolean) {
  const nodes: Contact[] = Array.from({ length: count }, (_, at) => ({
    id: randomBytes(20),
    host: `9.${at >> 8}.${at & 255}.1`,
    port: 1000,
  }))
  nodes.sort((a, b) => compareDistance(TARGET, a.id, b.id))
  const byHost = new Map(nodes.map((node, at) => [node.host, { node, at }]))
  let asked = 0
  const ask: LookupOptions['ask'] = async (to, sent): Promise<Outcome> => {
    sent()
    asked++
    const known = byHost.get(to.host)
    if (!known || dead(known.at)) {
      await sleep(1000, undefined, { ref: false })
      return { kind: 'silence' }
    }
    await sleep(5)
    const from = Math.floor(known.at / 3)
    const told = nodes.slice(from, from + 8)
    const response: Response = {
      kind: 'response',
      transaction: utf8('aa'),
      id: known.node.id,
      nodes: told,
      nodes6: [],
      peers: [],
      badItem: false,
    }
    return response
  }
  return { nodes, ask, asked: () => asked }
}

const options = (world: ReturnType<typeof createWorld>): LookupOptions => ({
  target: TARGET,
  width: 8,
  parallel: 6,
  seeds: world.nodes.slice(-8),
  ask: world.ask,
  patienceMs: () => 40,
  nodesOf: (response) => response.nodes,
  stillWanting: () => false,
})
const keys = (nodes: readonly { id: Uint8Array }[]) => nodes.map(({ id }) => toHex(id))

describe('a lookup', () => {
  it('ends at the eight closest nodes', async () => {
    const world = createWorld(500, () => false)
    const { closest, asked } = await lookup(options(world))
    const found = closest.slice(0, 8).map(({ contact }) => contact)
    assert.deepEqual(keys(found), keys(world.nodes.slice(0, 8)))
    assert.ok(asked < 80)
  })

  it('ends at the closest living nodes without waiting for time-outs of dead ones', async () => {
    const dead = (at: number) => at % 3 === 1
    const world = createWorld(500, dead)
    // The world answers silence after a second; a lookup that waited would not win.
    const late = sleep(900, 'late' as const)
    const outcome = await Promise.race([lookup(options(world)), late])
    assert.ok(outcome !== 'late')
    const living = world.nodes.filter((_, at) => !dead(at))
    const found = outcome.closest.slice(0, 6).map(({ contact }) => contact)
    assert.deepEqual(keys(found), keys(living.slice(0, 6)))
  })

  it('waits for slow nodes while it has found nothing', async () => {
    const world = createWorld(3, () => false)
    const ask: LookupOptions['ask'] = async (to, sent) => {
      sent()
      await sleep(150)
      return world.ask(to, () => undefined)
    }
    const { answered } = await lookup({ ...options(world), ask, stillWanting: () => true })
    assert.equal(answered, 3)
  })

  it('ends early when told that it is enough', async () => {
    const world = createWorld(500, () => false)
    const { answered } = await lookup({ ...options(world), onAnswer: () => true })
    assert.equal(answered, 1)
  })

  it('ends with its signal, and at once when there is nobody to ask', async () => {
    const world = createWorld(10, () => true)
    const { answered } = await lookup(
      { ...options(world), stillWanting: () => true },
      AbortSignal.timeout(50),
    )
    assert.equal(answered, 0)
    assert.deepEqual(await lookup({ ...options(world), seeds: [] }), {
      asked: 0,
      answered: 0,
      closest: [],
    })
  })
})

describe('the routing table', () => {
  const clockAt = () => {
    const clock = { at: systemClock.now(), now: () => clock.at }
    return clock
  }
  const contact = (at: number, id: Uint8Array = randomBytes(20)): Contact => ({
    id,
    host: `9.${(at >> 8) & 255}.${at & 255}.1`,
    port: 1000,
  })

  it('stays small whatever is offered', () => {
    const table = createRoutingTable(new Uint8Array(20), clockAt())
    for (let at = 0; at < 5000; at++) table.answered(contact(at))
    assert.ok(table.size() > 200 && table.size() < 400)
  })

  it('gives the closest nodes first', () => {
    const table = createRoutingTable(new Uint8Array(20), clockAt())
    for (let at = 0; at < 100; at++) table.answered(contact(at))
    const expected = table.all().sort((a, b) => compareDistance(TARGET, a.id, b.id))
    assert.deepEqual(keys(table.closest(TARGET, 8)), keys(expected.slice(0, 8)))
  })

  it('holds one node a public host', () => {
    const table = createRoutingTable(new Uint8Array(20), clockAt())
    for (let port = 1; port < 50; port++)
      table.answered({ id: randomBytes(20), host: '9.9.9.9', port })
    assert.equal(table.size(), 1)
  })

  it('drops a node after three silences, and lets a spare take its place', () => {
    const table = createRoutingTable(new Uint8Array(20), clockAt())
    const alone = contact(1)
    table.answered(alone)
    for (let times = 0; times < 3; times++) table.failed(alone)
    assert.equal(table.size(), 0)
    // Bucket 0 takes 128; the rest are spares.
    const far = (at: number) =>
      contact(
        at,
        Uint8Array.from(randomBytes(20), (b, i) => (i ? b : b | 128)),
      )
    for (let at = 0; at < 140; at++) table.answered(far(at))
    assert.equal(table.size(), 128)
    const [first] = table.all()
    assert.ok(first)
    table.failed(first)
    assert.equal(table.size(), 128)
    assert.ok(!table.has(first))
  })

  it('prefers ids that fit their address (BEP 42)', () => {
    const own = Uint8Array.from(new Uint8Array(20))
    const table = createRoutingTable(own, clockAt())
    for (let at = 0; at < 2000; at++) table.answered(contact(at))
    const plain = table.all().filter((node) => node.secure).length
    for (let at = 3000; at < 3600; at++) {
      const node = contact(at)
      table.answered({ ...node, id: secureId(node.host, randomBytes) })
    }
    assert.ok(table.all().filter((node) => node.secure).length > plain + 100)
  })

  it('keeps silent nodes while the line is down, and asks them when there are no others', () => {
    const table = createRoutingTable(new Uint8Array(20), clockAt())
    for (let at = 0; at < 10; at++) table.answered(contact(at))
    for (const node of table.all()) for (let times = 0; times < 5; times++) table.failed(node, true)
    assert.equal(table.size(), 10)
    assert.equal(table.closest(TARGET, 8).length, 8)
    const [first] = table.all()
    assert.ok(first)
    table.answered(first)
    assert.equal(table.closest(TARGET, 8).length, 1)
  })

  it('does not let a talker in that never answered', () => {
    const table = createRoutingTable(new Uint8Array(20), clockAt())
    table.asked(contact(1))
    assert.ok(table.wants(contact(1)))
    assert.equal(table.size(), 0)
  })

  it('names silent nodes and quiet buckets after 15 minutes', () => {
    const clock = clockAt()
    const table = createRoutingTable(new Uint8Array(20), clock)
    for (let at = 0; at < 20; at++) table.answered(contact(at))
    assert.equal(table.questionable().length, 0)
    clock.at += QUESTIONABLE_MS + 1000
    assert.equal(table.questionable().length, 20)
    assert.ok(table.refreshTargets(randomBytes).length > 0)
    assert.equal(table.refreshTargets(randomBytes).length, 0)
  })
})
