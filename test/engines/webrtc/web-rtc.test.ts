import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { infoHash } from '../../../src/base/hashes.ts'
import type { WebRtc } from '../../../src/base/ports/web-rtc.ts'
import { connectPair, HASH, PEER_A, PEER_B } from '../../compliance/web-rtc.ts'
import { until } from '../../support/until.ts'
import { CHROMIUM_OFFER } from './sdp-samples.ts'
import { startWebRtc } from './support.ts'

const MIB = 1024 * 1024
const stat = (room: WebRtc, name: string): number => room.stats()[name] ?? Number.NaN

/** Most memory the room's child had, in MiB. */
async function childPeak(room: WebRtc): Promise<number> {
  const status = await readFile(`/proc/${stat(room, 'child_pid')}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

const OFFER = { sdp: CHROMIUM_OFFER.replace(/a=candidate.*\r\n/, ''), peerId: PEER_A }

describe('offers and answers', () => {
  it('are forgotten where nobody accepts in time', async (t) => {
    const room = await startWebRtc(t, { limits: { offerMs: 150 } })
    const offers = await room.offer(HASH, 3)
    assert.equal(offers.length, 3)
    await until('they are forgotten', () => stat(room, 'offers_pending') === 0)
    assert.equal(stat(room, 'offers_expired'), 3)
    assert.equal(stat(room, 'connections'), 0)
    for (const { offerId } of offers) await room.accept(offerId, OFFER)
  })

  it('are given up where no channel opens in time', async (t) => {
    const room = await startWebRtc(t, { limits: { connectMs: 150 } })
    await room.answer(HASH, OFFER)
    assert.equal(stat(room, 'connections'), 1)
    await until('it is given up', () => stat(room, 'connections') === 0)
    assert.equal(stat(room, 'channels_failed'), 1)
    const [offer] = await room.offer(HASH, 1)
    assert.ok(offer)
    const sdp = OFFER.sdp.replace('actpass', 'active')
    await room.accept(offer.offerId, { sdp, peerId: PEER_B })
    await until('it is given up as well', () => stat(room, 'channels_failed') === 2)
  })

  it('are bounded, and offers leave half of the room to answers', async (t) => {
    const room = await startWebRtc(t, { config: { max_connections: 4 } })
    assert.equal((await room.offer(HASH, 10)).length, 2)
    assert.equal((await room.offer(HASH, 10)).length, 0)
    await room.answer(HASH, OFFER)
    await room.answer(HASH, OFFER)
    await assert.rejects(room.answer(HASH, OFFER), { code: 'BTL_ERR_WEBRTC_FULL', statusCode: 503 })
    room.close(HASH)
    await room.answer(HASH, OFFER)
  })

  it('stay bounded however many ask at once', async (t) => {
    const room = await startWebRtc(t, { config: { max_connections: 6 } })
    const all = [
      ...Array.from({ length: 20 }, () => room.answer(HASH, OFFER)),
      ...Array.from({ length: 20 }, () => room.offer(HASH, 10)),
    ]
    await Promise.allSettled(all)
    assert.ok(stat(room, 'connections') <= 6)
  })

  it('are made on the UDP ports that the configuration allows', async (t) => {
    const config = { port_min: 41_000, port_max: 41_009 }
    const room = await startWebRtc(t, { config })
    for (const { sdp } of await room.offer(HASH, 3)) {
      for (const [, port] of sdp.matchAll(/ udp \d+ \S+ (\d+) typ host/gi)) {
        assert.match(port ?? '', /^4100\d$/)
      }
    }
  })

  it('need both ends of the UDP ports, in order', async (t) => {
    const refused = async (port_min: number, port_max: number) =>
      assert.rejects(startWebRtc(t, { config: { port_min, port_max } }), {
        code: 'BTL_ERR_WEBRTC_BAD_PORTS',
        message: `webrtc.port_min ${port_min} and port_max ${port_max} are no range: give both, or neither`,
      })
    await refused(50_000, 0)
    await refused(0, 50_000)
    await refused(50_000, 40_000)
  })

  it('are refused where WebRTC is switched off', async (t) => {
    const room = await startWebRtc(t, { config: { enabled: false } })
    await assert.rejects(room.answer(HASH, OFFER), { code: 'BTL_ERR_WEBRTC_DISABLED' })
    assert.deepEqual(await room.offer(HASH, 3), [])
    assert.equal(stat(room, 'child_starts'), 0)
    assert.equal((await room.health()).status, 'ok')
  })

  it('with a fingerprint of nobody do not end the process', async (t) => {
    const room = await startWebRtc(t)
    // Well-formed; only the handshake would show it.
    const sdp = OFFER.sdp.replace(/sha-256 \S+/, `sha-512 ${'AB:'.repeat(63)}AB`)
    await room.answer(HASH, { sdp, peerId: PEER_A })
    assert.equal((await room.offer(HASH, 1)).length, 1)
    assert.equal(stat(room, 'child_deaths'), 0)
  })
})

describe('an open channel', () => {
  it('knows where the far side is, and is counted', async (t) => {
    const [a, b] = [await startWebRtc(t), await startWebRtc(t)]
    const [here, there] = await connectPair(a, b)
    for (const { stream } of [here, there]) stream.resume()
    assert.ok(here.address && here.address.port > 0)
    assert.equal(stat(a, 'channels'), 1)
    here.stream.end('bye')
    await until('it is closed', () => stat(a, 'connections') + stat(b, 'connections') === 0)
    assert.equal(stat(a, 'bytes_sent'), 3)
    assert.equal(stat(b, 'bytes_received'), 3)
  })

  it('is closed where nobody takes it, or who takes it throws', async (t) => {
    const [a, b] = [await startWebRtc(t), await startWebRtc(t)]
    a.onChannel(() => {
      throw new Error('no thanks')
    })
    b.onChannel(({ stream }) => stream.resume())
    const [offer] = await a.offer(HASH, 1)
    assert.ok(offer)
    const sdp = await b.answer(HASH, { sdp: offer.sdp, peerId: PEER_A })
    await a.accept(offer.offerId, { sdp, peerId: PEER_B })
    await until('it was opened', () => stat(a, 'channels_opened') === 1)
    await until('it is closed', () => stat(a, 'connections') + stat(b, 'connections') === 0)
  })

  it('slows the writer down instead of filling the memory', async (t) => {
    const [a, b] = [await startWebRtc(t), await startWebRtc(t)]
    const [here, there] = await connectPair(a, b)
    const before = await childPeak(a)
    let got = 0
    there.stream.on('data', (part: Buffer) => {
      got += part.length
    })
    const total = 48 * MIB
    for (let sent = 0; sent < total; sent += MIB) {
      if (!here.stream.write(Buffer.alloc(MIB))) await once(here.stream, 'drain')
    }
    await until('all has arrived', () => got === total)
    const grown = (await childPeak(a)) - before
    assert.ok(grown < 40, `${grown} MiB for ${total / MIB} MiB`)
    here.stream.destroy()
  })

  it('is cut where the far side sends more than is read, in bounded memory', async (t) => {
    const [a, b] = [await startWebRtc(t), await startWebRtc(t)]
    const [here, there] = await connectPair(a, b)
    const before = await childPeak(b)
    here.stream.resume()
    const closed = new Promise<void>((resolve) => here.stream.once('close', resolve))
    const pour = () => {
      while (!here.stream.destroyed && here.stream.write(Buffer.alloc(MIB / 4)));
    }
    here.stream.on('drain', pour)
    pour()
    await closed
    const grown = (await childPeak(b)) - before
    assert.ok(grown < 80, `${grown} MiB`)
    there.stream.destroy()
  })

  it('does not stay where its far side is gone and nobody reads', async (t) => {
    const a = await startWebRtc(t, { limits: { unreadMs: 100 } })
    const b = await startWebRtc(t)
    const [here, there] = await connectPair(a, b)
    const closed = once(here.stream, 'close')
    there.stream.end('unread')
    await closed
    assert.equal(stat(a, 'connections'), 0)
  })

  it('is one of several, each with its own bytes', async (t) => {
    const [a, b] = [await startWebRtc(t), await startWebRtc(t)]
    const pairs = []
    for (let i = 0; i < 4; i++) {
      pairs.push(await connectPair(a, b, infoHash(`${i}`.repeat(40))))
    }
    await Promise.all(
      pairs.map(async ([here, there], i) => {
        here.stream.write(`number ${i}`)
        assert.equal(String((await once(there.stream, 'data'))[0]), `number ${i}`)
      }),
    )
    assert.equal(stat(a, 'channels'), 4)
  })
})
