/** A tracker on loopback with a box that a test makes up, and the plain ways to ask it. */
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { type BDict, decode } from '../../../src/base/bencode.ts'
import { type InfoHash, infoHash } from '../../../src/base/hashes.ts'
import type { PeerAddress } from '../../../src/base/ports/dht-node.ts'
import { type Log, silentLog } from '../../../src/base/ports/log.ts'
import {
  createTracker,
  type Tracker,
  type TrackerConfig,
} from '../../../src/edges/tracker/index.ts'
import type { TrackerDeps } from '../../../src/edges/tracker/deps.ts'
import { trackerConfig } from './tracker-config.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'

export const HASH = infoHash('a1'.repeat(20))
export const OTHER_HASH = infoHash('b2'.repeat(20))

export interface FakeBox {
  held: Map<InfoHash, 'whole' | 'part'>
  port: number
  met: { infoHash: InfoHash; peers: PeerAddress[] }[]
}

export interface TestClock {
  now(): number
  /** Moves it by so many milliseconds. */
  pass(ms: number): void
}

export interface Room {
  tracker: Tracker
  port: number
  box: FakeBox
  clock: TestClock
  config: TrackerConfig
  statePath: string
  log: { warnings: string[] }
  stop(): Promise<void>
}

export interface RoomOptions {
  config?: Partial<TrackerConfig>
  statePath?: string
  clock?: TestClock
  held?: [InfoHash, 'whole' | 'part'][]
  deps?: Partial<TrackerDeps>
}

export function testClock(): TestClock {
  let offset = 0
  return { now: () => Date.now() + offset, pass: (ms) => void (offset += ms) }
}

/** Without `held` the box has `HASH` in part and no port: it is in no answer. */
export async function startRoom(t: Cleanup, options: RoomOptions = {}): Promise<Room> {
  const config = trackerConfig(options.config)
  const statePath = options.statePath ?? (await tempFolder(t, 'btl-tracker'))
  const clock = options.clock ?? testClock()
  const box: FakeBox = { held: new Map(options.held ?? []), port: 0, met: [] }
  const warnings: string[] = []
  const log: Log = { ...silentLog, warn: (_fields, message) => void warnings.push(message) }
  const tracker = createTracker(
    {
      box: {
        holds: (hash) => box.held.get(hash),
        peerPort: () => box.port,
        answerOffer: async () => Promise.resolve(undefined),
        meet: (hash, peers) => void box.met.push({ infoHash: hash, peers }),
      },
      log,
      clock,
      ticks: () => clock.now(),
      ...options.deps,
      statePath,
    },
    config,
  )
  await tracker.start(new AbortController().signal)
  const server = createServer((req, res) => {
    if (!tracker.answer(req, res)) res.writeHead(404).end('not here')
  })
  server.listen(0)
  await once(server, 'listening')
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
    await tracker.stop()
  }
  finallyDo(t, stop)
  const { port } = server.address() as AddressInfo
  return { tracker, port, box, clock, config, statePath, log: { warnings }, stop }
}

/** 20 bytes of a hex string or text as every byte in percent-encoding. */
export function escaped(bytes: Uint8Array | string): string {
  const raw = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
  return Array.from(raw, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
}

export const escapedHash = (hash: string): string => escaped(Buffer.from(hash, 'hex'))

export const peerId = (name: string): string => `-TR3000-${name.padEnd(12, '.')}`

export interface Reply {
  status: number
  headers: Record<string, unknown>
  body: Buffer
}

/** One raw request; `target` goes out as it is written. */
export async function ask(
  { port }: { port: number },
  target: string,
  options: {
    method?: string
    host?: string
    from?: string
    headers?: Record<string, string>
  } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const req = request(
      {
        port,
        host: options.host ?? '127.0.0.1',
        ...(options.from !== undefined && { localAddress: options.from }),
        path: target,
        method: options.method ?? 'GET',
        headers: { ...options.headers },
        agent: false,
      },
      (res) => {
        const chunks: Buffer[] = []
        res.on('data', (chunk: Buffer) => chunks.push(chunk))
        res.on('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            body: Buffer.concat(chunks),
          }),
        )
      },
    )
    req.on('error', reject)
    req.end()
  })
}

export interface Announcement {
  hash?: string
  id?: string
  port?: number | string
  left?: number
  event?: string
  key?: string
  numwant?: number
  compact?: 0 | 1
  uploaded?: number
  /** Further parameters, as they are written. */
  more?: string
  /** Who X-Forwarded-For says it is; needs trusted loopback. */
  as?: string
  /** Address of loopback to ask from. */
  from?: string
  host?: string
}

export const announceTarget = (announcement: Announcement = {}): string => {
  const { hash = HASH, id = peerId('a'), port = 5001, left = 1000, uploaded = 0 } = announcement
  const parts = [
    `info_hash=${escapedHash(hash)}`,
    `peer_id=${escaped(id)}`,
    `port=${port}`,
    `uploaded=${uploaded}&downloaded=0&left=${left}`,
  ]
  for (const name of ['event', 'key', 'numwant', 'compact'] as const) {
    const value = announcement[name]
    if (value !== undefined) parts.push(`${name}=${value}`)
  }
  if (announcement.more !== undefined) parts.push(announcement.more)
  return `/announce?${parts.join('&')}`
}

