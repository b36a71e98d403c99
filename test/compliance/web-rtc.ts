/** What every WebRtc does, whether the fake in memory or the real one with native code in a child. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { type InfoHash, infoHash } from '../../src/base/hashes.ts'
import type { PeerChannel, WebRtc } from '../../src/base/ports/web-rtc.ts'

export const HASH: InfoHash = infoHash('11'.repeat(20))
const OTHER = infoHash('22'.repeat(20))
export const PEER_A = 'aa'.repeat(20)
export const PEER_B = 'bb'.repeat(20)

/** Two started peers that can reach each other. */
export interface WebRtcPair {
  a: WebRtc
  b: WebRtc
  stop(): Promise<void>
}

/** The next channel that opens; whoever asked before is not told any more. */
export const nextChannel = (peer: WebRtc): Promise<PeerChannel> =>
  new Promise((resolve) => peer.onChannel(resolve))

/** Lets `a` offer and `b` answer, as a tracker between them would. */
export async function connectPair(
  a: WebRtc,
  b: WebRtc,
  hash = HASH,
): Promise<[PeerChannel, PeerChannel]> {
  const both = Promise.all([nextChannel(a), nextChannel(b)])
  const [offer] = await a.offer(hash, 1)
  assert.ok(offer, 'no offer was made')
  const sdp = await b.answer(hash, { sdp: offer.sdp, peerId: PEER_A })
  await a.accept(offer.offerId, { sdp, peerId: PEER_B })
  return both
}

/** Exactly `length` bytes from the stream. */
export async function readBytes(stream: Duplex, length: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let got = 0
  return new Promise((resolve, reject) => {
    const onData = (part: Buffer) => {
      parts.push(part)
      got += part.length
      if (got < length) return
      done()
      resolve(Buffer.concat(parts))
    }
    const onClose = () => {
      done()
      reject(new Error(`closed after ${got} of ${length} bytes`))
    }
    const done = () => {
      stream.off('data', onData)
      stream.off('close', onClose)
    }
    stream.on('data', onData)
    stream.on('close', onClose)
  })
}

export function complyAsWebRtc(name: string, createPair: () => Promise<WebRtcPair>): void {
  describe(`${name} complies as WebRTC`, () => {
    let pair: WebRtcPair
    let a: WebRtc
    let b: WebRtc

    before(async () => {
      pair = await createPair()
      ;({ a, b } = pair)
    })
    after(async () => pair.stop())

    it('opens a channel on both sides of an accepted offer', async () => {
      const [here, there] = await connectPair(a, b)
      assert.equal(here.infoHash, HASH)
      assert.equal(there.infoHash, HASH)
      assert.equal(here.peerId, PEER_B)
      assert.equal(there.peerId, PEER_A)
      here.stream.destroy()
      there.stream.destroy()
    })

    it('moves bytes both ways in order', async () => {
      const [here, there] = await connectPair(a, b)
      const up = randomBytes(300_000)
      const down = randomBytes(200_000)
      const arrived = Promise.all([
        readBytes(there.stream, up.length),
        readBytes(here.stream, down.length),
      ])
      here.stream.write(up.subarray(0, 100_000))
      here.stream.write(up.subarray(100_000))
      there.stream.write(down)
      const [gotUp, gotDown] = await arrived
      assert.ok(gotUp.equals(up))
      assert.ok(gotDown.equals(down))
      here.stream.destroy()
    })

    it('delivers what was written before the stream ended', async () => {
      const [here, there] = await connectPair(a, b)
      // A stream closes when both directions ended, and nobody sees an end without reading.
      here.stream.resume()
      const bytes = randomBytes(150_000)
      const arrived = readBytes(there.stream, bytes.length)
      here.stream.end(bytes)
      assert.ok((await arrived).equals(bytes))
      if (!there.stream.closed) await once(there.stream, 'close')
    })

    it('closes the far stream when the near one is destroyed', async () => {
      const [here, there] = await connectPair(a, b)
      there.stream.resume()
      const closed = once(there.stream, 'close')
      here.stream.destroy()
      await closed
    })

    it('gives every offer an id of 20 bytes and an SDP of its own', async () => {
      const offers = await a.offer(OTHER, 3)
      assert.equal(offers.length, 3)
      for (const { offerId } of offers) assert.match(offerId, /^[0-9a-f]{40}$/)
      assert.equal(new Set(offers.map((offer) => offer.offerId)).size, 3)
      assert.equal(new Set(offers.map((offer) => offer.sdp)).size, 3)
      a.close(OTHER)
    })

    it('refuses an offer that is no SDP', async () => {
      for (const sdp of ['', 'v=0', 'x'.repeat(100_000), '\0']) {
        await assert.rejects(a.answer(HASH, { sdp, peerId: PEER_B }), {
          code: 'BTL_ERR_WEBRTC_BAD_SDP',
        })
      }
    })

    it('takes an answer to an offer nobody knows in silence, and one that is no SDP', async () => {
      await a.accept('ff'.repeat(20), { sdp: 'v=0', peerId: PEER_B })
      const [offer] = await a.offer(OTHER, 1)
      assert.ok(offer)
      await a.accept(offer.offerId, { sdp: 'v=0', peerId: PEER_B })
      a.close(OTHER)
    })

    it('ends the channels and offers of one torrent only', async () => {
      const [here] = await connectPair(a, b)
      const [other] = await connectPair(a, b, OTHER)
      here.stream.resume()
      other.stream.resume()
      const closed = once(other.stream, 'close')
      a.close(OTHER)
      await closed
      assert.equal(here.stream.destroyed, false)
      here.stream.destroy()
    })

    it('does nothing once its signal aborted', async () => {
      const signal = AbortSignal.abort()
      await assert.rejects(a.offer(HASH, 1, signal), { name: 'AbortError' })
      await assert.rejects(a.answer(HASH, { sdp: 'v=0', peerId: PEER_B }, signal), {
        name: 'AbortError',
      })
    })

    it('counts what it does', () => {
      const stats = a.stats()
      assert.ok((stats['channels_opened'] ?? 0) >= 5)
      assert.ok(Object.values(stats).every((value) => Number.isFinite(value)))
    })

    it('closes everything when it stops, and then refuses', async () => {
      const [here, there] = await connectPair(a, b)
      here.stream.resume()
      there.stream.resume()
      const closed = Promise.all([once(here.stream, 'close'), once(there.stream, 'close')])
      await a.stop()
      await closed
      assert.deepEqual(await a.offer(HASH, 2), [])
      const [offer] = await b.offer(HASH, 1)
      assert.ok(offer)
      await assert.rejects(a.answer(HASH, { sdp: offer.sdp, peerId: PEER_B }), {
        code: 'BTL_ERR_WEBRTC_ENDED',
      })
      await a.stop()
    })
  })
}
