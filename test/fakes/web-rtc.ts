/** WebRTC in memory: all peers of one `createFakeWebRtcNet` can be connected to each other. */
import { randomBytes } from 'node:crypto'
import { type Duplex, duplexPair } from 'node:stream'
import { declareError } from '../../src/base/errors.ts'
import type { InfoHash } from '../../src/base/hashes.ts'
import type { PeerChannel, WebRtc } from '../../src/base/ports/web-rtc.ts'

const BadSdp = declareError('BTL_ERR_WEBRTC_BAD_SDP', 'not an SDP for a data channel: %s', 400)
const Full = declareError('BTL_ERR_WEBRTC_FULL', 'no room for another of %s connections', 503)
const Ended = declareError('BTL_ERR_WEBRTC_ENDED', 'WebRTC is not running', 503)

export interface FakeWebRtcPeer extends WebRtc {
  /** Streams that are open now. */
  channels(): Duplex[]
  /** Offers made and neither accepted nor closed. */
  pendingOffers(): number
  /** As when the process with the native code dies: every channel closes, offers are forgotten. */
  crash(): void
}

export interface FakeWebRtcNet {
  /** @param options.room how many channels and offers at a time; @param options.host its address */
  peer(options?: { room?: number; host?: string }): FakeWebRtcPeer
}

type Take = (peerId: string, stream: Duplex, host: string) => void

/** A half that is open: `take` is called when the other side completes it. */
interface Half {
  infoHash: InfoHash
  host: string
  take: Take
}

/** Two streams that end together, as the two ends of a data channel do. */
function channelPair(): [Duplex, Duplex] {
  const [a, b] = duplexPair({ allowHalfOpen: false })
  a.once('close', () => b.destroy())
  b.once('close', () => a.destroy())
  return [a, b]
}

export function createFakeWebRtcNet(): FakeWebRtcNet {
  const offered = new Map<string, Half>()
  const answered = new Map<string, Half>()

  function peer({ room = 100, host = '127.0.0.1' } = {}): FakeWebRtcPeer {
    const offers = new Map<string, { infoHash: InfoHash; sdp: string }>()
    const channels = new Map<Duplex, InfoHash>()
    let take: (channel: PeerChannel) => void = (channel) => void channel.stream.destroy()
    let isEnded = false
    let opened = 0

    function open(infoHash: InfoHash, peerId: string, stream: Duplex, from: string): void {
      opened += 1
      channels.set(stream, infoHash)
      stream.once('close', () => channels.delete(stream))
      // Whoever takes it adds a listener of their own; a fault before that is nobody's crash.
      stream.on('error', () => undefined)
      take({ infoHash, peerId, address: { host: from, port: 50_000 }, stream })
    }

    function forget(offerId: string): void {
      const offer = offers.get(offerId)
      if (offer) offered.delete(offer.sdp)
      offers.delete(offerId)
    }

    function end(which: (infoHash: InfoHash) => boolean): void {
      for (const [id, offer] of offers) if (which(offer.infoHash)) forget(id)
      for (const [stream, infoHash] of channels) if (which(infoHash)) stream.destroy()
    }

    return {
      name: 'webrtc',
      channels: () => [...channels.keys()],
      pendingOffers: () => offers.size,
      crash: () => end(() => true),
      async start() {
        isEnded = false
      },
      async stop() {
        isEnded = true
        end(() => true)
      },
      health: () => ({ status: 'ok', score: 100 }),
      async answer(infoHash, offer, signal) {
        signal?.throwIfAborted()
        if (isEnded) throw new Ended()
        if (!/^fake-offer:[0-9a-f]+$/.test(offer.sdp)) throw new BadSdp('it is not of this fake')
        if (channels.size + offers.size >= room) throw new Full(room)
        const sdp = `fake-answer:${offer.sdp.slice('fake-offer:'.length)}`
        answered.set(sdp, {
          infoHash,
          host,
          take: (_peerId, stream, from) => open(infoHash, offer.peerId, stream, from),
        })
        return sdp
      },
      async offer(infoHash, count, signal) {
        signal?.throwIfAborted()
        const made = []
        while (!isEnded && made.length < count && channels.size + offers.size < room) {
          const offerId = randomBytes(20).toString('hex')
          const sdp = `fake-offer:${offerId}`
          offers.set(offerId, { infoHash, sdp })
          offered.set(sdp, {
            infoHash,
            host,
            take: (peerId, stream, from) => open(infoHash, peerId, stream, from),
          })
          made.push({ offerId, sdp })
        }
        return made
      },
      async accept(offerId, answer) {
        const offer = offers.get(offerId)
        const mine = offer && offered.get(offer.sdp)
        const theirs = answered.get(answer.sdp)
        forget(offerId)
        answered.delete(answer.sdp)
        if (!mine || !theirs) return
        const [here, there] = channelPair()
        mine.take(answer.peerId, here, theirs.host)
        theirs.take('', there, mine.host)
      },
      close: (infoHash) => end((one) => one === infoHash),
      onChannel(taker) {
        take = taker
      },
      stats: () => ({
        channels: channels.size,
        offers_pending: offers.size,
        channels_opened: opened,
      }),
    }
  }

  return { peer }
}
