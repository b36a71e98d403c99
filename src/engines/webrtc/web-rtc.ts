/** The room behind the port: who is connected or about to be, with the child doing the native work. */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { messageOf } from '../../base/errors.ts'
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
import { WebRtcBadPorts, WebRtcDisabled, WebRtcEnded, WebRtcFull } from './errors.ts'
import { parseIceServers } from './ice-servers.ts'
import { createLinks, type Link, type LinkLimits } from './links.ts'
import { createMdns, type Mdns } from './mdns.ts'
import { type Description, formatSdp, parseSdp, type SdpType } from './sdp.ts'
import { unlessAborted } from './unless-aborted.ts'

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

export interface WebRtcLimits extends KeeperLimits, LinkLimits {}

export const webRtcLimits: WebRtcLimits = {
  ...keeperLimits,
  offerMs: 50_000,
  connectMs: 20_000,
  unreadMs: 30_000,
}

const MAX_OFFERS_AT_ONCE = 10
// Whoever offered cannot take our packets before it has our answer; the library repeats the first
// only after half a second and a second. What comes from there needs no candidate.
const HEAD_START_MS = 250

/** The same file in the compiled tree (`.js`) and in the sources (`.ts`). */
const CHILD = new URL(`./child${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

/** What native code gets at first: candidates follow, each when it is its time. */
const withoutCandidates = (description: Description): string =>
  formatSdp({ ...description, candidates: [] })

export function createWebRtc(
  { log, clock, runDir, mdns = createMdns({ log, clock }), childEntry = CHILD }: WebRtcDeps,
  config: WebRtcConfig,
  limits: WebRtcLimits = webRtcLimits,
): WebRtc {
  const { max_connections: maxConnections } = config
  const iceServers = parseIceServers(config.stun_servers, config.turn_servers)
  const { port_min: portMin, port_max: portMax } = config
  if (portMin > portMax || (portMin === 0 && portMax > 0)) {
    throw new WebRtcBadPorts(portMin, portMax)
  }
  let take: (channel: PeerChannel) => void = (channel) => void channel.stream.destroy()
  let idle: NodeJS.Timeout | undefined
  let ending: Promise<void> | undefined
  let isRunning = false
  let starts = 0
  let badSdps = 0
  // Half of the room stays free for browsers that offer themselves.
  const maxOffers = Math.max(1, Math.floor(maxConnections / 2))

  const door = createChannelDoor(runDir, maxConnections, onStream)
  const links = createLinks(log, limits, (link) => {
    door.forget(link.key)
    keeper.tell({ do: 'close', key: link.key })
    if (links.size === 0 && isRunning) {
      idle = setTimeout(() => void endChild(), config.idle_time).unref()
    }
  })
  const keeper = createChildKeeper(
    {
      log,
      entry: childEntry,
      async setup() {
        starts += 1
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
        if (link?.stream) links.awaitReader(link, why)
        else if (link) links.drop(link, why)
      },
      onDeath: () => links.dropAll('the process ended'),
    },
    maxConnections,
    limits,
  )

  function reserve(infoHash: InfoHash, peerId: string, offerId?: string): Link {
    clearTimeout(idle)
    const link = links.reserve(infoHash, peerId, offerId)
    door.expect(link.key)
    return link
  }

  async function endChild(): Promise<void> {
    ending ??= keeper.end().finally(() => {
      ending = undefined
    })
    await ending
  }

  async function askChild(order: Parameters<ChildKeeper['ask']>[0]): Promise<string> {
    await ending
    if (!isRunning) throw new WebRtcEnded('it was stopped')
    await keeper.ready()
    // Given up while the child started: nobody would ever close it there.
    if (!links.get(order.key)) throw new WebRtcEnded('it was closed meanwhile')
    return keeper.ask(order)
  }

  /** The child's description; a link that gets none is dropped. */
  async function describe(
    link: Link,
    order: Parameters<ChildKeeper['ask']>[0],
    signal?: AbortSignal,
  ): Promise<string> {
    try {
      const sdp = await unlessAborted(askChild(order), signal)
      if (!links.isConnecting(link)) throw new WebRtcEnded('it was closed meanwhile')
      return sdp
    } catch (error) {
      links.drop(link, messageOf(error))
      throw error
    }
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
    links.attach(link, stream, greetingBytes)
    const { infoHash, peerId } = link
    try {
      take({ infoHash, peerId, ...(address && { address }), stream })
    } catch (error) {
      log.error({ infoHash, error }, 'nobody could take a channel')
      links.drop(link, 'not taken')
    }
  }

  function read(sdp: string, type: SdpType): Description {
    try {
      return parseSdp(sdp, type)
    } catch (error) {
      badSdps += 1
      throw error
    }
  }

  async function introduce(link: Link, candidate: Candidate, mid: string): Promise<void> {
    const host = isLocalName(candidate.host) ? await mdns.resolve(candidate.host) : candidate.host
    if (host === undefined || !isUsable(host) || !links.isConnecting(link)) return
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
    const sdp = await describe(link, { do: 'offer', key: link.key }, signal)
    links.awaitAccept(link)
    return { offerId, sdp }
  }

  function forgetOffer(offerId: string): void {
    const link = links.takeOffer(offerId)
    if (link) links.drop(link, 'not wanted any more')
  }

  return {
    name: 'webrtc',
    async start() {
      isRunning = true
    },
    async stop() {
      isRunning = false
      links.dropAll('stopped')
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
      if (links.size >= maxConnections) throw new WebRtcFull(maxConnections)
      const link = reserve(infoHash, offer.peerId)
      const order = { do: 'answer', key: link.key, sdp: withoutCandidates(description) } as const
      const sdp = await describe(link, order, signal)
      links.awaitChannel(link)
      links.later(link, HEAD_START_MS, () => introduceAll(link, description))
      return sdp
    },
    async offer(infoHash, count, signal) {
      signal?.throwIfAborted()
      if (!config.enabled || !isRunning) return []
      const room = Math.min(
        count,
        MAX_OFFERS_AT_ONCE,
        maxOffers - links.offers,
        maxConnections - links.size,
      )
      const outcomes = await Promise.allSettled(
        Array.from({ length: Math.max(0, room) }, () => makeOffer(infoHash, signal)),
      )
      const made = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      if (signal?.aborted === true) for (const { offerId } of made) forgetOffer(offerId)
      signal?.throwIfAborted()
      const failed = outcomes.find((one) => one.status === 'rejected')
      if (failed) {
        const error: unknown = failed.reason
        log.debug({ infoHash, error }, 'could not make all webrtc offers')
      }
      return made
    },
    async accept(offerId, answer) {
      const link = links.takeOffer(offerId)
      if (!link) return
      try {
        const description = read(answer.sdp, 'answer')
        link.peerId = answer.peerId
        links.awaitChannel(link)
        keeper.tell({ do: 'accept', key: link.key, sdp: withoutCandidates(description) })
        introduceAll(link, description)
      } catch (error) {
        links.drop(link, messageOf(error))
      }
    },
    close: (infoHash) => links.dropAll('closed', infoHash),
    onChannel(taker) {
      take = taker
    },
    stats: () => ({
      ...links.stats(),
      bad_sdp: badSdps,
      strangers_refused: door.refused(),
      child_starts: starts,
      child_deaths: keeper.deaths(),
      child_pid: keeper.pid() ?? 0,
    }),
  }
}
