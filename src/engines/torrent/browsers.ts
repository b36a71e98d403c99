/** Browsers that ask for a torrent by a WebRTC offer: who is answered, and where their channels go. */
import { createAllowance } from './allowance.ts'
import { messageOf } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { Log } from '../../base/ports/log.ts'
import type { PeerChannel, WebRtc } from '../../base/ports/web-rtc.ts'
import type { MetadataSearch } from './discovery/metadata-search.ts'
import type { Swarm } from './swarm.ts'

// Each takes half a second and some 300 KB until its channel is open.
const MAX_ANSWERING = 16
// A page may go through a list of what others announce; each torrent that is woken takes memory.
const WAKES_AT_ONCE = 20
const WAKES_A_SECOND = 1
const PEER_ID = /^[0-9a-f]{40}$/

export interface Offer {
  sdp: string
  /** 40 hex digits. */
  peerId: string
}

/** By a tracker at which the box announces the torrent itself, or by our own. */
export type Via = 'announced' | 'ours'

export interface BrowsersDeps {
  webrtc: WebRtc
  log: Log
  /** Ours, 40 hex digits. */
  peerId: () => string
  /** Joins the swarm of a torrent that is here; undefined where it is not. */
  visit: (infoHash: InfoHash) => Promise<{ swarm: Swarm; isPrivate: boolean } | undefined>
  /** Who looks for the info dict of a torrent that is not here yet. */
  searchOf: (infoHash: InfoHash) => Pick<MetadataSearch, 'hasPlace' | 'take'> | undefined
  /** The swarm of a torrent that is in one now. */
  swarmOf: (infoHash: InfoHash) => Swarm | undefined
}

export interface Browsers {
  /** From now on channels become peers. */
  start(): void
  /**
   * @returns undefined where nobody is to be answered; never throws but for the signal
   */
  answer(
    infoHash: InfoHash,
    offer: Offer,
    via: Via,
    signal?: AbortSignal,
  ): Promise<Offer | undefined>
  /** Completes one of our offers. Never throws. */
  accept(infoHash: InfoHash, offerId: string, answer: Offer): Promise<void>
}

export function createBrowsers(deps: BrowsersDeps): Browsers {
  const { webrtc, log } = deps
  const answering = new Set<string>()
  const wakes = createAllowance(WAKES_AT_ONCE, WAKES_A_SECOND)

  async function hasPlace(infoHash: InfoHash, peerId: string, via: Via): Promise<boolean> {
    if (deps.swarmOf(infoHash) === undefined && !wakes.take()) return false
    const place = await deps.visit(infoHash)
    if (place === undefined) return deps.searchOf(infoHash)?.hasPlace() === true
    // BEP 27: nobody says that our tracker is one of this torrent's.
    if (place.isPrivate && via === 'ours') return false
    return place.swarm.hasPlace(peerId)
  }

  function take(channel: PeerChannel): void {
    const swarm = deps.swarmOf(channel.infoHash)
    const search = deps.searchOf(channel.infoHash)
    // The connection's faults end it; whoever takes it looks at that.
    channel.stream.on('error', () => {})
    if (swarm) swarm.addChannel(channel)
    else if (search) search.take(channel.stream)
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
        if (!(await hasPlace(infoHash, offer.peerId, via))) return undefined
        return { sdp: await webrtc.answer(infoHash, offer, signal), peerId: deps.peerId() }
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
        if (await hasPlace(infoHash, peerId, 'announced'))
          await webrtc.accept(offerId, { sdp, peerId })
      } catch (error) {
        log.debug({ infoHash, err: messageOf(error) }, 'an answer to an offer was of no use')
      }
    },
  }
}