export function dict(body: Uint8Array): BDict {
  const value = decode(body)
  assert.ok(value instanceof Map)
  return value
}

export async function announce(room: { port: number }, what: Announcement = {}): Promise<BDict> {
  const { status, body } = await ask(room, announceTarget(what), {
    ...(what.from !== undefined && { from: what.from }),
    ...(what.host !== undefined && { host: what.host }),
    headers: what.as === undefined ? {} : { 'x-forwarded-for': what.as },
  })
  assert.equal(status, 200)
  return dict(body)
}

/** `host:port` of compact peers, both families. */
export function peersOf(answer: BDict): string[] {
  const four = answer.get('peers')
  const six = answer.get('peers6')
  const found: string[] = []
  if (four instanceof Uint8Array) {
    assert.equal(four.length % 6, 0)
    const view = Buffer.from(four)
    for (let at = 0; at < view.length; at += 6) {
      found.push(`${[...view.subarray(at, at + 4)].join('.')}:${view.readUInt16BE(at + 4)}`)
    }
  }
  if (six instanceof Uint8Array) {
    assert.equal(six.length % 18, 0)
    const view = Buffer.from(six)
    for (let at = 0; at < view.length; at += 18) {
      const groups = Array.from({ length: 8 }, (_, i) => view.readUInt16BE(at + i * 2).toString(16))
      found.push(`[${groups.join(':')}]:${view.readUInt16BE(at + 16)}`)
    }
  }
  return found
}

export const textOf = (answer: BDict, key: string): string => {
  const value = answer.get(key)
  assert.ok(value instanceof Uint8Array, `no text under ${key}`)
  return Buffer.from(value).toString()
}

export interface UdpClient {
  /** Sends and waits for one datagram; undefined after 300 ms of silence. */
  exchange(packet: Uint8Array, waitMs?: number): Promise<Buffer | undefined>
  connect(): Promise<Buffer>
  socket: Socket
}

export async function udpClient(t: Cleanup, port: number, from = '127.0.0.1'): Promise<UdpClient> {
  const six = from.includes(':')
  const socket = createSocket(six ? 'udp6' : 'udp4')
  socket.bind(0, from)
  await once(socket, 'listening')
  finallyDo(t, () => {
    socket.close()
  })
  const exchange = async (packet: Uint8Array, waitMs = 300): Promise<Buffer | undefined> => {
    const answered = new Promise<Buffer | undefined>((resolve) => {
      const timer = setTimeout(() => {
        socket.removeAllListeners('message')
        resolve(undefined)
      }, waitMs)
      socket.once('message', (message: Buffer) => {
        clearTimeout(timer)
        resolve(message)
      })
    })
    socket.send(packet, port, six ? '::1' : '127.0.0.1')
    return answered
  }
  const connect = async (): Promise<Buffer> => {
    const reply = await exchange(connectPacket(7), 2000)
    assert.ok(reply)
    assert.equal(reply.length, 16)
    assert.equal(reply.readUInt32BE(0), 0)
    assert.equal(reply.readUInt32BE(4), 7)
    return reply.subarray(8, 16)
  }
  return { exchange, connect, socket }
}

export function connectPacket(transaction: number): Buffer {
  const packet = Buffer.alloc(16)
  packet.writeUInt32BE(0x417, 0)
  packet.writeUInt32BE(0x27101980, 4)
  packet.writeUInt32BE(transaction, 12)
  return packet
}

export interface UdpAnnouncement {
  hash?: string
  id?: string
  left?: number
  event?: number
  key?: number
  numwant?: number
  port?: number
  transaction?: number
  options?: Uint8Array
}

export function announcePacket(connection: Uint8Array, what: UdpAnnouncement = {}): Buffer {
  const packet = Buffer.alloc(98)
  packet.set(connection, 0)
  packet.writeUInt32BE(1, 8)
  packet.writeUInt32BE(what.transaction ?? 9, 12)
  packet.write(what.hash ?? HASH, 16, 'hex')
  packet.write(what.id ?? peerId('u'), 36, 'latin1')
  packet.writeBigUInt64BE(BigInt(what.left ?? 1000), 64)
  packet.writeUInt32BE(what.event ?? 0, 80)
  packet.writeUInt32BE(what.key ?? 0, 88)
  packet.writeInt32BE(what.numwant ?? -1, 92)
  packet.writeUInt16BE(what.port ?? 5002, 96)
  return what.options === undefined ? packet : Buffer.concat([packet, what.options])
}

export function scrapePacket(connection: Uint8Array, hashes: readonly string[]): Buffer {
  const packet = Buffer.alloc(16)
  packet.set(connection, 0)
  packet.writeUInt32BE(2, 8)
  packet.writeUInt32BE(11, 12)
  return Buffer.concat([packet, ...hashes.map((hash) => Buffer.from(hash, 'hex'))])
}
