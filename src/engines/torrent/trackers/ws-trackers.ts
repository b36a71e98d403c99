/** The WebSocket trackers of all torrents: one connection each, and who is announced where. */
import type { InfoHash } from '../../../base/hashes.ts'
import { trackerUrls } from '../../../base/hint-urls.ts'
import type { Log } from '../../../base/ports/log.ts'
import type { Stats } from '../../../base/ports/component.ts'
import type { SwarmConfig } from '../config.ts'
import type { Sought } from '../discovery/discovery.ts'
import { createHotSet } from './hot-set.ts'
import { createWsTracker, type Signaller, type WsTracker } from './ws-tracker.ts'

const MAX_TRACKERS = 20
const MAX_PER_TORRENT = 5
const TURN_MS = 5 * 60_000
const IDLE_MS = 60_000

export interface WsTrackersDeps {
  log: Log
  signaller: Signaller
  isBusy: (infoHash: InfoHash) => boolean
}

export interface WsTrackers {
  /** Looks for browsers that have it, until `signal`. */
  want(sought: Sought, signal: AbortSignal): void
  /** Lets browsers find it, in its turn, until `signal`. */
  seed(sought: Sought, signal: AbortSignal): void
  stats(): Stats
  stop(): void
}

/** What a torrent is at one tracker. */
interface Use {
  wants: number
  hot: boolean
  /** All of it is here. */
  whole: boolean
  state: 'wanted' | 'hot' | 'resting' | undefined
}

interface Kept {
  urls: readonly string[]
  whole: boolean
}

interface Place {
  tracker: WsTracker
  uses: Map<InfoHash, Use>
  closing: NodeJS.Timeout | undefined
}

const isWs = (url: string) => /^wss?:/.test(url)

export function createWsTrackers(deps: WsTrackersDeps, config: SwarmConfig): WsTrackers {
  const own = new Set(trackerUrls(config.announce_urls).filter(isWs))
  const places = new Map<string, Place>()
  let turning: NodeJS.Timeout | undefined

  function placeOf(url: string): Place | undefined {
    const place = places.get(url)
    if (place) return place
    if (places.size >= MAX_TRACKERS && !own.has(url)) return undefined
    const tracker = createWsTracker(new URL(url), deps, config.allow_local || own.has(url))
    const fresh = { tracker, uses: new Map<InfoHash, Use>(), closing: undefined }
    places.set(url, fresh)
    return fresh
  }

  function closeIfIdle(url: string, place: Place): void {
    clearTimeout(place.closing)
    if (!place.tracker.isIdle()) return
    place.closing = setTimeout(() => {
      if (!place.tracker.isIdle()) return
      places.delete(url)
      place.tracker.close()
    }, IDLE_MS).unref()
  }

  function change(url: string, infoHash: InfoHash, apply: (use: Use) => void, over = false): void {
    const place = placeOf(url)
    if (place === undefined) return
    const use = place.uses.get(infoHash) ?? { wants: 0, hot: false, whole: false, state: undefined }
    place.uses.set(infoHash, use)
    apply(use)
    const before = use.state
    use.state = use.wants > 0 ? 'wanted' : use.hot ? 'hot' : over ? undefined : 'resting'
    if (use.state === undefined) {
      place.uses.delete(infoHash)
      place.tracker.remove(infoHash)
    } else if (use.state === 'resting') place.tracker.rest(infoHash)
    else if (use.state !== before) place.tracker.add(infoHash, use.whole)
    closeIfIdle(url, place)
  }

  const hot = createHotSet<Kept>(
    {
      isBusy: deps.isBusy,
      begin(infoHash, { urls, whole }) {
        for (const url of urls)
          change(url, infoHash, (use) => {
            use.hot = true
            use.whole = whole
          })
      },
      end(infoHash, { urls }) {
        for (const url of urls)
          change(url, infoHash, (use) => {
            use.hot = false
          })
      },
    },
    config.webrtc_hot_torrents,
  )

  const hinted = ({ trackers }: Sought) =>
    config.trackers ? trackers.filter(isWs).slice(0, MAX_PER_TORRENT) : []

  return {
    want(sought, signal) {
      if (signal.aborted) return
      const { infoHash } = sought
      const urls = hinted(sought)
      for (const url of urls)
        change(url, infoHash, (use) => {
          use.wants += 1
        })
      const onAbort = () => {
        for (const url of urls) {
          const use = places.get(url)?.uses.get(infoHash)
          if (use) change(url, infoHash, (one) => void (one.wants -= 1), true)
        }
      }
      signal.addEventListener('abort', onAbort, { once: true })
    },
    seed(sought, signal) {
      if (signal.aborted) return
      const { infoHash, isPrivate } = sought
      // BEP 27: a private torrent is announced to its own trackers alone.
      const urls = [...new Set([...(isPrivate ? [] : own), ...hinted(sought)])]
      if (urls.length === 0) return
      hot.add(infoHash, { urls, whole: sought.isSeed === true })
      turning ??= setInterval(() => hot.turn(), TURN_MS).unref()
      const onAbort = () => {
        hot.remove(infoHash)
        for (const url of urls) {
          const use = places.get(url)?.uses.get(infoHash)
          if (use) change(url, infoHash, () => {}, true)
        }
      }
      signal.addEventListener('abort', onAbort, { once: true })
    },
    stats: () => ({ ws_trackers: places.size }),
    stop() {
      clearInterval(turning)
      turning = undefined
      for (const place of places.values()) {
        clearTimeout(place.closing)
        place.tracker.close()
      }
      places.clear()
    },
  }
}
