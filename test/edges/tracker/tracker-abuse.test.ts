import assert from 'node:assert/strict'
import { infoHash } from '../../../src/base/hashes.ts'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { tempFolder } from '../../support/temp.ts'
import {
  announce,
  announcePacket,
  announceTarget,
  ask,
  dict,
  HASH,
  OTHER_HASH,
  peerId,
  peersOf,
  type Room,
  startRoom,
  testClock,
  textOf,
  udpClient,
} from './room.ts'

const own = () => ({ held: [[HASH, 'part']] as [typeof HASH, 'part'][] })
const HOUR = 3_600_000
const watcher = { port: 9999, id: peerId('watcher'), from: '127.9.9.9' }
const seen = async (room: Room) => peersOf(await announce(room, watcher)).toSorted()

describe('the tracker against those who mean harm', () => {
  it('does not let another address or another key speak for a peer', async (t) => {
    const room = await startRoom(t, own())
    const victim = { port: 6001, id: peerId('victim'), key: '1111' }
    await announce(room, victim)
    const thefts = [
      { ...victim, from: '127.0.0.2', event: 'stopped' },
      { ...victim, key: '2222', event: 'stopped' },
      { ...victim, key: '2222', id: peerId('thief'), left: 0, event: 'completed' },
      { ...victim, key: '2222', event: 'stopped' },
      { ...victim, id: peerId('thief'), key: '2222', event: 'stopped' },
    ]
    for (const theft of thefts) {
      await announce(room, theft)
      assert.deepEqual(await seen(room), ['127.0.0.1:6001'])
    }
    const left = await announce(room, { ...victim, event: 'stopped' })
    assert.equal(left.get('complete'), 0)
    assert.equal(left.get('downloaded'), 0)
    assert.deepEqual(await seen(room), [])
  })

  it('does not let another peer id speak for a peer that has no key', async (t) => {
    const room = await startRoom(t, own())
    await announce(room, { port: 6001, id: peerId('victim') })
    await announce(room, { port: 6001, id: peerId('thief'), event: 'stopped' })
    assert.deepEqual(await seen(room), ['127.0.0.1:6001'])
    const client = await udpClient(t, room.tracker.udpPort)
    await client.exchange(
      announcePacket(await client.connect(), { port: 6001, id: peerId('thief'), event: 3, key: 5 }),
    )
    assert.deepEqual(await seen(room), ['127.0.0.1:6001'])
  })

  it('gives the port to a client that came back with a new key once the old one is silent', async (t) => {
    const room = await startRoom(t, own())
    const peer = { port: 6001, id: peerId('before'), key: '1111' }
    await announce(room, peer)
    const again = { port: 6001, id: peerId('after'), key: '2222' }
    await announce(room, again)
    room.clock.pass(31 * 60_000)
    await announce(room, again)
    await announce(room, { ...peer, event: 'stopped' })
    assert.deepEqual(await seen(room), ['127.0.0.1:6001'])
    await announce(room, { ...again, event: 'stopped' })
    assert.deepEqual(await seen(room), [])
  })

  it('forgets silent peers after less than two intervals, and empty swarms with them', async (t) => {
    const room = await startRoom(t, { config: { access: 'open' } })
    await announce(room, { port: 6001, id: peerId('a') })
    await announce(room, { port: 6001, id: peerId('a'), hash: OTHER_HASH })
    room.clock.pass(HOUR - 60_000)
    await announce(room, { port: 6001, id: peerId('a') })
    // The upkeep looks at the swarms in turn, one round a minute; here there are two of them.
    await new Promise((done) => setTimeout(done, 3200))
    assert.equal(room.tracker.stats()['peers'], 1)
    assert.equal(room.tracker.stats()['swarms'], 1)
  })

  it('lets no page of a stranger announce for the browser that shows it', async (t) => {
    const room = await startRoom(t, own())
    const target = announceTarget({ port: 22 })
    for (const site of ['cross-site', 'same-site']) {
      const { body } = await ask(room, target, { headers: { 'sec-fetch-site': site } })
      assert.match(body.toString('latin1'), /failure reason\d+:pages announce over WebSocket/)
    }
    assert.deepEqual(await seen(room), [])
    // Typed into the address bar by who looks whether it works.
    await ask(room, target, { headers: { 'sec-fetch-site': 'none' } })
    assert.deepEqual(await seen(room), ['127.0.0.1:22'])
  })

  it('says that a list of torrents is of no use without `access: list`', async (t) => {
    const allowed = [OTHER_HASH]
    const room = await startRoom(t, { config: { access: 'own', allowed } })
    assert.deepEqual(room.log.warnings, ['tracker.allowed does nothing without `access: list`'])
    const listed = await startRoom(t, { config: { access: 'list', allowed } })
    assert.deepEqual(listed.log.warnings, [])
  })

  it('opens no swarm for who has no room in it', async (t) => {
    const room = await startRoom(t, { config: { access: 'open', max_peers_per_address: 5 } })
    for (let i = 0; i < 30; i++) {
      const hash = infoHash(i.toString(16).padStart(40, '0'))
      await announce(room, { port: 6001, id: peerId('a'), hash })
    }
    assert.equal(room.tracker.stats()['peers'], 5)
    assert.equal(room.tracker.stats()['swarms'], 5)
  })

  it('keeps its peers when the clock of the system is set', async (t) => {
    const room = await startRoom(t, { ...own(), deps: { ticks: () => performance.now() } })
    await announce(room, { port: 6001, id: peerId('a') })
    // A box without a battery for its clock starts in 1970.
    room.clock.pass(56 * 365 * 24 * HOUR)
    await new Promise((done) => setTimeout(done, 2200))
    assert.deepEqual(await seen(room), ['127.0.0.1:6001'])
  })

  it('keeps who is there, and every torrent of the box, when somebody fills it with made-up infohashes', async (t) => {
    const room = await startRoom(t, {
      ...own(),
      config: {
        access: 'open',
        max_torrents: 200,
        max_peers_per_address: 150,
        requests_per_second: 0,
      },
    })
    await announce(room, { port: 6001, id: peerId('honest'), hash: OTHER_HASH })
    for (let i = 0; i < 400; i++) {
      const hash = randomBytes(20).toString('hex')
      await announce(room, { hash, from: i % 2 === 0 ? '127.0.0.7' : '127.0.0.8', port: 7000 })
    }
    const stats = room.tracker.stats()
    assert.equal(stats['swarms'], 200)
    assert.ok((stats['refused_full'] ?? 0) >= 200)
    const honest = await announce(room, { ...watcher, hash: OTHER_HASH })
    assert.deepEqual(peersOf(honest), ['127.0.0.1:6001'])
    const full = await announce(room, { hash: randomBytes(20).toString('hex') })
    assert.match(textOf(full, 'failure reason'), /no room/)
    // One of the box still finds a place.
    const box = await announce(room, { port: 6002, id: peerId('box') })
    assert.equal(box.get('failure reason'), undefined)
    assert.deepEqual(await seen(room), ['127.0.0.1:6002'])
    assert.equal((await room.tracker.health()).status, 'degraded')
  })

  it('lists one address a bounded number of times, in one swarm and in all', async (t) => {
    const room = await startRoom(t, {
      ...own(),
      config: { access: 'open', max_peers_per_address: 60, requests_per_second: 0 },
    })
    for (let i = 0; i < 80; i++) await announce(room, { port: 1000 + i, id: peerId(`x${i}`) })
    assert.equal(room.tracker.stats()['peers'], 50)
    const refused = await announce(room, { port: 3000, id: peerId('x') })
    assert.match(textOf(refused, 'warning message'), /no room/)
    for (let i = 0; i < 20; i++) await announce(room, { hash: randomBytes(20).toString('hex') })
    assert.equal(room.tracker.stats()['peers'], 60)
    assert.equal(peersOf(await announce(room, watcher)).length, 50)
  })

  it('counts an IPv6 /64 as one address', async (t) => {
    const room = await startRoom(t, {
      ...own(),
      config: {
        trusted_proxies: ['127.0.0.1'],
        requests_per_second: 0,
        max_peers_per_address: 10,
      },
    })
    for (let i = 1; i <= 30; i++) await announce(room, { as: `2001:db8::${i}`, id: peerId(`${i}`) })
    assert.equal(room.tracker.stats()['peers'], 10)
  })

  it('makes room for a peer of a full swarm only where another missed its announce', async (t) => {
    const room = await startRoom(t, {
      ...own(),
      config: { max_peers_per_torrent: 2, requests_per_second: 0 },
    })
    await announce(room, { port: 6001, id: peerId('a') })
    await announce(room, { port: 6002, id: peerId('b') })
    const third = { port: 6003, id: peerId('c') }
    assert.match(textOf(await announce(room, third), 'warning message'), /no room/)
    room.clock.pass(37 * 60_000)
    await announce(room, { port: 6001, id: peerId('a') })
    assert.equal((await announce(room, third)).get('warning message'), undefined)
    assert.deepEqual(peersOf(await announce(room, { port: 6001, id: peerId('a') })), [
      '127.0.0.1:6003',
    ])
  })

  it('answers an address that asks too often with when to retry, over HTTP and UDP', async (t) => {
    const room = await startRoom(t, {
      ...own(),
      config: { requests_per_second: 1, burst: 5 },
    })
    const answers = []
    for (let i = 0; i < 8; i++) answers.push(await announce(room))
    assert.equal(answers[4]?.get('failure reason'), undefined)
    const last = answers.at(-1)
    assert.ok(last)
    assert.match(textOf(last, 'failure reason'), /too many requests/)
    assert.equal(last.get('retry in'), 1)
    const client = await udpClient(t, room.tracker.udpPort)
    const reply = await client.exchange(announcePacket(await client.connect()))
    assert.equal(reply?.readUInt32BE(0), 3)
    // Whoever sends rubbish pays as well.
    const rubbish = dict((await ask(room, '/announce')).body)
    assert.match(textOf(rubbish, 'failure reason'), /too many requests/)
    assert.equal((await announce(room, watcher)).get('failure reason'), undefined)
    room.clock.pass(10_000)
    assert.equal((await announce(room)).get('failure reason'), undefined)
  })

  it('writes no line for announces, good or bad', async (t) => {
    const room = await startRoom(t, own())
    await announce(room)
    await ask(room, '/announce?nonsense')
    const client = await udpClient(t, room.tracker.udpPort)
    await client.exchange(announcePacket(Buffer.alloc(8)), 50)
    assert.deepEqual(room.log.warnings, [])
  })
})

