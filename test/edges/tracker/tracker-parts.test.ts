import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decode } from '../../../src/base/bencode.ts'
import { type InfoHash, infoHash } from '../../../src/base/hashes.ts'
import {
  addressBytes,
  addressText,
  HOUSE,
  isNear,
  isVisible,
  LINK,
  LOOPBACK,
  PUBLIC,
  reachOf,
} from '../../../src/edges/tracker/address.ts'
import { createAskers } from '../../../src/edges/tracker/askers.ts'
import { createConnectionIds } from '../../../src/edges/tracker/connection-ids.ts'
import { addToGroup, type Group, removeFromGroup } from '../../../src/edges/tracker/group.ts'
import {
  decodeBytes,
  keyNumber,
  parseAnnounceQuery,
  parseScrapeQuery,
} from '../../../src/edges/tracker/http-query.ts'
import { createPeerTable } from '../../../src/edges/tracker/peer-table.ts'
import { createRateLimit } from '../../../src/edges/tracker/rate-limit.ts'
import { packSwarms, unpackSwarms } from '../../../src/edges/tracker/snapshot.ts'
import { createSteadyClock } from '../../../src/edges/tracker/steady-clock.ts'
import { createSwarms } from '../../../src/edges/tracker/swarms.ts'
import {
  hasSoundOptions,
  readAnnounce,
  readScrape,
} from '../../../src/edges/tracker/udp-packets.ts'
import { announcePacket, announceTarget, escaped, peerId, startRoom, udpClient } from './room.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const ascii = fc.string({ unit: 'binary-ascii', maxLength: 300 })

describe('queries of announces', () => {
  it('decode any 20 bytes however they are escaped', () => {
    fc.assert(
      fc.property(bytes(20), fc.boolean(), fc.boolean(), (source, upper, whole) => {
        const text = Array.from(source, (byte) => {
          const char = String.fromCharCode(byte)
          if (!whole && /[A-Za-z0-9._~!*()'+-]/.test(char)) return char
          const hex = byte.toString(16).padStart(2, '0')
          return `%${upper ? hex.toUpperCase() : hex}`
        }).join('')
        const into = new Uint8Array(20)
        assert.ok(decodeBytes(text, 0, text.length, into))
        assert.deepEqual(into, source)
        assert.ok(!decodeBytes(`${text}a`, 0, text.length + 1, into))
        assert.ok(!decodeBytes(text, 1, text.length, into))
      }),
    )
  })

  it('are read or refused, never thrown at', () => {
    fc.assert(
      fc.property(ascii, (query) => {
        const parsed = parseAnnounceQuery(query)
        assert.ok(parsed.refused === 'bad_request')
        parseScrapeQuery(query)
      }),
    )
    const good = announceTarget({ event: 'started', key: 'a1', numwant: 5 }).slice(10)
    fc.assert(
      fc.property(fc.nat(good.length), fc.nat(8), ascii, (at, cut, noise) => {
        const parsed = parseAnnounceQuery(good.slice(0, at) + noise + good.slice(at + cut))
        if (parsed.refused !== undefined) return
        assert.match(parsed.infoHash, /^[0-9a-f]{40}$/)
        assert.equal(parsed.peerId.length, 20)
        assert.ok(parsed.port >= 1 && parsed.port <= 65_535)
        assert.ok(parsed.left >= 0 && parsed.uploaded >= 0)
        assert.ok(parsed.numwant === undefined || parsed.numwant >= 0)
      }),
    )
  })

  it('mean the first of two values, and take huge numbers for what they are', () => {
    const twice = parseAnnounceQuery(
      `${announceTarget({ port: 80 }).slice(10)}&port=90&peer_id=x&info_hash=y`,
    )
    assert.equal(twice.refused, undefined)
    assert.ok(twice.refused === undefined && twice.port === 80)
    const left = (text: string) => {
      const parsed = parseAnnounceQuery(
        announceTarget().slice(10).replace('left=1000', `left=${text}`),
      )
      return parsed.refused === undefined ? parsed.left : parsed.reason
    }
    assert.equal(left('18446744073709551615'), 2 ** 64)
    assert.equal(left('-1'), Infinity)
    assert.match(String(left('9'.repeat(30))), /whole/)
    assert.match(String(left('-2')), /whole/)
  })

  it('take keys as hex where they are, and as anything else otherwise', () => {
    assert.equal(keyNumber('36c36875'), 0x36c36875)
    assert.equal(keyNumber('EEB2B587'), 0xeeb2b587)
    assert.equal(keyNumber(''), 0)
    assert.notEqual(keyNumber('%07A%28%BB'), keyNumber('%07A%28%BC'))
  })
})

describe('datagrams', () => {
  it('are read or refused, never thrown at', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (source) => {
        const packet = Buffer.from(source)
        hasSoundOptions(packet)
        const read = readAnnounce(packet)
        assert.ok(packet.length >= 98 || read === undefined)
        if (read !== undefined && !('fault' in read)) assert.ok(read.port > 0)
        if (packet.length >= 16) readScrape(packet)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (options) => {
        const packet = announcePacket(Buffer.alloc(8), { options })
        const read = readAnnounce(packet)
        assert.equal(read !== undefined && !('fault' in read), hasSoundOptions(packet))
      }),
    )
  })

  it('of all kinds leave the tracker alive, and no answer is larger than 1200 bytes', async (t) => {
    const room = await startRoom(t, { config: { access: 'open', requests_per_second: 0 } })
    const client = await udpClient(t, room.tracker.udpPort)
    const connection = await client.connect()
    let largest = 0
    client.socket.on('message', (reply: Buffer) => (largest = Math.max(largest, reply.length)))
    fc.assert(
      fc.property(
        fc.constantFrom(0, 1, 2, 3, 0xffff_ffff),
        fc.uint8Array({ maxLength: 1400 }),
        (action, rest) => {
          const packet = Buffer.concat([connection, Buffer.alloc(8), rest])
          packet.writeUInt32BE(action, 8)
          client.socket.send(packet, room.tracker.udpPort, '127.0.0.1')
        },
      ),
      { numRuns: 500 },
    )
    await new Promise((done) => setTimeout(done, 300))
    const reply = await client.exchange(announcePacket(connection), 2000)
    assert.equal(reply?.readUInt32BE(0), 1)
    assert.ok(largest <= 1200, String(largest))
    assert.equal(room.tracker.stats()['udp_failures'], 0)
  })
})

