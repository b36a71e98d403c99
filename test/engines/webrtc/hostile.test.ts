import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isBtlError } from '../../../src/base/errors.ts'
import type { Candidate } from '../../../src/engines/webrtc/candidate.ts'
import { asOrder, asReport } from '../../../src/engines/webrtc/messages.ts'
import { type Description, formatSdp } from '../../../src/engines/webrtc/sdp.ts'
import { connectPair, HASH, PEER_B } from '../../compliance/web-rtc.ts'
import { CHROMIUM_OFFER, LIBDATACHANNEL_OFFER } from './sdp-samples.ts'
import { startWebRtc } from './support.ts'

// Ours: what native code makes of it is looked at, not where it sends its packets.
const candidate: fc.Arbitrary<Candidate> = fc.record({
  foundation: fc.stringMatching(/^[A-Za-z0-9+/]{1,32}$/),
  priority: fc.oneof(
    fc.constantFrom(1, 2 ** 31, 2 ** 32 - 1),
    fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  ),
  host: fc.constantFrom('127.0.0.1', '::1', '127.255.255.254'),
  port: fc.integer({ min: 1024, max: 65_535 }),
  type: fc.constantFrom('host', 'srflx', 'prflx', 'relay'),
})

const digest = (bytes: number) =>
  randomBytes(bytes)
    .toString('hex')
    .toUpperCase()
    .replace(/..(?!$)/g, '$&:')

/** All that passes our reading, at its ends too. */
const description = (type: 'offer' | 'answer'): fc.Arbitrary<Description> =>
  fc.record({
    type: fc.constant(type),
    mid: fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,32}$/),
    iceUfrag: fc.stringMatching(/^[A-Za-z0-9+/]{4,256}$/),
    icePwd: fc.stringMatching(/^[A-Za-z0-9+/]{22,256}$/),
    fingerprint: fc.constantFrom(
      `sha-256 ${digest(32)}`,
      `sha-384 ${digest(48)}`,
      `sha-512 ${digest(64)}`,
    ),
    setup: fc.constantFrom(
      'active',
      'passive',
      ...(type === 'offer' ? (['actpass'] as const) : []),
    ),
    sctpPort: fc.constantFrom(1, 5000, 65_535),
    maxMessageSize: fc.constantFrom(0, 1200, 65_536, 2 ** 31),
    candidates: fc.array(candidate, { maxLength: 16 }),
  })

const tolerate = (error: unknown) => assert.ok(isBtlError(error), String(error))

describe('native code', () => {
  it('survives every offer that passes our reading', async (t) => {
    const room = await startWebRtc(t, { config: { max_connections: 100 } })
    for (const one of fc.sample(description('offer'), 60)) {
      await room.answer(HASH, { sdp: formatSdp(one), peerId: PEER_B }).catch(tolerate)
    }
    // Long enough for candidates to follow.
    await new Promise((resolve) => setTimeout(resolve, 500))
    room.close(HASH)
    assert.equal((await room.offer(HASH, 1)).length, 1)
    assert.equal(room.stats()['child_deaths'], 0)
  })

  it('survives every answer that passes our reading', async (t) => {
    const room = await startWebRtc(t, { config: { max_connections: 20 } })
    for (const one of fc.sample(description('answer'), 60)) {
      const [offer] = await room.offer(HASH, 1)
      assert.ok(offer)
      await room.accept(offer.offerId, { sdp: formatSdp(one), peerId: PEER_B })
      if (Math.random() < 0.3) room.close(HASH)
      if ((room.stats()['connections'] ?? 0) > 8) room.close(HASH)
    }
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(room.stats()['child_deaths'], 0)
  })

  it('survives real descriptions with bytes changed', async (t) => {
    const room = await startWebRtc(t, { config: { max_connections: 200 } })
    const house = LIBDATACHANNEL_OFFER.replaceAll(/192\.0\.2\.2|fd00::2/g, '127.0.0.1')
    let answered = 0
    for (const base of [CHROMIUM_OFFER.replace(/a=candidate.*\r\n/, ''), house]) {
      const mutated = fc
        .array(fc.tuple(fc.nat(base.length - 1), fc.integer({ min: 0x20, max: 0x7e })), {
          minLength: 1,
          maxLength: 4,
        })
        .map((changes) => {
          const bytes = Buffer.from(base)
          for (const [at, byte] of changes) bytes[at] = byte
          return bytes.toString().replaceAll(/(?:\d{1,3}\.){3}\d{1,3}/g, '127.0.0.1')
        })
      for (const sdp of fc.sample(mutated, 150)) {
        await room.answer(HASH, { sdp, peerId: PEER_B }).then(() => {
          answered += 1
        }, tolerate)
        if ((room.stats()['connections'] ?? 0) > 30) room.close(HASH)
      }
    }
    assert.ok(answered > 20, `${answered} were answered`)
    assert.equal(room.stats()['child_deaths'], 0)
  })

  it('survives connections that come and go at once', async (t) => {
    const [a, b] = [await startWebRtc(t), await startWebRtc(t)]
    for (let i = 0; i < 15; i++) {
      const [here, there] = await connectPair(a, b)
      here.stream.write(Buffer.alloc(200_000))
      if (i % 3 === 0) here.stream.destroy()
      else if (i % 3 === 1) a.close(HASH)
      else there.stream.destroy()
      here.stream.destroy()
      there.stream.destroy()
    }
    assert.equal(a.stats()['child_deaths'], 0)
    assert.equal(b.stats()['child_deaths'], 0)
  })
})

describe('messages between the room and its child', () => {
  const key = 'ab'.repeat(32)

  it('are taken where they are whole', () => {
    for (const order of [
      { do: 'answer', key, sdp: 'v=0' },
      { do: 'offer', key },
      { do: 'accept', key, sdp: 'v=0' },
      { do: 'candidate', key, candidate: 'candidate:', mid: '0' },
      { do: 'close', key },
      { do: 'end' },
    ]) {
      assert.deepEqual(asOrder(order), order)
    }
    for (const report of [
      { say: 'ready' },
      { say: 'sdp', key, sdp: 'v=0' },
      { say: 'gone', key, why: 'x' },
      { say: 'refused', key, why: 'x', isFull: true },
    ]) {
      assert.deepEqual(asReport(report), report)
    }
  })

  it('are nothing where they are anything else', () => {
    const long = 'x'.repeat(40_000)
    for (const junk of [
      null,
      1,
      'x',
      {},
      { do: 'offer' },
      { do: 'offer', key: 'x' },
      { do: key, key },
    ]) {
      assert.equal(asOrder(junk), undefined)
    }
    assert.equal(asOrder({ do: 'answer', key, sdp: long }), undefined)
    assert.equal(asReport({ say: 'sdp', key, sdp: long }), undefined)
    fc.assert(
      fc.property(fc.anything(), (message) => {
        assert.equal(asOrder(message), undefined)
        assert.equal(asReport(message), undefined)
      }),
    )
  })
})
