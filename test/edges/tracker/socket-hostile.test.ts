import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { addressKey } from '../../../src/edges/tracker/socket-guard.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import {
  binary,
  hexOf,
  isAnnounce,
  isFailure,
  isOffer,
  offers,
  page,
  SDP,
  settled,
  socketServer,
} from './socket-harness.ts'

/** A client that speaks bytes. */
async function raw(t: Cleanup, port: number, headers: string[] = []): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  finallyDo(t, () => void socket.destroy())
  await once(socket, 'connect')
  socket.write(
    [
      'GET /announce HTTP/1.1',
      'Host: box',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      ...headers,
      '\r\n',
    ].join('\r\n'),
  )
  await once(socket, 'data')
  return socket
}

/** The answer to a handshake that is refused. */
async function refused(url: string, options: object = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, options)
    ws.on('error', () => undefined)
    ws.on('open', () => {
      ws.terminate()
      reject(new Error('it was let in'))
    })
    ws.on('unexpected-response', (_req, res) => {
      resolve(res.statusCode ?? 0)
      ws.terminate()
    })
  })
}

describe('hostile messages', () => {
  test('the ten that were found to hurt trackers leave it working', async (t) => {
    const { url, tracker } = await socketServer(t)
    const hash = binary()
    const witness = await page(t, url)
    witness.announce(hash, { left: 0 })
    await witness.next(isAnnounce)
    const announce = { action: 'announce', info_hash: hash, peer_id: binary(), numwant: 5 }
    const messages: unknown[] = [
      { action: 'scrape', info_hash: 5 },
      { action: 'scrape', info_hash: {} },
      { ...announce, offers: [null] },
      { ...announce, offers: 'five' },
      { ...announce, offers: { length: 1e9 } },
      { ...announce, info_hash: null },
      { ...announce, peer_id: { toString: 'x' } },
      { ...announce, answer: {}, to_peer_id: witness.peerId },
      { ...announce, event: '__proto__' },
      null,
    ]
    for (const message of messages) {
      const hostile = await page(t, url)
      hostile.say(message)
      assert.ok('failure reason' in (await hostile.next()), JSON.stringify(message))
      hostile.close()
    }
    await settled(witness)
    assert.deepEqual(witness.heard, [])
    assert.deepEqual(tracker.counts(hexOf(hash)), { complete: 1, incomplete: 0 })
    assert.equal(tracker.stats()['socket_faults'], messages.length)
  })

  test('a socket that says only what nobody can read is cut', async (t) => {
    const { url, tracker } = await socketServer(t)
    const hostile = await page(t, url)
    for (let i = 0; i < 30; i++) hostile.say('{"action":')
    assert.equal((await hostile.closed).code, 1008)
    assert.equal(tracker.stats()['sockets'], 0)
    assert.equal(tracker.stats()['sockets_cut_faulty'], 1)
  })

  test('a frame of 64 KiB is read, a larger one ends its socket', async (t) => {
    const { url, tracker } = await socketServer(t)
    const a = await page(t, url)
    a.say('x'.repeat(65_536))
    assert.ok(isFailure(await a.next()))
    a.say('x'.repeat(65_537))
    assert.equal((await a.closed).code, 1009)
    await until('it to be forgotten', () => tracker.stats()['sockets'] === 0)
  })

  test('frames that only announce their size hold no memory', async (t) => {
    const { port, tracker } = await socketServer(t)
    const socket = await raw(t, port)
    // A masked text frame of 2^53 bytes.
    socket.write(Buffer.from('81ff0020000000000000aabbccdd', 'hex'))
    await once(socket, 'close')
    await until('it to be forgotten', () => tracker.stats()['sockets'] === 0)
  })

  test('a message in thousands of pieces ends its socket', async (t) => {
    const { port, tracker } = await socketServer(t)
    const socket = await raw(t, port)
    const first = Buffer.from('0181000000007b', 'hex')
    const more = Buffer.from('00810000000020', 'hex')
    socket.write(Buffer.concat([first, ...Array.from({ length: 200 }, () => more)]))
    await once(socket, 'close')
    await until('it to be forgotten', () => tracker.stats()['sockets'] === 0)
  })

  test('bytes that are no WebSocket, unmasked frames and bad UTF-8 end their socket', async (t) => {
    const { port, tracker } = await socketServer(t)
    for (const bytes of ['ffffffffff', '81026869', '818100000000ff', '8f8000000000']) {
      const socket = await raw(t, port)
      socket.write(Buffer.from(bytes, 'hex'))
      await once(socket, 'close')
    }
    await until('all to be forgotten', () => tracker.stats()['sockets'] === 0)
  })

  test('messages as binary frames are read as text', async (t) => {
    const { url } = await socketServer(t)
    const a = await page(t, url)
    const hash = binary()
    const message = { action: 'announce', info_hash: hash, peer_id: a.peerId }
    a.ws.send(Buffer.from(JSON.stringify(message)), { binary: true })
    assert.equal((await a.next())['info_hash'], hash)
    a.ws.send(Buffer.from([0xff, 0xfe]), { binary: true })
    assert.ok(isFailure(await a.next()))
  })

  test('fields it does not know never reach others', async (t) => {
    const { url } = await socketServer(t)
    const hash = binary()
    const a = await page(t, url)
    a.announce(hash)
    await a.next(isAnnounce)
    const b = await page(t, url)
    b.announce(hash, {
      extra: 'x'.repeat(1000),
      offers: [{ offer: { type: 'offer', sdp: SDP, evil: 1 }, offer_id: binary(), evil: 2 }],
    })
    const offer = await a.next(isOffer)
    assert.deepEqual(Object.keys(offer).toSorted(), [
      'action',
      'info_hash',
      'offer',
      'offer_id',
      'peer_id',
    ])
    assert.deepEqual(offer['offer'], { type: 'offer', sdp: SDP })
  })
})

