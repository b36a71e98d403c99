import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  announce,
  announceTarget,
  ask,
  dict,
  escapedHash,
  HASH,
  OTHER_HASH,
  peerId,
  peersOf,
  type Room,
  startRoom,
  textOf,
} from './room.ts'

const OWN = { held: [[HASH, 'part']] } as const
const own = () => ({ held: OWN.held.map(([hash, how]): [typeof HASH, 'part'] => [hash, how]) })

const number = (value: unknown): number => {
  assert.equal(typeof value, 'number')
  return value as number
}

const counts = async (room: Room) => {
  const { body } = await ask(room, `/scrape?info_hash=${escapedHash(HASH)}`)
  const files = dict(body).get('files')
  assert.ok(files instanceof Map)
  const file = files.get(Buffer.from(HASH, 'hex').toString('latin1'))
  assert.ok(file instanceof Map)
  return ['complete', 'downloaded', 'incomplete'].map((key) => file.get(key))
}

describe('the tracker over HTTP', () => {
  it('K01 answers an announce in bencode with sorted keys, interval 1800 and min interval 900', async (t) => {
    const room = await startRoom(t, own())
    await announce(room, { port: 6001, id: peerId('one') })
    const { status, headers, body } = await ask(
      room,
      announceTarget({ port: 6002, id: peerId('two') }),
    )
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'text/plain')
    const answer = dict(body)
    assert.deepEqual([...answer.keys()], [...answer.keys()].toSorted())
    const interval = number(answer.get('interval'))
    assert.ok(interval >= 1800 && interval < 1890, String(interval))
    assert.equal(answer.get('min interval'), 900)
    // The box has it in part and counts as well.
    assert.equal(answer.get('incomplete'), 3)
    assert.equal(answer.get('complete'), 0)
    assert.deepEqual(peersOf(answer), ['127.0.0.1:6001'])
  })

  it('K01 spreads the announces of clients that were started together', async (t) => {
    const room = await startRoom(t, own())
    const intervals = new Set<unknown>()
    for (let i = 0; i < 20; i++) intervals.add((await announce(room)).get('interval'))
    assert.ok(intervals.size > 5)
  })

  it('K01 answers non-compact with address, peer id and port, without peer id where it is not wanted', async (t) => {
    const room = await startRoom(t, own())
    await announce(room, { port: 6001, id: peerId('one') })
    const named = (await announce(room, { port: 6002, id: peerId('two'), compact: 0 })).get('peers')
    assert.ok(Array.isArray(named) && named[0] instanceof Map)
    assert.deepEqual([...named[0].keys()], ['ip', 'peer id', 'port'])
    assert.equal(textOf(named[0], 'ip'), '127.0.0.1')
    assert.equal(textOf(named[0], 'peer id'), peerId('one'))
    assert.equal(named[0].get('port'), 6001)
    const bare = await announce(room, {
      port: 6002,
      id: peerId('two'),
      compact: 0,
      more: 'no_peer_id=1',
    })
    const peers = bare.get('peers')
    assert.ok(Array.isArray(peers) && peers[0] instanceof Map)
    assert.deepEqual([...peers[0].keys()], ['ip', 'port'])
  })

  it('K01 gives IPv6 peers in peers6, to both families', async (t) => {
    const room = await startRoom(t, own())
    await announce(room, { port: 6001, id: peerId('six'), host: '::1' })
    await announce(room, { port: 6002, id: peerId('four') })
    const four = await announce(room, { port: 6003, id: peerId('asker') })
    // ::1 is loopback, as 127.0.0.1 is.
    assert.deepEqual(peersOf(four), ['127.0.0.1:6002', '[0:0:0:0:0:0:0:1]:6001'])
    const six = await announce(room, { port: 6004, id: peerId('asker6'), host: '::1' })
    assert.ok(six.get('peers6') instanceof Uint8Array)
    assert.equal(peersOf(six).length, 3)
  })

  it('K01 never gives an asker itself, by address or by peer id', async (t) => {
    const room = await startRoom(t, own())
    await announce(room, { port: 6001, id: peerId('dual') })
    assert.deepEqual(peersOf(await announce(room, { port: 6001, id: peerId('dual') })), [])
    assert.deepEqual(
      peersOf(await announce(room, { port: 6001, id: peerId('dual'), host: '::1' })),
      [],
    )
  })

  it('K01 gives seeds to leechers only', async (t) => {
    const room = await startRoom(t, own())
    await announce(room, { port: 6001, id: peerId('seed'), left: 0 })
    await announce(room, { port: 6002, id: peerId('leech') })
    const seed = await announce(room, { port: 6003, id: peerId('seed2'), left: 0 })
    assert.deepEqual(peersOf(seed), ['127.0.0.1:6002'])
    const leech = await announce(room, { port: 6004, id: peerId('leech2') })
    assert.equal(peersOf(leech).length, 3)
  })

  it('K02 scrapes several torrents with complete, downloaded and incomplete', async (t) => {
    const room = await startRoom(t, {
      held: [
        [HASH, 'whole'],
        [OTHER_HASH, 'part'],
      ],
    })
    await announce(room, { port: 6001, id: peerId('seed'), left: 0 })
    await announce(room, { port: 6002, id: peerId('leech') })
    await announce(room, { port: 6002, id: peerId('leech'), left: 0, event: 'completed' })
    const { body } = await ask(
      room,
      `/scrape?info_hash=${escapedHash(OTHER_HASH)}&info_hash=${escapedHash(HASH)}&info_hash=${escapedHash(HASH)}`,
    )
    const scraped = dict(body)
    const files = scraped.get('files')
    assert.ok(files instanceof Map)
    assert.deepEqual(
      [...files].map(([hash, file]) => [
        Buffer.from(hash, 'latin1').toString('hex'),
        file instanceof Map && Object.fromEntries(file),
      ]),
      [
        [HASH, { complete: 3, downloaded: 1, incomplete: 0 }],
        [OTHER_HASH, { complete: 0, downloaded: 0, incomplete: 1 }],
      ],
    )
    const flags = scraped.get('flags')
    assert.ok(flags instanceof Map)
    assert.ok(number(flags.get('min_request_interval')) > 0)
  })

  it('K02 refuses to list all torrents, and answers fifty at most', async (t) => {
    const hashes = Array.from({ length: 60 }, (_, i) => i.toString(16).padStart(40, '0'))
    const room = await startRoom(t, { config: { access: 'list', allowed: hashes } })
    assert.match(textOf(dict((await ask(room, '/scrape')).body), 'failure reason'), /info_hash/)
    const query = hashes.map((hash) => `info_hash=${escapedHash(hash)}`).join('&')
    const files = dict((await ask(room, `/scrape?${query}`)).body).get('files')
    assert.ok(files instanceof Map)
    assert.equal(files.size, 50)
  })

  it('K03 gives 50 peers by default, 100 at most, none for numwant 0 and none to those who leave', async (t) => {
    const room = await startRoom(t, {
      ...own(),
      config: { trusted_proxies: ['127.0.0.1'], requests_per_second: 0 },
    })
    for (let i = 0; i < 130; i++) {
      await announce(room, { port: 6000, id: peerId(`p${i}`), as: `198.51.100.${i}`, numwant: 0 })
    }
    const asker = { port: 7000, id: peerId('asker'), as: '203.0.113.1' }
    const many = async (more: object) => peersOf(await announce(room, { ...asker, ...more })).length
    assert.equal(await many({}), 50)
    assert.equal(await many({ numwant: 10 }), 10)
    assert.equal(await many({ numwant: 0 }), 0)
    assert.equal(await many({ numwant: 5000 }), 100)
    assert.equal(await many({ numwant: -1 }), 50)
    assert.equal(await many({ event: 'stopped' }), 0)
  })

  it('K04 counts started, completed, paused and stopped', async (t) => {
    const room = await startRoom(t, own())
    const peer = { port: 6001, id: peerId('peer'), key: 'abc123' }
    await announce(room, { ...peer, event: 'started' })
    assert.deepEqual(await counts(room), [0, 0, 2])
    await announce(room, { ...peer, event: 'paused' })
    assert.deepEqual(await counts(room), [0, 0, 2])
    await announce(room, { ...peer, left: 0, event: 'completed' })
    assert.deepEqual(await counts(room), [1, 1, 1])
    await announce(room, { ...peer, left: 0, event: '' })
    assert.deepEqual(await counts(room), [1, 1, 1])
    await announce(room, { ...peer, left: 0, event: 'stopped' })
    assert.deepEqual(await counts(room), [0, 1, 1])
  })

  it('K04 counts each peer once as completed, whatever it says how often', async (t) => {
    const room = await startRoom(t, own())
    const peer = { port: 6001, id: peerId('peer'), left: 0 }
    await announce(room, { ...peer, event: 'completed' })
    await announce(room, { ...peer, event: 'completed' })
    await announce(room, { ...peer, event: 'completed', host: '::1' })
    await announce(room, { ...peer, event: 'stopped' })
    await announce(room, { ...peer, event: 'completed' })
    assert.deepEqual((await counts(room))[1], 1)
  })

  it('K04 gives no seeds to a partial seed, and the partial seed to leechers', async (t) => {
    const room = await startRoom(t, own())
    await announce(room, { port: 6001, id: peerId('seed'), left: 0 })
    const partial = await announce(room, { port: 6002, id: peerId('partial'), event: 'paused' })
    assert.deepEqual(peersOf(partial), [])
    const leech = await announce(room, { port: 6003, id: peerId('leech') })
    assert.deepEqual(peersOf(leech).toSorted(), ['127.0.0.1:6001', '127.0.0.1:6002'])
  })

  it('K08 puts the asker’s own network first, then those that announced lately and give', async (t) => {
    const room = await startRoom(t, {
      ...own(),
      config: { trusted_proxies: ['127.0.0.1'], requests_per_second: 0 },
    })
    for (let i = 1; i <= 30; i++) {
      await announce(room, { port: 6000, id: peerId(`old${i}`), as: `198.51.100.${i}` })
    }
    room.clock.pass(45 * 60_000)
    for (let i = 1; i <= 10; i++) {
      const peer = { port: 6000, id: peerId(`new${i}`), as: `192.0.2.${i}` }
      await announce(room, peer)
      if (i > 5) await announce(room, { ...peer, uploaded: 5_000_000 })
    }
    await announce(room, { port: 6000, id: peerId('near'), as: '203.0.113.77' })
    for (let round = 0; round < 5; round++) {
      const got = peersOf(
        await announce(room, { port: 7000, id: peerId('me'), as: '203.0.113.5', numwant: 11 }),
      )
      assert.equal(got[0], '203.0.113.77:6000')
      assert.ok(
        got.slice(1, 6).every((peer) => /^192\.0\.2\.([6-9]|10):/.test(peer)),
        got.join(' '),
      )
      assert.ok(
        got.slice(6).every((peer) => peer.startsWith('192.0.2.')),
        got.join(' '),
      )
    }
  })

  it('K08 gives private peers to the house first and never to those outside', async (t) => {
    const room = await startRoom(t, { ...own(), config: { trusted_proxies: ['127.0.0.1'] } })
    const join = async (as: string) =>
      peersOf(await announce(room, { port: 6000, id: peerId(as.slice(-11)), as }))
    await join('198.51.100.1')
    await join('192.168.1.10')
    await join('fd00::10')
    await join('10.3.0.9')
    await join('2001:db8::1')
    assert.deepEqual((await join('192.168.1.20')).slice(0, 2), [
      '192.168.1.10:6000',
      '10.3.0.9:6000',
    ])
    assert.equal((await join('192.168.1.20')).length, 5)
    assert.deepEqual(
      (await join('198.51.100.2')).toSorted(),
      ['198.51.100.1:6000', '[2001:db8:0:0:0:0:0:1]:6000'].toSorted(),
    )
    assert.deepEqual((await join('2001:db8::2')).toSorted(), [
      '198.51.100.1:6000',
      '198.51.100.2:6000',
      '[2001:db8:0:0:0:0:0:1]:6000',
    ])
  })

  it('K08 mixes seeds and leechers for a leecher in a large swarm', async (t) => {
    const room = await startRoom(t, {
      ...own(),
      config: { trusted_proxies: ['127.0.0.1'], requests_per_second: 0 },
    })
    for (let i = 0; i < 3; i++) {
      await announce(room, { port: 6000, id: peerId(`s${i}`), as: `192.0.2.${i}`, left: 0 })
    }
    for (let i = 0; i < 150; i++) {
      await announce(room, { port: 6000, id: peerId(`l${i}`), as: `198.51.100.${i}`, numwant: 0 })
    }
    const got = peersOf(await announce(room, { port: 7000, id: peerId('me'), as: '203.0.113.5' }))
    assert.equal(got.length, 50)
    assert.equal(got.filter((peer) => peer.startsWith('192.0.2.')).length, 3)
  })

  it('K09 is a peer itself, at the address the request came to, for the house', async (t) => {
    const room = await startRoom(t, {
      held: [[HASH, 'whole']],
      config: { trusted_proxies: ['127.0.0.9'] },
    })
    room.box.port = 42_000
    const leech = await announce(room)
    assert.deepEqual(peersOf(leech), ['127.0.0.1:42000'])
    assert.equal(leech.get('complete'), 1)
    const six = await announce(room, { host: '::1', port: 6002, id: peerId('six') })
    assert.equal(peersOf(six)[1], '[0:0:0:0:0:0:0:1]:42000')
    // A seed has nothing to get from another one.
    assert.deepEqual(peersOf(await announce(room, { left: 0 })).slice(0, 1), [
      '[0:0:0:0:0:0:0:1]:6002',
    ])
    const outside = { as: '198.51.100.1', from: '127.0.0.9', port: 6003, id: peerId('far') }
    assert.deepEqual(peersOf(await announce(room, outside)), [])
  })

  it('K09 is a peer for those outside where public_hosts has an address', async (t) => {
    const room = await startRoom(t, {
      held: [[HASH, 'part']],
      config: {
        trusted_proxies: ['127.0.0.1'],
        public_hosts: ['tracker.example', '203.0.113.9', '[2001:db8::9]'],
      },
    })
    room.box.port = 42_000
    assert.deepEqual(peersOf(await announce(room, { as: '198.51.100.1' })), [
      '203.0.113.9:42000',
      '[2001:db8:0:0:0:0:0:9]:42000',
    ])
  })

  it('K09 takes an engine of the box that announces here for the box, not for another peer', async (t) => {
    const room = await startRoom(t, { held: [[HASH, 'part']] })
    room.box.port = 42_000
    const self = await announce(room, { port: 42_000 })
    assert.deepEqual(peersOf(self), [])
    assert.equal(self.get('incomplete'), 1)
  })

  it('K09 tells the box who announced, in batches, and leaves out seeds where it has all', async (t) => {
    const room = await startRoom(t, { held: [[HASH, 'whole']] })
    await announce(room, { port: 6001, id: peerId('one') })
    await announce(room, { port: 6002, id: peerId('two') })
    await announce(room, { port: 6002, id: peerId('two') })
    await announce(room, { port: 6003, id: peerId('seed'), left: 0 })
    await new Promise((done) => setTimeout(done, 400))
    assert.deepEqual(room.box.met, [
      {
        infoHash: HASH,
        peers: [
          { host: '127.0.0.1', port: 6001 },
          { host: '127.0.0.1', port: 6002 },
        ],
      },
    ])
  })

  it('K10 answers bad input with 200, a failure reason and when to retry', async (t) => {
    const room = await startRoom(t, own())
    const good = announceTarget()
    const shelf: [string, RegExp][] = [
      ['/announce', /info_hash is missing/],
      ['/announce?', /info_hash is missing/],
      ['/announce?&&&==&=', /info_hash is missing/],
      ['/announce?info_hash', /info_hash must be 20 bytes/],
      [good.replace(/info_hash=[^&]*/, 'info_hash=short'), /info_hash must be 20 bytes/],
      [good.replace(/info_hash=/, 'info_hash=x'), /info_hash must be 20 bytes/],
      [good.replace(/info_hash=%../, 'info_hash=%'), /info_hash must be 20 bytes/],
      [good.replace(/info_hash=%../, 'info_hash=%zz'), /info_hash must be 20 bytes/],
      [good.replace(/peer_id=[^&]*&/, ''), /peer_id must be 20 bytes/],
      [good.replace(/peer_id=/, 'peer_id=abc'), /peer_id must be 20 bytes/],
      ...['', '0', '65536', '-1', '1e3', '0x50', '99999999999', '5.5', ' 80'].map(
        (port): [string, RegExp] => [
          announceTarget({ port: encodeURIComponent(port) }),
          /port must be/,
        ],
      ),
      [announceTarget({ event: 'constructor' }), /event must be/],
      [announceTarget({ event: 'STARTED' }), /event must be/],
      [announceTarget({ more: 'left=1' }).replace('left=1000', 'left=1e9'), /whole numbers/],
      [announceTarget({ more: 'numwant=many' }), /whole numbers/],
      [announceTarget({ more: 'a&'.repeat(100) }), /too many parameters/],
    ]
    for (const [target, reason] of shelf) {
      const { status, headers, body } = await ask(room, target)
      assert.equal(status, 200, target)
      assert.equal(headers['content-type'], 'text/plain')
      const answer = dict(body)
      assert.match(textOf(answer, 'failure reason'), reason, target)
      assert.equal(textOf(answer, 'retry in'), 'never', target)
      assert.deepEqual([...answer.keys()], ['failure reason', 'retry in'])
    }
    assert.equal(room.tracker.stats()['refused_bad_request'], shelf.length)
    assert.equal(room.tracker.stats()['peers'], 0)
  })

  it('K10 ignores parameters it does not know, and whom `ip` points at', async (t) => {
    const room = await startRoom(t, own())
    await announce(room, {
      port: 6001,
      id: peerId('liar'),
      more: 'ip=198.51.100.7&ipv4=198.51.100.7%3A80&ipv6=2001%3Adb8%3A%3A7&trackerid=btlinkd&corrupt=0&supportcrypto=1&redundant=0',
    })
    const got = peersOf(await announce(room, { port: 6002, id: peerId('b') }))
    assert.deepEqual(got, ['127.0.0.1:6001'])
  })

  it('K10 answers HEAD without a body and other methods with 405', async (t) => {
    const room = await startRoom(t, own())
    const head = await ask(room, announceTarget(), { method: 'HEAD' })
    assert.equal(head.status, 200)
    assert.equal(head.body.length, 0)
    assert.ok(Number(head.headers['content-length']) > 50)
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const refused = await ask(room, announceTarget(), { method })
      assert.equal(refused.status, 405)
      assert.equal(refused.headers['allow'], 'GET, HEAD')
    }
    assert.equal(room.tracker.stats()['peers'], 1)
  })

  it('K11 tracks the torrents of the box only, unless the list or everybody is let in', async (t) => {
    const reasonIn = async (access: 'own' | 'list' | 'open', hash: string) => {
      const room = await startRoom(t, {
        ...own(),
        config: { access, allowed: [OTHER_HASH.toUpperCase()] },
      })
      return (await announce(room, { hash })).get('failure reason') !== undefined
    }
    const stranger = 'c3'.repeat(20)
    assert.deepEqual(
      await Promise.all([HASH, OTHER_HASH, stranger].map((hash) => reasonIn('own', hash))),
      [false, true, true],
    )
    assert.deepEqual(
      await Promise.all([HASH, OTHER_HASH, stranger].map((hash) => reasonIn('list', hash))),
      [false, false, true],
    )
    assert.deepEqual(
      await Promise.all([HASH, OTHER_HASH, stranger].map((hash) => reasonIn('open', hash))),
      [false, false, false],
    )
  })

  it('K11 does not tell of torrents it does not track', async (t) => {
    const room = await startRoom(t, own())
    const answer = await announce(room, { hash: OTHER_HASH })
    assert.match(textOf(answer, 'failure reason'), /does not track/)
    assert.equal(answer.get('retry in'), 5)
    const files = dict((await ask(room, `/scrape?info_hash=${escapedHash(OTHER_HASH)}`)).body).get(
      'files',
    )
    assert.ok(files instanceof Map)
    assert.equal(files.size, 0)
    assert.equal(room.tracker.stats()['swarms'], 0)
  })

  it('K12 believes X-Forwarded-For from trusted proxies only, and no further than it trusts', async (t) => {
    const trusting = await startRoom(t, { ...own(), config: { trusted_proxies: ['127.0.0.5'] } })
    const spoof = { port: 6001, id: peerId('a'), as: '192.0.2.66, 198.51.100.3' }
    await announce(trusting, { ...spoof, from: '127.0.0.5' })
    const watch = { port: 6009, id: peerId('w'), from: '127.0.0.1' }
    assert.deepEqual(peersOf(await announce(trusting, watch)), ['198.51.100.3:6001'])
    await announce(trusting, { ...spoof, port: 6002, id: peerId('b'), from: '127.0.0.6' })
    assert.deepEqual(peersOf(await announce(trusting, watch)).toSorted(), [
      '127.0.0.6:6002',
      '198.51.100.3:6001',
    ])
    const wary = await startRoom(t, own())
    await announce(wary, { ...spoof, from: '127.0.0.5' })
    assert.deepEqual(peersOf(await announce(wary, watch)), ['127.0.0.5:6001'])
  })

  it('K12 refuses a configuration whose trusted proxy is no address', async (t) => {
    await assert.rejects(startRoom(t, { config: { trusted_proxies: ['nginx'] } }), {
      code: 'BTL_ERR_TRACKER_BAD_PROXY',
    })
  })

  it('K13 takes nothing where it is switched off', async (t) => {
    const room = await startRoom(t, { ...own(), config: { enabled: false } })
    for (const target of [announceTarget(), '/scrape', '/announce']) {
      assert.equal((await ask(room, target)).status, 404)
    }
    assert.equal(room.tracker.udpPort, 0)
    assert.deepEqual(room.tracker.announceUrls('box.local', 9877), [])
    assert.equal((await room.tracker.health()).score, 100)
  })

  it('leaves other paths to the API', async (t) => {
    const room = await startRoom(t, own())
    for (const target of ['/', '/announcements', '/announce/x', '/api/announce', '/scraper?x=1']) {
      assert.equal((await ask(room, target)).status, 404, target)
    }
  })

  it('tells those outside how the world sees them (BEP 24)', async (t) => {
    const room = await startRoom(t, { ...own(), config: { trusted_proxies: ['127.0.0.1'] } })
    const four = (await announce(room, { as: '198.51.100.3' })).get('external ip')
    assert.deepEqual(four, new Uint8Array([198, 51, 100, 3]))
    const six = (await announce(room, { as: '2001:db8::3' })).get('external ip')
    assert.ok(six instanceof Uint8Array && six.length === 16 && six[15] === 3)
    assert.equal((await announce(room, { as: '192.168.1.3' })).get('external ip'), undefined)
  })

  it('names its URLs for a host, those for strangers first', async (t) => {
    const room = await startRoom(t, own())
    const udp = room.tracker.udpPort
    assert.ok(udp > 0)
    assert.deepEqual(room.tracker.announceUrls('fd00::1', 9877), [
      'http://[fd00::1]:9877/announce',
      `udp://[fd00::1]:${udp}/announce`,
      'ws://[fd00::1]:9877/announce',
    ])
    const known = await startRoom(t, {
      config: { public_hosts: ['tracker.example'], udp: false },
    })
    assert.deepEqual(known.tracker.announceUrls('192.168.1.2', 9877), [
      'http://tracker.example:9877/announce',
      'ws://tracker.example:9877/announce',
      'http://192.168.1.2:9877/announce',
      'ws://192.168.1.2:9877/announce',
    ])
  })
})
