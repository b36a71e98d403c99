/** The room behind the port: who is connected or about to be, with the child doing the native work. */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { printable } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'
import type { PeerChannel, WebRtc, WebRtcOffer } from '../../base/ports/web-rtc.ts'
import { type Candidate, formatCandidate, isLocalName, isUsable } from './candidate.ts'
import { createChannelDoor } from './channel-door.ts'
import {
  type ChildKeeper,
  createChildKeeper,
  type KeeperLimits,
  keeperLimits,
} from './child-keeper.ts'
import type { WebRtcConfig } from './config.ts'
import { WebRtcDisabled, WebRtcEnded, WebRtcFull } from './errors.ts'
import { parseIceServers } from './ice-servers.ts'
import { createMdns, type Mdns } from './mdns.ts'
import { type Description, formatSdp, parseSdp, type SdpType } from './sdp.ts'

export interface WebRtcDeps {
  log: Log
  clock: Clock
  /** An existing folder for the socket between this process and its child. */
  runDir: string
  /** Finds `.local` names; for tests. */
  mdns?: Mdns
  /** Program of the child; for tests. */
  childEntry?: URL
}

export interface WebRtcLimits extends KeeperLimits {
  /** An offer nobody accepted is forgotten after this; trackers hand them on within seconds. */
  offerMs: number
  /** From the exchange of descriptions to the open channel. */
  connectMs: number
  /** What is left in a stream whose far side is gone may be read for this long. */
  unreadMs: number
}

export const webRtcLimits: WebRtcLimits = {
  ...keeperLimits,
  offerMs: 50_000,
  connectMs: 20_000,
  unreadMs: 30_000,
}

interface Link {
  key: string
  infoHash: InfoHash
  offerId: string | undefined
  peerId: string
  timer: NodeJS.Timeout | undefined
  headStart: NodeJS.Timeout | undefined
  stream: Socket | undefined
  greetingBytes: number
}

const MAX_OFFERS_AT_ONCE = 10
// Whoever offered cannot take our packets before it has our answer; the library repeats the first
// only after half a second and a second. What comes from there needs no candidate.
const HEAD_START_MS = 250

