/** Announces over HTTP and UDP to the trackers that links name, and what is kept here to those the owner configured. */
import { randomBytes, randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromHex } from '../../../base/bytes.ts'
import { trackerUrls } from '../../../base/hint-urls.ts'
import type { PeerAddress } from '../../../base/ports/dht-node.ts'
import type { Log } from '../../../base/ports/log.ts'
import { createBroadcast } from '../broadcast.ts'
import type { SwarmConfig } from '../config.ts'
import type { Sought } from '../discovery/discovery.ts'
import { createGuardedHttp } from './guarded-http.ts'
import { createSlots } from './slots.ts'
import { type Announce, decodeHttpReply, type TrackerReply } from './tracker-reply.ts'
import { announceUdp } from './tracker-udp.ts'

const MAX_REPLY_BYTES = 256 * 1024
const TIMEOUT_MS = 15_000
const MAX_TRACKERS = 20
const WANTED_PEERS = 50
const MIN_INTERVAL_MS = 60_000
const MAX_INTERVAL_MS = 60 * 60_000
const FIRST_RETRY_MS = 5000
const GOODBYE_MS = 2000
const KEPT_AT_ONCE = 8
// Before the metainfo is known nobody can say how much is left; zero would make us a seeder.
const UNKNOWN_LEFT = 16_384

export interface Trackers {
  /** Announces at once and whenever each tracker wants it again, until `signal`; then says good-bye. */
  announce(sought: Sought, signal: AbortSignal): AsyncIterable<PeerAddress[]>
  stop(): void
}

const percent = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

function announceUrl(url: URL, announce: Announce): string {
  const event = announce.event === 'none' ? '' : `&event=${announce.event}`
  const query =
    `info_hash=${percent(announce.infoHash)}&peer_id=${percent(announce.peerId)}` +
    `&port=${announce.port}&uploaded=0&downloaded=0&left=${announce.left}` +
    `&compact=1&numwant=${announce.wanted}&key=${announce.key.toString(16)}${event}`
  return `${url.href}${url.search === '' ? '?' : '&'}${query}`
}

const isAsked = (url: string) => /^(https?|udp):/.test(url)

export function createTrackers(
  deps: { log: Log; port: () => number },
  config: SwarmConfig,
): Trackers {
  const { log } = deps
  const peerId = Buffer.concat([Buffer.from('-BT0100-'), randomBytes(12)])
  const key = randomInt(2 ** 32)
  const own = new Set(trackerUrls(config.announce_urls).filter(isAsked))
  const http = createGuardedHttp(config.allow_local)
  // The owner may name trackers of the own network, strangers may not.
  const ownHttp = createGuardedHttp(true)
  // Thousands of seeded torrents wait for each other, and nobody who reads a page for them.
  const kept = createSlots(KEPT_AT_ONCE)

  async function once(url: URL, announce: Announce, signal: AbortSignal): Promise<TrackerReply> {
    const isOwn = own.has(url.href)
    if (url.protocol === 'udp:')
      return announceUdp(url, announce, config.allow_local || isOwn, signal)
    const { body } = await (isOwn ? ownHttp : http).get(
      announceUrl(url, announce),
      { maxBytes: MAX_REPLY_BYTES, timeoutMs: TIMEOUT_MS, accept: (status) => status === 200 },
      signal,
    )
    return decodeHttpReply(url.host, body)
  }

  async function keep(
    url: URL,
    sought: Sought,
    found: (peers: PeerAddress[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const announce: Announce = {
      infoHash: fromHex(sought.infoHash),
      peerId,
      key,
      port: deps.port(),
      left: sought.isSeed === true ? 0 : UNKNOWN_LEFT,
      event: 'started',
      wanted: WANTED_PEERS,
    }
    let retry = FIRST_RETRY_MS
    let known = false
    while (!signal.aborted) {
      let wait: number
      try {
        const event = known ? 'none' : 'started'
        const ask = async () => once(url, { ...announce, event }, signal)
        const reply = await (sought.isKept === true ? kept.run(ask, signal) : ask())
        known = true
        retry = FIRST_RETRY_MS
        found(reply.peers)
        wait = Math.min(Math.max(reply.intervalSeconds * 1000, MIN_INTERVAL_MS), MAX_INTERVAL_MS)
      } catch (error) {
        if (!signal.aborted)
          log.debug(
            { infoHash: sought.infoHash, tracker: url.host, err: error },
            'a tracker failed',
          )
        wait = retry
        retry = Math.min(retry * 2, MAX_INTERVAL_MS)
      }
      await sleep(wait, undefined, { signal, ref: false }).catch(() => {})
    }
    if (!known) return
    await once(
      url,
      { ...announce, event: 'stopped', wanted: 0 },
      AbortSignal.timeout(GOODBYE_MS),
    ).catch(() => {})
  }

  return {
    async *announce(sought, signal) {
      // BEP 27: a private torrent is announced to its own trackers alone.
      const all = [
        ...(sought.isKept === true && !sought.isPrivate ? own : []),
        ...(config.trackers ? sought.trackers.filter(isAsked) : []),
      ]
      const urls = [...new Set(all)].slice(0, MAX_TRACKERS)
      if (urls.length === 0) return
      const batches = createBroadcast<PeerAddress[]>(MAX_TRACKERS)
      const reading = batches.subscribe(signal)
      for (const url of urls) {
        keep(new URL(url), sought, (peers) => batches.emit(peers), signal).catch((error: unknown) =>
          log.debug({ tracker: url, err: error }, 'a tracker cannot be asked'),
        )
      }
      for await (const some of reading) yield some.flat()
    },
    stop() {
      http.close()
      ownHttp.close()
    },
  }
}
