import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  announce,
  announcePacket,
  connectPacket,
  HASH,
  OTHER_HASH,
  peerId,
  peersOf,
  scrapePacket,
  startRoom,
  type UdpClient,
  udpClient,
} from './room.ts'

const own = () => ({ held: [[HASH, 'part']] as [typeof HASH, 'part'][] })

interface Heard {
  interval: number
  incomplete: number
  complete: number
  peers: string[]
}

function readAnnounceReply(reply: Buffer | undefined, stride = 6): Heard {
  assert.ok(reply, 'no reply')
  assert.equal(reply.readUInt32BE(0), 1, reply.toString('latin1'))
  assert.equal(reply.readUInt32BE(4), 9)
  assert.equal((reply.length - 20) % stride, 0)
  const peers: string[] = []
  for (let at = 20; at < reply.length; at += stride) {
    const host = [...reply.subarray(at, at + stride - 2)].join('.')
    peers.push(`${host}:${reply.readUInt16BE(at + stride - 2)}`)
  }
  return {
    interval: reply.readUInt32BE(8),
    incomplete: reply.readUInt32BE(12),
    complete: reply.readUInt32BE(16),
    peers,
  }
}

const errorOf = (reply: Buffer | undefined): string => {
  assert.ok(reply, 'no reply')
  assert.equal(reply.readUInt32BE(0), 3)
  return reply.toString('latin1', 8)
}

async function say(client: UdpClient, what: Parameters<typeof announcePacket>[1]) {
  return client.exchange(announcePacket(await client.connect(), what), 2000)
}

