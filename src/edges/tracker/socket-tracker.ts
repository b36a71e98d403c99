/**
 * The tracker's WebSocket side: WebTorrent's signalling between browsers, and between them and the
 * box. Pages of any origin may connect, as a browser does not say which of them asks for whom: what
 * a foreign page learns is whether the box has a torrent whose infohash it knows, how many peers
 * that has, and the addresses in the offers and answers of those that take part, as any peer does.
 * It can make the box answer a bounded number of offers, for torrents that the box gives to
 * everybody. `socket_origins` keeps strangers' pages out.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { utf8Text } from '../../base/bytes.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Stats } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'
import { refuseSocket } from '../http/index.ts'
import type { TrackerConfig } from './config.ts'
import type { TrackerBox } from './deps.ts'
import { TrackerForeignOrigin, TrackerSocketsFull, TrackerTooManySockets } from './errors.ts'
import { createBoxDesk } from './socket-box.ts'
import type { Bucket } from './rate-limit.ts'
import { type AddressRecord, createSocketGuard } from './socket-guard.ts'
import { SOCKET_LIMITS, type SocketLimits } from './socket-limits.ts'
import { createConversation, type Session, type Tracked } from './socket-session.ts'
import { createSocketSwarms } from './socket-swarm.ts'
import { createSocketWriter } from './socket-writer.ts'

export interface SocketTrackerDeps extends Tracked {
  box: TrackerBox
  clientAddress(req: IncomingMessage): string
  log: Log
  clock: Clock
}

export interface SocketTracker {
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Peers by WebSocket alone. */
  counts(infoHash: InfoHash): { complete: number; incomplete: number }
  stats(): Stats
  stop(): Promise<void>
}

interface Line extends Session {
  readonly ws: WebSocket
  readonly address: AddressRecord
  readonly bucket: Bucket
  readonly bornAt: number
  /** Beats since the last frame of any kind. */
  quiet: number
  faults: number
  dropped: number
}

/** As bittorrent-tracker does: browsers come and go faster than clients. */
const INTERVAL_SHARE = 5
const SOON_SECONDS = 30
const GOODBYE_MS = 300
// RFC 6455 section 7.4.1.
const GOING_AWAY = 1001
const POLICY = 1008

/**
 * @param limits as they are, but for tests
 */