describe('connection ids', () => {
  const key = new Uint8Array(32).fill(1)

  it('belong to an address and a key, and end after two to three minutes', () => {
    let now = 1_000_000
    const ids = createConnectionIds(key, () => now)
    const [high = 0, low = 0] = ids.current('192.0.2.1')
    assert.ok(ids.accepts('192.0.2.1', high, low))
    assert.ok(!ids.accepts('192.0.2.2', high, low))
    assert.ok(!createConnectionIds(new Uint8Array(32), () => now).accepts('192.0.2.1', high, low))
    now += 120
    assert.ok(ids.accepts('192.0.2.1', high, low))
    now += 73
    assert.ok(!ids.accepts('192.0.2.1', high, low))
  })

  it('cannot be made up: no guess of many is taken', () => {
    const ids = createConnectionIds(key, () => 5000)
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff), (high, low) => {
        assert.ok(!ids.accepts('192.0.2.1', high, low))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('addresses', () => {
  it('read and write what they mean', () => {
    for (const text of ['127.0.0.1', '255.255.255.255', '0.0.0.0', '198.51.100.7']) {
      assert.equal(addressText(addressBytes(text) ?? new Uint8Array(16)), text)
      assert.deepEqual(addressBytes(`::ffff:${text}`), addressBytes(text))
    }
    const six = addressBytes('2001:db8::7:0:1')
    assert.ok(six)
    assert.equal(addressText(six), '2001:db8::7:0:1')
    assert.deepEqual(addressBytes('fe80::1%eth0'), addressBytes('fe80::1'))
    assert.equal(
      addressBytes('::')?.every((byte) => byte === 0),
      true,
    )
    for (const bad of [
      '',
      '1',
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
      '1..2.3',
      'a.b.c.d',
      ':::',
      'box',
      '1.2.3.4 ',
      '0001.2.3.4',
    ]) {
      assert.equal(addressBytes(bad), undefined, bad)
    }
  })

  it('agree with how URLs write IPv6', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const read = addressBytes(text)
        assert.ok(read)
        assert.deepEqual(addressBytes(new URL(`http://[${text}]/`).hostname.slice(1, -1)), read)
      }),
    )
  })

  it('know from how far they can be reached', () => {
    const reach = (text: string) => reachOf(addressBytes(text) ?? new Uint8Array(16))
    for (const text of ['127.0.0.1', '127.9.9.9', '::1']) assert.equal(reach(text), LOOPBACK, text)
    for (const text of ['169.254.1.1', 'fe80::1', 'febf::1']) assert.equal(reach(text), LINK, text)
    for (const text of [
      '10.0.0.1',
      '172.16.0.1',
      '172.31.9.9',
      '192.168.9.9',
      '100.64.0.1',
      'fd00::1',
    ]) {
      assert.equal(reach(text), HOUSE, text)
    }
    for (const text of ['172.32.0.1', '100.128.0.1', '8.8.8.8', '2001:db8::1', 'fec0::1', '::2']) {
      assert.equal(reach(text), PUBLIC, text)
    }
    assert.ok(!isVisible(HOUSE, PUBLIC, false))
    assert.ok(isVisible(HOUSE, PUBLIC, true))
    assert.ok(!isVisible(LOOPBACK, HOUSE, true))
    const near = (a: string, b: string) =>
      isNear(addressBytes(a) ?? new Uint8Array(16), 0, addressBytes(b) ?? new Uint8Array(16), 0)
    assert.ok(near('192.168.1.2', '192.168.1.200') && !near('192.168.1.2', '192.168.2.2'))
    assert.ok(near('2001:db8::1', '2001:db8::ffff:1') && !near('2001:db8::1', '2001:db8:0:1::1'))
  })

  it('take who is on the box’s IPv6 network for the house, and know which address to tell', () => {
    const own = [
      { bytes: addressBytes('192.168.7.2') ?? new Uint8Array(16), prefix: 96 + 24 },
      { bytes: addressBytes('203.0.113.2') ?? new Uint8Array(16), prefix: 96 + 24 },
      { bytes: addressBytes('2001:db8:5::2') ?? new Uint8Array(16), prefix: 64 },
    ]
    const askers = createAskers(
      1,
      () => 0,
      () => own,
    )
    const told = (host: string) => {
      const asker = askers.of(host)
      return asker?.boxAddress && addressText(asker.boxAddress)
    }
    assert.equal(told('192.168.7.9'), '192.168.7.2')
    assert.equal(told('10.1.1.1'), '192.168.7.2')
    assert.equal(told('2001:db8:5::9'), '2001:db8:5::2')
    assert.equal(askers.of('2001:db8:5::9')?.inHouse, true)
    assert.equal(askers.of('2001:db8:6::9')?.inHouse, false)
    // Another customer of the same provider.
    assert.equal(askers.of('203.0.113.9')?.inHouse, false)
    assert.equal(told('203.0.113.9'), undefined)
    assert.equal(told('127.0.0.1'), '127.0.0.1')
    assert.equal(askers.of('192.168.7.2')?.isBox, true)
    assert.equal(askers.of('nonsense'), undefined)
  })

  it('look again for a network that the system lists late', () => {
    const own: { bytes: Uint8Array; prefix: number }[] = []
    let now = 0
    let reads = 0
    const read = () => {
      reads++
      return [...own]
    }
    const askers = createAskers(1, () => now, read)
    const isTold = () => askers.of('192.168.7.9')?.boxAddress !== undefined
    assert.ok(!isTold() && !isTold())
    own.push({ bytes: addressBytes('192.168.7.2') ?? new Uint8Array(16), prefix: 96 + 24 })
    assert.ok(!isTold())
    assert.equal(reads, 1)
    now += 1000
    assert.ok(isTold() && isTold())
    assert.equal(reads, 2)
  })
})