describe('the memory of the tracker', () => {
  const peer = { port: 6001, id: peerId('kept'), key: '77', left: 0 }

  async function filled(t: Parameters<typeof startRoom>[0]) {
    const clock = testClock()
    const room = await startRoom(t, { ...own(), clock })
    await announce(room, { ...peer, event: 'completed' })
    await announce(room, { port: 6002, id: peerId('leech'), host: '::1' })
    return {
      room,
      clock,
      restart: () => startRoom(t, { ...own(), clock, statePath: room.statePath }),
    }
  }

  it('has peers and completed counts after a restart, and who owns them', async (t) => {
    const { room, restart } = await filled(t)
    await room.stop()
    const again = await restart()
    assert.deepEqual(await seen(again), ['127.0.0.1:6001', '[0:0:0:0:0:0:0:1]:6002'])
    const theft = await announce(again, { ...peer, key: '78', event: 'stopped' })
    assert.equal(theft.get('complete'), 1)
    assert.equal(theft.get('downloaded'), 1)
    const once = await announce(again, { ...peer, event: 'completed' })
    assert.equal(once.get('downloaded'), 1)
    assert.equal((await announce(again, { ...peer, event: 'stopped' })).get('complete'), 0)
  })

  it('drops peers that would have expired while it was off, and keeps the count', async (t) => {
    const { room, clock, restart } = await filled(t)
    await room.stop()
    clock.pass(HOUR)
    const again = await restart()
    assert.equal(again.tracker.stats()['peers'], 0)
    assert.equal((await announce(again, watcher)).get('downloaded'), 1)
  })

  it('starts empty, with one warning, from every kind of broken file', async (t) => {
    const { room, restart } = await filled(t)
    await room.stop()
    const path = join(room.statePath, 'swarms.benc')
    const good = await readFile(path)
    const flipped = Buffer.from(good)
    const at = good.length - 30
    flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at)
    const shelf: [string, Buffer][] = [
      ['empty', Buffer.alloc(0)],
      ['cut', good.subarray(0, good.length >> 1)],
      ['a flipped bit', flipped],
      ['another format', Buffer.from('{"at":1}')],
      ['another dictionary', Buffer.from('d2:ati1ee')],
      ['huge', Buffer.alloc(9_000_000)],
      ['noise', randomBytes(500)],
    ]
    for (const [what, bytes] of shelf) {
      await writeFile(path, bytes)
      const again = await restart()
      assert.equal(again.tracker.stats()['peers'], 0, what)
      assert.equal(again.log.warnings.length, 1, what)
      await announce(again)
      await writeFile(path, bytes)
      await again.stop()
    }
    assert.equal((await restart()).tracker.stats()['peers'], 1)
  })

  it('has the last whole file after it was killed while it wrote the next', async (t) => {
    const { room, restart } = await filled(t)
    await room.stop()
    await writeFile(join(room.statePath, 'swarms.benc.tmp'), 'half of it')
    const again = await restart()
    assert.equal(again.tracker.stats()['peers'], 2)
    assert.deepEqual(again.log.warnings, [])
  })

  it('leaves nothing behind where nothing happened', async (t) => {
    const room = await startRoom(t, own())
    await room.stop()
    await assert.rejects(readFile(join(room.statePath, 'swarms.benc')), { code: 'ENOENT' })
  })

  it('warns once and goes on where it cannot write', async (t) => {
    const file = join(await tempFolder(t), 'file')
    await writeFile(file, 'in the way')
    const room = await startRoom(t, { ...own(), statePath: join(file, 'tracker') })
    assert.equal((await ask(room, announceTarget())).status, 200)
    await room.stop()
    assert.deepEqual(room.log.warnings, [
      'the saved swarms cannot be used: the tracker starts without',
      'the swarms cannot be saved',
    ])
  })
})