export function createSocketTracker(
  deps: SocketTrackerDeps,
  config: TrackerConfig,
  limits: SocketLimits = SOCKET_LIMITS,
): SocketTracker {
  const lines = new Set<Line>()
  /** Those that said nothing yet, the oldest first: the first to go when there is no room. */
  const silent = new Set<Line>()
  const cuts = { silent: 0, slow: 0, faulty: 0, flooding: 0, displaced: 0 }
  let turnedAway = 0
  let beat = 0
  let stopped = false

  const address = { perSecond: config.requests_per_second, burst: config.burst }
  const guard = createSocketGuard(
    {
      maxSockets: config.max_sockets,
      maxSocketsPerAddress: config.max_sockets_per_address,
      address,
      // Several pages of a house share an address: none of them may take all of its budget.
      socket: {
        perSecond: Math.ceil(address.perSecond / 2),
        burst: Math.ceil(address.burst / 2),
      },
    },
    deps.clock,
  )
  const swarms = createSocketSwarms<Session>({
    maxMembers: config.max_peers,
    maxSwarms: config.max_torrents,
    maxMembersPerSwarm: config.max_peers_per_torrent,
    maxUnanswered: limits.maxUnanswered,
    answerBeats: limits.answerBeats,
  })
  const desk = createBoxDesk<Session>(
    {
      box: deps.box,
      present: (member) => swarms.find(member.swarm.infoHash, member.peerId) === member,
      beat: () => beat,
    },
    limits,
  )
  const intervalSeconds = Math.max(1, Math.ceil(config.announce_interval / 1000 / INTERVAL_SHARE))
  const conversation = createConversation({
    swarms,
    desk,
    tracked: deps,
    beat: () => beat,
    intervalSeconds,
    soonSeconds: Math.min(SOON_SECONDS, intervalSeconds),
    limits,
  })
  // Two intervals and a little, as an announce may be late.
  const expiryBeats = Math.ceil((intervalSeconds * 2000) / limits.beatMs) + 1

  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.maxFrameBytes,
    // A frame of 64 KiB in pieces of a few bytes would cost a hundred times its size.
    maxFragments: 64,
    maxBufferedChunks: 512,
  })

  function cut(line: Line, why: keyof typeof cuts): void {
    if (!lines.has(line)) return
    cuts[why]++
    const { ws } = line
    if (why === 'faulty' || why === 'flooding') {
      ws.close(POLICY, `${why} messages`)
      // The reason leaves with the turn.
      setImmediate(() => ws.terminate())
    } else ws.terminate()
    forget(line)
  }

  function forget(line: Line): void {
    if (!lines.delete(line)) return
    silent.delete(line)
    guard.leave(line.address)
    conversation.left(line)
  }

  function heard(line: Line, data: RawData | undefined, binary: boolean): void {
    // What lay in the receiver when the line was cut.
    if (!lines.has(line)) return
    line.quiet = 0
    if (!guard.mayTalk(line.bucket, line.address)) {
      if (++line.dropped > limits.maxDropped) cut(line, 'flooding')
      return
    }
    if (data === undefined || !Buffer.isBuffer(data)) return
    // The library looked at the UTF-8 of text already.
    const text = binary ? utf8Text(data) : data.toString()
    if (conversation.hear(line, text ?? '')) silent.delete(line)
    else if (++line.faults > limits.maxFaults) cut(line, 'faulty')
  }

  function open(ws: WebSocket, socket: Duplex, address: AddressRecord): void {
    const write = createSocketWriter(ws, socket, limits.maxBufferedBytes)
    const line: Line = {
      ws,
      address,
      payer: address.key,
      bucket: guard.socketBucket(),
      bornAt: beat,
      members: new Map(),
      spokeAt: undefined,
      quiet: 0,
      faults: 0,
      dropped: 0,
      send(text) {
        if (!write(text)) cut(line, 'slow')
      },
      mayJoin: () =>
        config.max_peers_per_address === 0 || address.members < config.max_peers_per_address,
      joined: (change) => void (address.members += change),
    }
    lines.add(line)
    silent.add(line)
    timer ??= setInterval(look, limits.beatMs).unref()
    ws.on('message', (data, binary) => heard(line, data, binary))
    ws.on('ping', () => heard(line, undefined, true))
    ws.on('pong', () => heard(line, undefined, true))
    // Frames that break RFC 6455 or are too large: the library closes, and `close` follows.
    ws.on('error', () => undefined)
    ws.on('close', () => forget(line))
  }

  function turnAway(socket: Duplex, error: Error): void {
    turnedAway++
    socket.on('error', () => socket.destroy())
    refuseSocket(socket, error)
  }

  function originAllowed({ origin }: IncomingMessage['headers']): boolean {
    // Clients that are no browsers send none.
    if (origin === undefined || config.socket_origins.length === 0) return true
    return config.socket_origins.includes(origin)
  }

  let timer: NodeJS.Timeout | undefined

  function look(): void {
    beat++
    guard.forget()
    for (const line of lines) {
      conversation.expire(line, expiryBeats)
      line.quiet++
      const mute = line.spokeAt === undefined && beat - line.bornAt >= limits.silentBeats
      const useless = line.members.size === 0 && beat - (line.spokeAt ?? beat) > expiryBeats
      if (mute || useless || line.quiet >= limits.silentBeats) cut(line, 'silent')
      else if (line.quiet === limits.pingBeats) line.ws.ping()
    }
    if (lines.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  return {
    upgrade(req, socket, head) {
      if (stopped || !originAllowed(req.headers)) {
        turnAway(socket, stopped ? new TrackerSocketsFull() : new TrackerForeignOrigin())
        return
      }
      const client = deps.clientAddress(req)
      let admitted = guard.admit(client)
      const [oldest] = silent
      if (admitted === 'full' && oldest !== undefined) {
        cut(oldest, 'displaced')
        admitted = guard.admit(client)
      }
      if (typeof admitted === 'string') {
        const Refused = admitted === 'full' ? TrackerSocketsFull : TrackerTooManySockets
        turnAway(socket, new Refused())
        return
      }
      // The library takes or refuses the handshake within this call; a refused one holds no place.
      const record = admitted
      let opened = false
      server.handleUpgrade(req, socket, head, (ws) => {
        opened = true
        open(ws, socket, record)
      })
      if (!opened) guard.leave(record)
    },

    counts: (infoHash) => swarms.counts(infoHash),

    stats() {
      const { answers, unasked_answers, ...said } = conversation.stats()
      const box = desk.stats()
      const { sockets, addresses } = guard.size()
      const { swarms: torrents, members } = swarms.size()
      return {
        sockets,
        socket_addresses: addresses,
        socket_torrents: torrents,
        socket_peers: members,
        sockets_turned_away: turnedAway,
        sockets_cut_silent: cuts.silent,
        sockets_cut_slow: cuts.slow,
        sockets_cut_faulty: cuts.faulty,
        sockets_cut_flooding: cuts.flooding,
        sockets_displaced: cuts.displaced,
        socket_announces: said.announces,
        socket_scrapes: said.scrapes,
        socket_refusals: said.refused,
        socket_faults: said.faults,
        socket_offers: said.offers,
        socket_answers: answers,
        socket_answers_unasked: unasked_answers,
        box_offers: box.offers,
        box_answers: box.answers,
        box_offers_declined: box.refused,
        box_offers_failed: box.failed,
        box_offers_late: box.late,
        box_answering: box.answering,
        box_waiting: box.waiting,
      }
    },

    async stop() {
      if (stopped) return
      stopped = true
      clearInterval(timer)
      const open = [...lines]
      const goodbyes = open.map(
        async ({ ws }) => new Promise<void>((resolve) => void ws.once('close', () => resolve())),
      )
      for (const { ws } of open) ws.close(GOING_AWAY)
      await desk.stop()
      await Promise.race([Promise.all(goodbyes), sleep(GOODBYE_MS, undefined, { ref: false })])
      for (const line of open) {
        line.ws.terminate()
        forget(line)
      }
      server.close()
    },
  }
}
