/** Browsers that ask for a torrent by a WebRTC offer: who is answered, and where their channels go. */
import { messageOf } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { Log } from '../../base/ports/log.ts'
import type { PeerChannel, WebRtc } from '../../base/ports/web-rtc.ts'
import type { Swarm } from './swarm.ts'

// Each takes half a second and some 300 KB until its channel is open.
const MAX_ANSWERING = 16
const PEER_ID = /^[0-9a-f]{40}$/

export interface Offer {
  sdp: string
  /** 40 hex digits. */
  peerId: string
}

export interface BrowsersDeps {
  webrtc: WebRtc
  log: Log
  /** Ours, 40 hex digits. */
  peerId: () => string
  /** Joins the swarm of a torrent that is here; undefined where it is not. */
  visit: (infoHash: InfoHash) => Promise<{ swarm: Swarm; isPrivate: boolean } | undefined>
  /** The swarm of a torrent that is in one now. */
  swarmOf: (infoHash: InfoHash) => Swarm | undefined
}

export interface Browsers {
  /** From now on channels become peers. */
  start(): void
  /**
   * @param via `announced`: by a tracker at which the box announces the torrent itself
   * @returns undefined where nobody is to be answered; never throws but for the signal
   */
  answer(
    infoHash: InfoHash,
    offer: Offer,
    via: 'announced' | 'ours',
    signal?: AbortSignal,
  ): Promise<Offer | undefined>
  /** Completes one of our offers. Never throws. */
  accept(infoHash: InfoHash, offerId: string, answer: Offer): Promise<void>
}

export function createBrowsers(deps: BrowsersDeps): Browsers {
  const { webrtc, log } = deps
  const answering = new Set<string>()

  async function reply(
    infoHash: InfoHash,
    offer: Offer,
    via: 'announced' | 'ours',
    signal?: AbortSignal,
  ): Promise<Offer | undefined> {
    const place = await deps.visit(infoHash)
    // BEP 27: nobody says that our tracker is one of this torrent's.
    if (place === undefined || (place.isPrivate && via === 'ours')) return undefined
    if (!place.swarm.hasPlace(offer.peerId)) return undefined
    return { sdp: await webrtc.answer(infoHash, offer, signal), peerId: deps.peerId() }
  }

  function take(channel: PeerChannel): void {
    const swarm = deps.swarmOf(channel.infoHash)
    if (swarm) swarm.addChannel(channel)
    else channel.stream.destroy()
  }

  return {
    start: () => webrtc.onChannel(take),
    // oxlint-disable-next-line max-params -- as at the port
    async answer(infoHash, offer, via, signal) {
      signal?.throwIfAborted()
      const key = `${infoHash} ${offer.peerId}`
      const isSane = PEER_ID.test(offer.peerId) && offer.peerId !== deps.peerId()
      if (!isSane || answering.has(key) || answering.size >= MAX_ANSWERING) return undefined
      answering.add(key)
      try {
        return await reply(infoHash, offer, via, signal)
      } catch (error) {
        signal?.throwIfAborted()
        log.debug({ infoHash, err: messageOf(error) }, 'a WebRTC offer was not answered')
        return undefined
      } finally {
        answering.delete(key)
      }
    },
    async accept(infoHash, offerId, { sdp, peerId }) {
      try {
        const place = await deps.visit(infoHash)
        if (place?.swarm.hasPlace(peerId) === true) await webrtc.accept(offerId, { sdp, peerId })
      } catch (error) {
        log.debug({ infoHash, err: messageOf(error) }, 'an answer to an offer was of no use')
      }
    },
  }
}