describe('the peer table', () => {
  it('finds what a map finds, through additions, removals and growth', () => {
    const address = (n: number) => addressBytes(n % 2 ? `10.0.0.${n % 8}` : `fd00::${n % 8}`)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.nat(3), fc.nat(15), fc.nat(400)), { maxLength: 400 }),
        fc.nat(),
        (steps, seed) => {
          const table = createPeerTable(64, seed)
          const model = new Map<string, number>()
          for (const [add, swarm, host, port] of steps) {
            const at = address(host) ?? new Uint8Array(16)
            const key = `${swarm + 1} ${addressText(at)} ${(port % 20) + 1}`
            const found = table.find(swarm + 1, at, (port % 20) + 1)
            assert.equal(found, model.get(key) ?? -1)
            if (add && found < 0) {
              const slot = table.add(swarm + 1, at, (port % 20) + 1, 7)
              assert.equal(slot < 0, model.size === 64)
              if (slot >= 0) model.set(key, slot)
            } else if (!add && found >= 0) {
              table.remove(found)
              model.delete(key)
            }
          }
          assert.equal(table.size(), model.size)
          assert.equal(new Set(model.values()).size, model.size)
        },
      ),
    )
  })

  it('keeps thousands apart that differ in one bit, after growing', () => {
    const table = createPeerTable(10_000, 42)
    const at = addressBytes('198.51.100.1') ?? new Uint8Array(16)
    const slots = Array.from({ length: 10_000 }, (_, i) =>
      table.add(1 + (i >> 12), at, 1 + (i & 4095), i),
    )
    assert.equal(table.add(99, at, 1, 1), -1)
    slots.forEach((slot, i) => {
      assert.equal(table.find(1 + (i >> 12), at, 1 + (i & 4095)), slot)
      assert.equal(table.payer(slot), i)
    })
  })

  it('keeps seeds in front in a group', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.boolean()), { maxLength: 120 }), (steps) => {
        const table = createPeerTable(32, 1)
        const at = addressBytes('10.0.0.1') ?? new Uint8Array(16)
        for (let port = 1; port <= 21; port++) table.add(1, at, port, 1)
        const group: Group = { slots: [], seeds: 0 }
        const model = new Map<number, boolean>()
        for (const [slot, seed] of steps) {
          if (model.delete(slot)) removeFromGroup(table, group, slot)
          else {
            addToGroup(table, group, slot, seed)
            model.set(slot, seed)
          }
          assert.deepEqual(
            new Map(group.slots.map((member, i) => [member, i < group.seeds])),
            new Map([...group.slots].map((member) => [member, model.get(member)])),
          )
          assert.equal(group.slots.length, model.size)
          group.slots.forEach((member, i) => assert.equal(table.place(member), i))
        }
      }),
    )
  })
})