describe('the tracker over UDP', () => {
  it('K06 connects with 16 bytes for 16 bytes and answers announces', async (t) => {
    const room = await startRoom(t, own())
    const client = await udpClient(t, room.tracker.udpPort)
    await say(client, { port: 6001, id: peerId('one'), event: 2 })
    const heard = readAnnounceReply(await say(client, { port: 6002, id: peerId('two'), event: 2 }))
    assert.ok(heard.interval >= 1800 && heard.interval < 1890)
    assert.deepEqual(heard, {
      interval: heard.interval,
      incomplete: 3,
      complete: 0,
      peers: ['127.0.0.1:6001'],
    })
  })

  it('K06 shares its swarms with HTTP', async (t) => {
    const room = await startRoom(t, own())
    const client = await udpClient(t, room.tracker.udpPort)
    await say(client, { port: 6001, id: peerId('udp') })
    const http = await announce(room, { port: 6002, id: peerId('http') })
    assert.deepEqual(peersOf(http), ['127.0.0.1:6001'])
    const heard = readAnnounceReply(await say(client, { port: 6001, id: peerId('udp') }))
    assert.deepEqual(heard.peers, ['127.0.0.1:6002'])
  })

  it('K06 answers IPv6 clients with IPv6 peers of 18 bytes', async (t) => {
    const room = await startRoom(t, own())
    room.box.port = 42_000
    await announce(room, { port: 6001, id: peerId('four') })
    await announce(room, { port: 6002, id: peerId('six'), host: '::1' })
    const client = await udpClient(t, room.tracker.udpPort, '::1')
    const heard = readAnnounceReply(await say(client, { port: 6003, id: peerId('six2') }), 18)
    const loopback = '0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1'
    assert.deepEqual(heard.peers, [`${loopback}:42000`, `${loopback}:6002`])
  })

  it('K06 takes numwant -1 as the default and 0 as none', async (t) => {
    const room = await startRoom(t, { ...own(), config: { requests_per_second: 0 } })
    for (let i = 0; i < 60; i++) {
      await announce(room, { port: 6000, id: peerId(`p${i}`), from: `127.0.1.${i + 1}` })
    }
    const client = await udpClient(t, room.tracker.udpPort)
    const count = async (numwant: number) =>
      readAnnounceReply(await say(client, { numwant, port: 7000, id: peerId('me') })).peers.length
    assert.equal(await count(-1), 50)
    assert.equal(await count(0), 0)
    assert.equal(await count(7), 7)
    assert.equal(await count(2_000_000_000), 60)
  })

  it('K06 never answers with more than 1200 bytes', async (t) => {
    const room = await startRoom(t, {
      ...own(),
      config: { requests_per_second: 0, max_numwant: 1000, default_numwant: 1000 },
    })
    for (let i = 0; i < 250; i++) {
      await announce(room, {
        port: 6000,
        id: peerId(`p${i}`),
        from: `127.0.1.${i + 1}`,
        numwant: 0,
      })
    }
    const client = await udpClient(t, room.tracker.udpPort)
    const reply = await say(client, { numwant: -1, port: 7000, id: peerId('me') })
    assert.ok(reply && reply.length <= 1200 && reply.length > 1190, String(reply?.length))
  })

  it('K06 scrapes up to 74 torrents', async (t) => {
    const room = await startRoom(t, own())
    const client = await udpClient(t, room.tracker.udpPort)
    await say(client, { port: 6001, id: peerId('seed'), left: 0, event: 1 })
    const id = await client.connect()
    const reply = await client.exchange(scrapePacket(id, [OTHER_HASH, HASH]))
    assert.ok(reply)
    assert.equal(reply.toString('hex'), `000000020000000b${'0'.repeat(24)}000000010000000100000001`)
    const many = Array.from({ length: 74 }, () => HASH)
    assert.equal((await client.exchange(scrapePacket(id, many)))?.length, 8 + 74 * 12)
    assert.match(errorOf(await client.exchange(scrapePacket(id, [...many, HASH]))), /74/)
    // No error is longer than what it answers.
    assert.equal(errorOf(await client.exchange(scrapePacket(id, []))), 'a scrape')
    assert.match(
      errorOf(await client.exchange(scrapePacket(id, [HASH]).subarray(0, 30))),
      /a scrape/,
    )
  })

  it('K06 tolerates the options of BEP 41, known, unknown and of older clients', async (t) => {
    const room = await startRoom(t, own())
    const client = await udpClient(t, room.tracker.udpPort)
    const shelf = [
      [0],
      [1, 1, 1],
      [2, 9, ...Buffer.from('/announce')],
      [2, 0, 2, 1, 0x41, 0],
      [77, 3, 1, 2, 3],
      [0, 0],
      [1, 0, 255, 255],
    ]
    for (const options of shelf) {
      readAnnounceReply(await say(client, { options: Uint8Array.from(options) }))
    }
    for (const options of [[2], [2, 9, 1], [200, 1]]) {
      assert.match(errorOf(await say(client, { options: Uint8Array.from(options) })), /options/)
    }
  })

  it('K06 refuses what is out of range with an error no larger than the request', async (t) => {
    const room = await startRoom(t, own())
    const client = await udpClient(t, room.tracker.udpPort)
    assert.match(errorOf(await say(client, { port: 0 })), /port/)
    assert.match(errorOf(await say(client, { event: 5 })), /event/)
    assert.match(errorOf(await say(client, { hash: OTHER_HASH })), /does not track/)
    assert.equal(room.tracker.stats()['refused_not_tracked'], 1)
    assert.equal(room.tracker.stats()['peers'], 0)
  })

  it('K06 takes a connection id for two minutes, from the address it was given to', async (t) => {
    const room = await startRoom(t, own())
    const client = await udpClient(t, room.tracker.udpPort)
    const id = await client.connect()
    const other = await udpClient(t, room.tracker.udpPort, '127.0.0.2')
    assert.equal(await other.exchange(announcePacket(id)), undefined)
    room.clock.pass(119_000)
    readAnnounceReply(await client.exchange(announcePacket(id)))
    room.clock.pass(80_000)
    assert.equal(await client.exchange(announcePacket(id)), undefined)
    assert.equal(room.tracker.stats()['udp_bad_connection'], 2)
  })

  it('K06 says nothing to made-up connection ids, and amplifies nothing before the handshake', async (t) => {
    const room = await startRoom(t, own())
    const client = await udpClient(t, room.tracker.udpPort)
    const made = Buffer.from('0123456789abcdef', 'hex')
    const magic = connectPacket(1).subarray(0, 8)
    const shelf: Buffer[] = [
      announcePacket(made),
      announcePacket(Buffer.alloc(8)),
      announcePacket(magic),
      scrapePacket(made, [HASH]),
      scrapePacket(magic, [HASH]),
      connectPacket(1).subarray(0, 15),
      connectPacket(1).subarray(0, 1),
      Buffer.alloc(0),
      Buffer.concat([made, connectPacket(1).subarray(8)]),
      Buffer.from('d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe'),
      Buffer.alloc(1400, 0xff),
    ]
    for (const packet of shelf) {
      assert.equal(await client.exchange(packet, 60), undefined, packet.toString('hex'))
    }
    // A longer connect gets no longer reply.
    const long = Buffer.concat([connectPacket(3), Buffer.alloc(500)])
    assert.equal((await client.exchange(long))?.length, 16)
    const { udp_bad_connection: bad, udp_malformed: malformed } = room.tracker.stats()
    assert.equal(bad, 5)
    assert.equal(malformed, 6)
  })

  it('K06 gives another id after a restart', async (t) => {
    const room = await startRoom(t, own())
    const first = await (await udpClient(t, room.tracker.udpPort)).connect()
    const again = await startRoom(t, own())
    const second = await (await udpClient(t, again.tracker.udpPort)).connect()
    assert.notDeepEqual(first, second)
  })

  it('K06 is silent where UDP is switched off, and says so where its port is taken', async (t) => {
    const off = await startRoom(t, { config: { udp: false } })
    assert.equal(off.tracker.udpPort, 0)
    const room = await startRoom(t, own())
    await assert.rejects(startRoom(t, { config: { udp_port: room.tracker.udpPort } }), {
      code: 'BTL_ERR_TRACKER_BIND',
    })
  })
})
