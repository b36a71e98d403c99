/** A server with nothing but the tracker's WebSocket side, and browsers that say what a test wants. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Value } from 'typebox/value'
import { type ClientOptions, WebSocket } from 'ws'
import { infoHash, type InfoHash } from '../../../src/base/hashes.ts'
import { type Clock, systemClock } from '../../../src/base/ports/clock.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { type TrackerConfig, trackerConfigSchema } from '../../../src/edges/tracker/config.ts'
import type { TrackerBox } from '../../../src/edges/tracker/deps.ts'
import { SOCKET_LIMITS, type SocketLimits } from '../../../src/edges/tracker/socket-limits.ts'
import {
  createSocketTracker,
  type SocketTracker,
} from '../../../src/edges/tracker/socket-tracker.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'

export const SDP = 'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n'

/** The defaults of the section. */
export const SOCKET_CONFIG: TrackerConfig = Value.Parse(
  trackerConfigSchema,
  Value.Create(trackerConfigSchema),
)

/** A box that holds nothing. */
export const NO_BOX: TrackerBox = {
  holds: () => undefined,
  peerPort: () => 0,
  answerOffer: async () => undefined,
  meet: () => undefined,
}

export interface SocketServer {
  url: string
  port: number
  tracker: SocketTracker
  /** Infohashes as they were completed. */
  completed: InfoHash[]
}

export interface SocketServerOptions {
  config?: Partial<TrackerConfig>
  limits?: Partial<SocketLimits>
  box?: Partial<TrackerBox>
  allowed?: (infoHash: InfoHash) => boolean
  addressPeers?: { complete: number; incomplete: number; downloaded: number }
  clock?: Clock
}

export async function socketServer(
  t: Cleanup,
  options: SocketServerOptions = {},
): Promise<SocketServer> {
  const completed: InfoHash[] = []
  const tracker = createSocketTracker(
    {
      box: { ...NO_BOX, ...options.box },
      allowed: options.allowed ?? (() => true),
      addressPeers: () => options.addressPeers ?? { complete: 0, incomplete: 0, downloaded: 0 },
      completed: (hash) => void completed.push(hash),
      clientAddress: (req) => String(req.headers['x-test-address'] ?? req.socket.remoteAddress),
      log: silentLog,
      clock: options.clock ?? systemClock,
    },
    { ...SOCKET_CONFIG, ...options.config },
    { ...SOCKET_LIMITS, ...options.limits },
  )
  const server = createServer((_req, res) => res.end())
  server.on('upgrade', (req, socket, head) => tracker.upgrade(req, socket, head))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  finallyDo(t, async () => {
    await tracker.stop()
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `ws://127.0.0.1:${port}/announce`, port, tracker, completed }
}

export type Reply = Record<string, unknown>

export interface Page {
  ws: WebSocket
  peerId: string
  heard: Reply[]
  closed: Promise<{ code: number }>
  say(message: unknown): void
  /** Takes the oldest message that `matches` out of what was heard. */
  next(matches?: (reply: Reply) => boolean, timeoutMs?: number): Promise<Reply>
  announce(hash: string, fields?: object): void
  close(): void
}

export const binary = (): string => randomBytes(20).toString('latin1')
export const hexOf = (wire: string): InfoHash =>
  infoHash(Buffer.from(wire, 'latin1').toString('hex'))

export const isAnnounce = (reply: Reply): boolean =>
  reply['action'] === 'announce' && 'interval' in reply
export const isOffer = (reply: Reply): boolean => 'offer' in reply
export const isAnswer = (reply: Reply): boolean => 'answer' in reply
export const isFailure = (reply: Reply): boolean => 'failure reason' in reply

export const offers = (count: number): { offer: object; offer_id: string }[] =>
  Array.from({ length: count }, () => ({
    offer: { type: 'offer', sdp: SDP },
    offer_id: binary(),
  }))

/** A connected browser. */
export async function page(
  t: Cleanup,
  url: string,
  options: ClientOptions & { peerId?: string } = {},
): Promise<Page> {
  const ws = new WebSocket(url, { perMessageDeflate: false, ...options })
  const peerId = options.peerId ?? binary()
  const heard: Reply[] = []
  const waiting = new Set<() => void>()
  ws.on('message', (data: Buffer) => {
    heard.push(JSON.parse(data.toString()) as Reply)
    for (const wake of waiting) wake()
  })
  const closed = new Promise<{ code: number }>((resolve) => {
    ws.on('close', (code) => resolve({ code }))
  })
  ws.on('error', () => undefined)
  finallyDo(t, () => ws.terminate())
  await new Promise<void>((resolve, reject) => {
    ws.once('open', resolve)
    ws.once('error', reject)
  })
  const say = (message: unknown) => {
    ws.send(typeof message === 'string' ? message : JSON.stringify(message))
  }
  return {
    ws,
    peerId,
    heard,
    closed,
    say,
    announce: (hash, fields = {}) =>
      say({
        action: 'announce',
        info_hash: hash,
        peer_id: peerId,
        numwant: 5,
        uploaded: 0,
        downloaded: 0,
        left: 1,
        ...fields,
      }),
    async next(matches = () => true, timeoutMs = 5000) {
      const deadline = Date.now() + timeoutMs
      for (;;) {
        const at = heard.findIndex(matches)
        if (at >= 0) return heard.splice(at, 1)[0] as Reply
        const left = deadline - Date.now()
        if (left <= 0) throw new Error(`heard no such message, only ${JSON.stringify(heard)}`)
        await new Promise<void>((resolve) => {
          const wake = () => {
            clearTimeout(timer)
            waiting.delete(wake)
            resolve()
          }
          const timer = setTimeout(wake, left)
          waiting.add(wake)
        })
      }
    },
    close: () => ws.close(),
  }
}

/** Everything said so far has been heard: the answer to one more question is here. */
export async function settled(...pages: Page[]): Promise<void> {
  for (const each of pages) {
    const hash = binary()
    each.say({ action: 'scrape', info_hash: hash })
    await each.next((reply) => {
      const files = reply['files']
      return typeof files === 'object' && files !== null && (hash in files || 'x' in files)
    })
  }
}