describe('limits and clocks', () => {
  it('lets an address ask at its rate, after its burst', () => {
    let now = 0
    const limit = createRateLimit(10, 5, () => now)
    assert.equal([1, 2, 3, 4, 5, 6].filter(() => limit.takes(1)).length, 5)
    assert.ok(limit.takes(2))
    now += 100
    assert.ok(limit.takes(1))
    assert.ok(!limit.takes(1))
    for (let payer = 0; payer < 40_000; payer++) limit.takes(payer)
    assert.ok(limit.payers() <= 16_384)
    assert.ok(createRateLimit(0, 1, () => now).takes(1))
  })

  it('begins long after the peers of the last run were seen', () => {
    let now = 5
    const clock = createSteadyClock(() => now)
    const start = clock.ms()
    now += 1500
    assert.equal(clock.ms() - start, 1500)
    assert.ok(clock.seconds() - 90 * 24 * 3600 > 0)
  })
})

describe('saved swarms', () => {
  it('come back as they were', () => {
    const now = 1_000_000
    const table = createPeerTable(1000, 3)
    const limits = {
      maxTorrents: 100,
      maxPeersPerTorrent: 100,
      maxPeersPerAddress: 0,
      intervalSeconds: 1800,
    }
    const swarms = createSwarms(
      table,
      limits,
      () => now,
      () => false,
    )
    const askers = createAskers(1, () => 0)
    const outcome = { slot: 0, idle: 0 }
    const hashes = [1, 2, 3].map((n) => infoHash(`0${n}`.repeat(20)))
    hashes.forEach((hash: InfoHash, i) => {
      for (const host of ['10.0.0.1', '2001:db8::1', '198.51.100.1'].slice(i)) {
        const asker = askers.of(host)
        const swarm = swarms.open(hash)
        assert.ok(asker && swarm)
        const announce = {
          infoHash: hash,
          asker,
          port: 6000 + i,
          peerId: Buffer.from(peerId(host.slice(0, 9)), 'latin1'),
          key: 5,
          left: i,
          uploaded: 0,
          numwant: 0,
        }
        swarms.record(swarm, { ...announce, event: i === 0 ? 1 : 0, families: 'both' }, outcome)
      }
    })
    const saved = unpackSwarms(Buffer.from(packSwarms(table, swarms, now + 10)))
    assert.ok(saved)
    assert.deepEqual(
      saved.map(({ infoHash: hash, downloaded, peers }) => [hash, downloaded, peers.length]),
      [
        [hashes[0], 3, 3],
        [hashes[1], 0, 2],
        [hashes[2], 0, 1],
      ],
    )
    const [peer] = saved[2]?.peers ?? []
    assert.ok(peer)
    assert.equal(addressText(peer.address), '198.51.100.1')
    assert.deepEqual([peer.port, peer.key, peer.ageSeconds], [6002, 5, 10])
  })

  it('are read or refused, never thrown at', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        const saved = unpackSwarms(Buffer.from(noise))
        for (const { peers } of saved ?? []) for (const { port } of peers) assert.ok(port > 0)
      }),
    )
  })
})

describe('answers', () => {
  it('are bencode whatever was asked', async (t) => {
    const room = await startRoom(t, { config: { access: 'open', requests_per_second: 0 } })
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 20, maxLength: 20 }),
        fc.string({ unit: fc.constantFrom(...Array.from('abc&=%019_/?;+')), maxLength: 60 }),
        async (hash, noise) => {
          const target = `/announce?info_hash=${escaped(hash)}&${noise}`
          const answer = await fetch(`http://127.0.0.1:${room.port}${target}`)
          assert.equal(answer.status, 200)
          assert.ok(decode(new Uint8Array(await answer.arrayBuffer())) instanceof Map)
        },
      ),
      { numRuns: 150 },
    )
  })
})