/** The result, or the reason of the signal, whichever is first. */
async function unlessAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return work
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** The same file in the compiled tree (`.js`) and in the sources (`.ts`). */
const CHILD = new URL(`./child${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

export function createWebRtc(
  { log, clock, runDir, mdns = createMdns({ log, clock }), childEntry = CHILD }: WebRtcDeps,
  config: WebRtcConfig,
  limits: WebRtcLimits = webRtcLimits,
): WebRtc {
  const iceServers = parseIceServers(config.stun_servers, config.turn_servers)
  const links = new Map<string, Link>()
  const offers = new Map<string, Link>()
  const counts = { opened: 0, failed: 0, offersExpired: 0, badSdp: 0, starts: 0, in: 0, out: 0 }
  let take: (channel: PeerChannel) => void = (channel) => void channel.stream.destroy()
  let idle: NodeJS.Timeout | undefined
  let ending: Promise<void> | undefined
  let isRunning = false
  // Half of the room stays free for browsers that offer themselves.
  const maxOffers = Math.max(1, Math.floor(config.max_connections / 2))

  const door = createChannelDoor(runDir, config.max_connections, onStream)
  const keeper = createChildKeeper(
    {
      log,
      clock,
      entry: childEntry,
      async setup() {
        counts.starts += 1
        const { port_min: portMin, port_max: portMax, max_connections: maxConnections } = config
        return {
          do: 'setup',
          socketPath: await door.open(),
          iceServers,
          portMin,
          portMax,
          // Those it is about to close are still among its own.
          maxConnections: maxConnections * 2,
        }
      },
      onGone(key, why) {
        const link = links.get(key)
        if (!link) return
        if (!link.stream) drop(link, why)
        // It ends by itself once what the far side sent last is read, if somebody does.
        else link.timer = setTimeout(drop, limits.unreadMs, link, why).unref()
      },
      onDeath() {
        for (const link of links.values()) drop(link, 'the process ended')
      },
    },
    config.max_connections,
    limits,
  )

  function reserve(infoHash: InfoHash, peerId: string, offerId?: string): Link {
    clearTimeout(idle)
    const key = randomBytes(32).toString('hex')
    const link: Link = {
      key,
      infoHash,
      offerId,
      peerId,
      timer: undefined,
      headStart: undefined,
      stream: undefined,
      greetingBytes: 0,
    }
    links.set(key, link)
    door.expect(key)
    return link
  }

  function drop(link: Link, why: string): void {
    if (!links.delete(link.key)) return
    clearTimeout(link.timer)
    clearTimeout(link.headStart)
    if (link.offerId !== undefined) offers.delete(link.offerId)
    door.forget(link.key)
    keeper.tell({ do: 'close', key: link.key })
    if (link.stream) link.stream.destroy()
    else log.debug({ infoHash: link.infoHash, why: printable(why) }, 'no channel to a browser')
    if (links.size === 0 && isRunning) {
      idle = setTimeout(() => void endChild(), config.idle_time).unref()
    }
  }

  async function endChild(): Promise<void> {
    ending ??= keeper.end().finally(() => {
      ending = undefined
    })
    await ending
  }

  async function ask(order: Parameters<ChildKeeper['ask']>[0]): Promise<string> {
    await ending
    if (!isRunning) throw new WebRtcEnded('it was stopped')
    await keeper.ready()
    // Given up while the child started: nobody would ever close it there.
    if (!links.has(order.key)) throw new WebRtcEnded('it was closed meanwhile')
    return keeper.ask(order)
  }

  /** From here on only an open channel keeps the connection. */
  function connectInTime(link: Link): void {
    clearTimeout(link.timer)
    link.timer = setTimeout(() => {
      counts.failed += 1
      drop(link, `no channel within ${limits.connectMs} ms`)
    }, limits.connectMs).unref()
  }

  function onStream(
    key: string,
    stream: Socket,
    address: PeerAddress | undefined,
    greetingBytes: number,
  ): void {
    const link = links.get(key)
    if (!link || link.stream) {
      stream.destroy()
      return
    }
    clearTimeout(link.timer)
    if (link.offerId !== undefined) offers.delete(link.offerId)
    link.stream = stream
    link.greetingBytes = greetingBytes
    counts.opened += 1
    stream.once('close', () => {
      counts.in += stream.bytesRead - greetingBytes
      counts.out += stream.bytesWritten
      drop(link, 'closed')
    })
    const { infoHash, peerId } = link
    try {
      take({ infoHash, peerId, ...(address && { address }), stream })
    } catch (error) {
      log.error({ infoHash, error }, 'nobody could take a channel')
      drop(link, 'not taken')
    }
  }

  function read(sdp: string, type: SdpType): Description {
    try {
      return parseSdp(sdp, type)
    } catch (error) {
      counts.badSdp += 1
      throw error
    }
  }

  /** What native code gets at first: candidates follow, each when it is its time. */
  const withoutCandidates = (description: Description): string =>
    formatSdp({ ...description, candidates: [] })

  async function introduce(link: Link, candidate: Candidate, mid: string): Promise<void> {
    const host = isLocalName(candidate.host) ? await mdns.resolve(candidate.host) : candidate.host
    if (host === undefined || !isUsable(host)) return
    if (links.get(link.key) !== link || link.stream) return
    const literal = formatCandidate({ ...candidate, host })
    keeper.tell({ do: 'candidate', key: link.key, candidate: literal, mid })
  }

  /**
   * Tells the child where the far side is. Nobody waits for a name behind a candidate: the browser
   * reaches us meanwhile, unless something between us keeps it out until a packet comes from here.
   */
  function introduceAll(link: Link, { candidates, mid }: Description): void {
    for (const candidate of candidates) void introduce(link, candidate, mid)
  }

  async function makeOffer(infoHash: InfoHash, signal?: AbortSignal): Promise<WebRtcOffer> {
    const offerId = randomBytes(20).toString('hex')
    const link = reserve(infoHash, '', offerId)
    offers.set(offerId, link)
    try {
      const sdp = await unlessAborted(ask({ do: 'offer', key: link.key }), signal)
      if (!links.has(link.key)) throw new WebRtcEnded('it was closed meanwhile')
      link.timer = setTimeout(() => {
        counts.offersExpired += 1
        drop(link, 'nobody accepted')
      }, limits.offerMs).unref()
      return { offerId, sdp }
    } catch (error) {
      drop(link, 'no offer')
      throw error
    }
  }

  return {
    name: 'webrtc',
    async start() {
      isRunning = true
    },
    async stop() {
      isRunning = false
      for (const link of links.values()) drop(link, 'stopped')
      clearTimeout(idle)
      mdns.stop()
      await endChild()
      await door.close()
    },
    health() {
      const delayMs = keeper.delayMs()
      if (!config.enabled || delayMs === 0) return { status: 'ok', score: 100 }
      const detail = `its process keeps dying, ${keeper.deaths()} times so far`
      return { status: 'degraded', score: 30, detail }
    },
    async answer(infoHash, offer, signal) {
      signal?.throwIfAborted()
      if (!config.enabled) throw new WebRtcDisabled()
      if (!isRunning) throw new WebRtcEnded('it was stopped')
      // Junk starts no process.
      const description = read(offer.sdp, 'offer')
      if (links.size >= config.max_connections) throw new WebRtcFull(config.max_connections)
      const link = reserve(infoHash, offer.peerId)
      try {
        const order = { do: 'answer', key: link.key, sdp: withoutCandidates(description) } as const
        const sdp = await unlessAborted(ask(order), signal)
        if (!links.has(link.key)) throw new WebRtcEnded('it was closed meanwhile')
        connectInTime(link)
        link.headStart = setTimeout(introduceAll, HEAD_START_MS, link, description).unref()
        return sdp
      } catch (error) {
        drop(link, 'no answer')
        throw error
      }
    },
    async offer(infoHash, count, signal) {
      signal?.throwIfAborted()
      if (!config.enabled || !isRunning) return []
      const room = Math.min(
        count,
        MAX_OFFERS_AT_ONCE,
        maxOffers - offers.size,
        config.max_connections - links.size,
      )
      const made = await Promise.allSettled(
        Array.from({ length: Math.max(0, room) }, () => makeOffer(infoHash, signal)),
      )
      signal?.throwIfAborted()
      const failed = made.find((one) => one.status === 'rejected')
      if (failed) {
        const error: unknown = failed.reason
        log.debug({ infoHash, error }, 'could not make all webrtc offers')
      }
      return made.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    },
    async accept(offerId, answer) {
      const link = offers.get(offerId)
      if (!link) return
      offers.delete(offerId)
      link.offerId = undefined
      try {
        const description = read(answer.sdp, 'answer')
        link.peerId = answer.peerId
        connectInTime(link)
        keeper.tell({ do: 'accept', key: link.key, sdp: withoutCandidates(description) })
        introduceAll(link, description)
      } catch (error) {
        drop(link, String(error))
      }
    },
    close(infoHash) {
      for (const link of links.values()) if (link.infoHash === infoHash) drop(link, 'closed')
    },
    onChannel(taker) {
      take = taker
    },
    stats() {
      let [channels, received, sent] = [0, counts.in, counts.out]
      for (const { stream, greetingBytes } of links.values()) {
        if (!stream) continue
        channels += 1
        received += stream.bytesRead - greetingBytes
        sent += stream.bytesWritten
      }
      return {
        connections: links.size,
        channels,
        offers_pending: offers.size,
        offers_expired: counts.offersExpired,
        channels_opened: counts.opened,
        channels_failed: counts.failed,
        bad_sdp: counts.badSdp,
        bytes_received: received,
        bytes_sent: sent,
        strangers_refused: door.refused(),
        child_starts: counts.starts,
        child_deaths: keeper.deaths(),
        child_pid: keeper.pid() ?? 0,
      }
    },
  }
}