describe('too much of it', () => {
  test('thousands of sockets that say nothing are cut in time', async (t) => {
    const { url, tracker } = await socketServer(t, {
      config: { max_sockets: 5000, max_sockets_per_address: 5000, burst: 10_000 },
      limits: { beatMs: 500 },
    })
    const before = process.memoryUsage().rss
    const open: WebSocket[] = []
    finallyDo(t, () => {
      for (const ws of open) ws.terminate()
    })
    for (let round = 0; round < 10; round++) {
      const more = Array.from({ length: 200 }, () => {
        const ws = new WebSocket(url, { perMessageDeflate: false })
        ws.on('error', () => undefined)
        open.push(ws)
        return once(ws, 'open')
      })
      await Promise.all(more)
    }
    const busy = await page(t, url)
    const hash = binary()
    busy.announce(hash)
    await busy.next(isAnnounce)
    const most = tracker.stats()['sockets'] ?? 0
    assert.ok(most > 1000, `${most} sockets at once`)
    // Both ends of each live in this process.
    const each = (process.memoryUsage().rss - before) / 2000
    assert.ok(each < 100_000, `${each} bytes for each socket`)
    await until('all but the one that spoke to be cut', () => tracker.stats()['sockets'] === 1)
    busy.announce(hash)
    await busy.next(isAnnounce)
    assert.equal(tracker.stats()['sockets_cut_silent'], 2000)
  })

  test('where there is no room, whoever said nothing makes way, and whoever did stays', async (t) => {
    const { url, tracker } = await socketServer(t, { config: { max_sockets: 3 } })
    const speaker = await page(t, url)
    speaker.announce(binary())
    await speaker.next(isAnnounce)
    const silent = [await page(t, url), await page(t, url)] as const
    const next = await page(t, url)
    await silent[0].closed
    assert.equal(silent[1].ws.readyState, WebSocket.OPEN)
    for (const each of [silent[1], next]) {
      each.announce(binary())
      await each.next(isAnnounce)
    }
    assert.equal(await refused(url), 503)
    assert.equal(speaker.ws.readyState, WebSocket.OPEN)
    assert.equal(tracker.stats()['sockets_displaced'], 1)
  })

  test('one address gets its share of the sockets', async (t) => {
    const { url, tracker } = await socketServer(t, { config: { max_sockets_per_address: 2 } })
    const from = (address: string) => ({ headers: { 'x-test-address': address } })
    await page(t, url, from('203.0.113.1'))
    const second = await page(t, url, from('203.0.113.1'))
    assert.equal(await refused(url, from('203.0.113.1')), 429)
    await page(t, url, from('2001:db8::1'))
    await page(t, url, from('2001:db8::ffff:2'))
    assert.equal(await refused(url, from('2001:db8:0:0:abcd::3')), 429)
    await page(t, url, from('2001:db8:0:1::3'))
    second.close()
    await until('its place to be free', () => tracker.stats()['sockets'] === 4)
    await page(t, url, from('203.0.113.1'))
  })

  test('addresses outside count by /64, devices of the house each for itself', () => {
    const keys = (...addresses: string[]) => new Set(addresses.map(addressKey)).size
    assert.equal(keys('192.168.1.7', '::ffff:192.168.1.7'), 1)
    assert.equal(keys('::ffff:203.0.113.1', '::ffff:203.0.113.2', '203.0.113.3'), 3)
    assert.equal(keys('fd00::1', 'fd00::2', 'fe80::1', 'fe80::2%eth0', '::1'), 5)
    assert.equal(keys('2001:db8::1', '2001:0db8:0:0:1:2:3:4', '2001:db8::ffff:192.0.2.1'), 1)
    assert.equal(keys('2001:db8:1:2:3::', '2001:db8:1:3:3::', '2001:db8::'), 3)
    assert.equal(keys('', 'unknown'), 2)
  })

  test('a refused client that keeps its end open holds nothing', async (t) => {
    const { port, tracker } = await socketServer(t, { config: { max_sockets: 0 } })
    const socket = await raw(t, port)
    await once(socket, 'close')
    assert.equal(tracker.stats()['sockets_turned_away'], 1)
  })

  test('handshakes that are none hold no place', async (t) => {
    const { port, tracker } = await socketServer(t)
    const socket = connect({ port, host: '127.0.0.1' })
    finallyDo(t, () => void socket.destroy())
    socket.write(
      'GET /announce HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    )
    const [data] = (await once(socket, 'data')) as [Buffer]
    assert.match(data.toString(), /^HTTP\/1\.1 4/)
    assert.equal(tracker.stats()['sockets'], 0)
  })

  test('messages beyond the rate are dropped, and a flood is cut', async (t) => {
    let now = 1_000_000
    const { url, tracker } = await socketServer(t, {
      config: { requests_per_second: 10, burst: 20 },
      limits: { maxDropped: 50 },
      clock: { now: () => now },
    })
    const a = await page(t, url)
    const hash = binary()
    for (let i = 0; i < 40; i++) a.announce(hash)
    await until('the burst to be answered', () => a.heard.length === 10)
    await sleep(50)
    assert.equal(a.heard.length, 10, 'half of what its address may')
    now += 1000
    a.announce(hash)
    await until('it to be heard again', () => a.heard.length === 11)
    now -= 10_000_000
    for (let i = 0; i < 60; i++) a.announce(hash)
    assert.equal((await a.closed).code, 1008)
    assert.equal(tracker.stats()['sockets_cut_flooding'], 1)
  })

  test('all sockets of an address share its rate', async (t) => {
    const { url } = await socketServer(t, {
      config: { requests_per_second: 10, burst: 20 },
      clock: { now: () => 0 },
    })
    const pages = [await page(t, url), await page(t, url), await page(t, url)]
    for (const each of pages) for (let i = 0; i < 10; i++) each.announce(binary())
    await sleep(100)
    // The handshakes took three.
    assert.equal(pages.flatMap(({ heard }) => heard).length, 17)
  })

  test('a socket is in no more torrents than it may, nor an address', async (t) => {
    const { url, tracker } = await socketServer(t, {
      limits: { maxTorrentsPerSocket: 5 },
      config: { max_peers_per_address: 7 },
    })
    const a = await page(t, url)
    const b = await page(t, url)
    for (const each of [a, b]) {
      for (let i = 0; i < 6; i++) each.announce(binary())
      await settled(each)
    }
    assert.equal(a.heard.filter(isFailure).length, 1)
    assert.equal(b.heard.filter(isFailure).length, 4)
    assert.equal(tracker.stats()['socket_peers'], 7)
    a.close()
    await until('a to be forgotten', () => tracker.stats()['socket_peers'] === 2)
    for (let i = 0; i < 3; i++) b.announce(binary())
    await settled(b)
    assert.equal(tracker.stats()['socket_peers'], 5)
  })

  test('random infohashes fill the tracker only so far', async (t) => {
    const { url, tracker } = await socketServer(t, { config: { max_torrents: 10, max_peers: 15 } })
    const a = await page(t, url)
    const hashes = Array.from({ length: 30 }, binary)
    for (const hash of hashes) a.announce(hash)
    await settled(a)
    assert.equal(a.heard.filter(isFailure).length, 20)
    assert.equal(tracker.stats()['socket_torrents'], 10)
    for (const hash of hashes) a.announce(hash, { event: 'stopped' })
    await settled(a)
    assert.equal(tracker.stats()['socket_torrents'], 0)
  })

  test('a reader that stops reading is cut', async (t) => {
    const { url, port, tracker } = await socketServer(t, {
      config: { requests_per_second: 0 },
      limits: { maxBufferedBytes: 16 * 1024, maxUnanswered: 1_000_000 },
    })
    const hash = binary()
    const slow = await raw(t, port)
    slow.pause()
    const hello = Buffer.from(
      JSON.stringify({ action: 'announce', info_hash: hash, peer_id: binary() }),
    )
    const head = Buffer.from([0x81, 0xfe, hello.length >> 8, hello.length & 255, 0, 0, 0, 0])
    slow.write(Buffer.concat([head, hello]))
    await until('it to be there', () => tracker.counts(hexOf(hash)).incomplete === 1)
    const asking = await page(t, url)
    const long = offers(5).map((entry) => ({
      ...entry,
      offer: { type: 'offer', sdp: SDP.padEnd(12_000, 'a') },
    }))
    await until('it to be cut', async () => {
      for (let i = 0; i < 20; i++) asking.announce(hash, { offers: long })
      await settled(asking)
      return tracker.stats()['sockets_cut_slow'] === 1
    })
    assert.equal(tracker.counts(hexOf(hash)).incomplete, 1, 'only the one who asks is left')
  })
})

describe('time', () => {
  test('a socket that answers no ping is cut, one that does stays', async (t) => {
    const { url, tracker } = await socketServer(t, { limits: { beatMs: 150 } })
    const alive = await page(t, url)
    const dead = await page(t, url, { autoPong: false })
    const hash = binary()
    for (const each of [alive, dead]) {
      each.announce(hash)
      await each.next(isAnnounce)
    }
    await dead.closed
    await sleep(200)
    assert.equal(alive.ws.readyState, WebSocket.OPEN)
    assert.deepEqual(tracker.counts(hexOf(hash)), { complete: 0, incomplete: 1 })
  })

  test('a peer that does not announce itself for two intervals is forgotten, and then its socket', async (t) => {
    const { url, tracker } = await socketServer(t, {
      config: { announce_interval: 1000 },
      limits: { beatMs: 100 },
    })
    const a = await page(t, url)
    const hash = binary()
    a.announce(hash)
    assert.equal((await a.next(isAnnounce))['interval'], 1)
    await sleep(1000)
    assert.equal(tracker.counts(hexOf(hash)).incomplete, 1)
    await until('it to be forgotten', () => tracker.counts(hexOf(hash)).incomplete === 0)
    await a.closed
  })

  test('an answer that comes too late is dropped', async (t) => {
    const { url } = await socketServer(t, {
      limits: { beatMs: 50, answerBeats: 2, silentBeats: 1000, pingBeats: 900 },
    })
    const hash = binary()
    const a = await page(t, url)
    a.announce(hash)
    await a.next(isAnnounce)
    const b = await page(t, url)
    b.announce(hash, { offers: offers(1) })
    const offer = await a.next(isOffer)
    await sleep(250)
    a.say({
      action: 'announce',
      info_hash: hash,
      peer_id: a.peerId,
      to_peer_id: b.peerId,
      offer_id: offer['offer_id'],
      answer: { type: 'answer', sdp: SDP },
    })
    await settled(a, b)
    assert.equal(b.heard.filter((reply) => 'answer' in reply).length, 0)
  })

  test('a clock that jumps cuts nobody', async (t) => {
    let now = 0
    const { url, tracker } = await socketServer(t, {
      limits: { beatMs: 150 },
      clock: { now: () => now },
    })
    const a = await page(t, url)
    const hash = binary()
    a.announce(hash)
    await a.next(isAnnounce)
    now = 1e12
    await sleep(500)
    now = -1e12
    await sleep(500)
    assert.equal(tracker.counts(hexOf(hash)).incomplete, 1)
    a.announce(hash)
    await a.next(isAnnounce)
  })
})

describe('origins', () => {
  test('any page may connect by default', async (t) => {
    const { url } = await socketServer(t)
    const foreign = await page(t, url, { origin: 'https://foreign.example' })
    foreign.announce(binary())
    await foreign.next(isAnnounce)
  })

  test('pages of other origins are refused where they are named', async (t) => {
    const { url } = await socketServer(t, {
      config: { socket_origins: ['https://own.example'] },
    })
    await page(t, url, { origin: 'https://own.example' })
    await page(t, url)
    assert.equal(await refused(url, { origin: 'https://foreign.example' }), 403)
    assert.equal(await refused(url, { origin: 'null' }), 403)
  })
})

test('stopping closes every socket, twice over, and takes no new ones', async (t) => {
  const { url, tracker } = await socketServer(t)
  const a = await page(t, url)
  a.announce(binary())
  await a.next(isAnnounce)
  await Promise.all([tracker.stop(), tracker.stop()])
  assert.equal((await a.closed).code, 1001)
  assert.equal(await refused(url), 503)
  assert.equal(tracker.stats()['sockets'], 0)
  assert.equal(tracker.stats()['socket_peers'], 0)
})
