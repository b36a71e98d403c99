/** Local service discovery (BEP 14): peers of the own network, found by multicast. */
import { createSocket, type Socket } from 'node:dgram'
import { randomBytes } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import type { InfoHash } from '../../../base/hashes.ts'
import { infoHash as checkedInfoHash } from '../../../base/hashes.ts'
import { formatPeerAddress } from '../../../base/peer-address.ts'
import type { PeerAddress } from '../../../base/ports/dht-node.ts'
import type { Log } from '../../../base/ports/log.ts'
import { type Broadcast, createBroadcast } from '../broadcast.ts'
import type { SwarmConfig } from '../config.ts'
import { plainAddress } from '../../../base/ip-reach.ts'

const PORT = 6771
const GROUPS = { udp4: '239.192.152.143', udp6: 'ff15::efc0:988f' } as const
// BEP 14: an IPv4 packet of 1400 bytes reaches everybody.
const MAX_PACKET = 1400
const MAX_HASHES = 20
const ANNOUNCE_MS = 5 * 60_000
// A box is up before its network is.
const LOOK_MS = 2000
// Several that are seeded at once go into one packet.
const FIRST_MS = 50
// Who is new hears of us soon, even where we announced just before it listened.
const REPLY_PAUSE_MS = 2000
const MAX_KNOWN = 200
const KNOWN_MS = 8000
// A packet may be lost, and a switch may not know yet who listens.
const AGAIN_MS = [3000, 12_000, 45_000]
const MAX_PACKETS_A_SECOND = 50
const MAX_ASKERS = 2000
const MAX_REPLIES = 2000

type Family = keyof typeof GROUPS

export interface Announcement {
  port: number
  infoHashes: InfoHash[]
  cookie?: string
}

export interface Lsd {
  start(): Promise<void>
  stop(): Promise<void>
  /** Says from now on, in turns, that a seeded torrent is here; who looks for it is answered. */
  present(infoHash: InfoHash, isHere: boolean): void
  /** Announces, and gives the peers that announce the same torrent, until `signal`. */
  seek(infoHash: InfoHash, signal: AbortSignal): AsyncIterable<PeerAddress[]>
}

export function encodeAnnouncement(family: Family, message: Announcement): Uint8Array {
  const host = family === 'udp4' ? GROUPS.udp4 : `[${GROUPS.udp6}]`
  const lines = [
    'BT-SEARCH * HTTP/1.1',
    `Host: ${host}:${PORT}`,
    `Port: ${message.port}`,
    ...message.infoHashes.map((hash) => `Infohash: ${hash}`),
    ...(message.cookie === undefined ? [] : [`cookie: ${message.cookie}`]),
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n\r\n`)
}

/** Undefined for anything that is no announcement. */
export function decodeAnnouncement(packet: Uint8Array): Announcement | undefined {
  if (packet.length > MAX_PACKET) return undefined
  const [first, ...lines] = Buffer.from(packet).toString('latin1').split('\r\n')
  if (first?.startsWith('BT-SEARCH ') !== true) return undefined
  let port = 0
  let cookie: string | undefined
  const infoHashes: InfoHash[] = []
  for (const line of lines) {
    const [, name = '', value = ''] = /^([\w-]+):\s*(.*)$/.exec(line) ?? []
    if (/^port$/i.test(name)) port = /^\d{1,5}$/.test(value) ? Number(value) : 0
    else if (/^cookie$/i.test(name)) cookie = value.slice(0, 64)
    else if (/^infohash$/i.test(name) && /^[0-9a-f]{40}$/i.test(value))
      infoHashes.push(checkedInfoHash(value))
  }
  if (port < 1 || port > 65_535 || infoHashes.length === 0) return undefined
  return {
    port,
    infoHashes: infoHashes.slice(0, MAX_HASHES),
    ...(cookie === undefined ? {} : { cookie }),
  }
}

interface Entry {
  heard: Broadcast<PeerAddress>
  users: number
  saidAt: number
  /** Who announced it lately, and when: answered once, or two boxes would answer each other for ever. */
  known: Map<string, number>
}

export function createLsd(deps: { log: Log; port: () => number }, config: SwarmConfig): Lsd {
  const { log } = deps
  const cookie = randomBytes(6).toString('hex')
  const sockets = new Map<Family, Socket>()
  const sought = new Map<InfoHash, Entry>()
  /** Seeds, and when they were last said; who waited longest is first. */
  const seeds = new Map<InfoHash, number>()
  /** Seeds that were never said, the newest last. */
  const unsaid = new Set<InfoHash>()
  /** Who asked for which seed, and when: two seeds of one torrent would answer each other for ever. */
  const askers = new Map<string, number>()
  const replies = new Set<InfoHash>()
  const joined = new Set<string>()
  let announcedAt = 0
  let sending: Promise<void> = Promise.resolve()
  let replying: NodeJS.Timeout | undefined
  let timer: NodeJS.Timeout | undefined
  let first: NodeJS.Timeout | undefined
  let second = 0
  let packets = 0

  function interfaces(family: Family): string[] {
    const own = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
      addresses
        .filter(
          ({ internal, family: kind }) => !internal && (kind === 'IPv4') === (family === 'udp4'),
        )
        .map(({ address }) => (family === 'udp4' ? address : `::%${name}`)),
    )
    return [...new Set(own)]
  }

  async function send(family: Family, socket: Socket, address: string, packet: Uint8Array) {
    try {
      socket.setMulticastInterface(address)
      await new Promise<void>((resolve, reject) => {
        socket.send(packet, PORT, GROUPS[family], (error) => {
          if (error) reject(error)
          else resolve()
        })
      })
    } catch (error) {
      log.debug({ err: error, address }, 'local discovery could not send')
    }
  }

  function say(hashes: InfoHash[]): void {
    const port = deps.port()
    if (port === 0 || hashes.length === 0) return
    for (const hash of hashes) {
      const entry = sought.get(hash)
      if (entry) entry.saidAt = performance.now()
      if (seeds.delete(hash)) seeds.set(hash, performance.now())
      unsaid.delete(hash)
    }
    for (const [family, socket] of sockets) {
      const packet = encodeAnnouncement(family, { port, infoHashes: hashes, cookie })
      for (const address of interfaces(family)) {
        // One after the other: the interface belongs to the socket, not to the packet.
        sending = sending.then(async () => {
          if (sockets.get(family) === socket) await send(family, socket, address, packet)
        })
      }
    }
  }

  function heard(packet: Uint8Array, from: string): void {
    const now = Math.floor(performance.now() / 1000)
    if (now !== second) [second, packets] = [now, 0]
    if (++packets > MAX_PACKETS_A_SECOND) return
    const message = decodeAnnouncement(packet)
    const host = plainAddress(from)
    if (message === undefined || host === undefined || message.cookie === cookie) return
    // Without its zone a link-local address leads nowhere.
    if (/^fe[89ab]/i.test(host)) return
    const peer = { host, port: message.port }
    for (const hash of message.infoHashes) {
      if (seeds.has(hash) && isNewAsker(`${hash} ${formatPeerAddress(peer)}`)) answer(hash)
      const entry = sought.get(hash)
      if (entry === undefined) continue
      entry.heard.emit(peer)
      const key = formatPeerAddress(peer)
      const now = performance.now()
      const lately = now - (entry.known.get(key) ?? Number.NEGATIVE_INFINITY) < KNOWN_MS
      if (lately || entry.known.size >= MAX_KNOWN) continue
      entry.known.set(key, now)
      answer(hash)
    }
    if (replies.size > 0 && replying === undefined) reply()
  }

  function isNewAsker(key: string): boolean {
    const now = performance.now()
    const before = askers.get(key)
    askers.delete(key)
    askers.set(key, now)
    const oldest = askers.keys().next().value
    if (askers.size > MAX_ASKERS && oldest !== undefined) askers.delete(oldest)
    return before === undefined || now - before >= KNOWN_MS
  }

  function answer(hash: InfoHash): void {
    if (replies.size < MAX_REPLIES) replies.add(hash)
  }

  function reply(): void {
    replying = undefined
    const due: InfoHash[] = []
    for (const hash of Array.from(replies)) {
      const saidAt = sought.get(hash)?.saidAt ?? seeds.get(hash)
      if (saidAt !== undefined && performance.now() - saidAt < REPLY_PAUSE_MS) continue
      replies.delete(hash)
      if (saidAt !== undefined && due.push(hash) === MAX_HASHES) break
    }
    say(due)
    if (replies.size > 0) replying = setTimeout(reply, REPLY_PAUSE_MS).unref()
  }

  /** Joins the groups on interfaces that came since; returns whether there were any. */
  function join(): boolean {
    let isNew = false
    for (const [family, socket] of sockets) {
      const present = interfaces(family)
      for (const gone of joined) {
        if (gone.startsWith(family) && !present.includes(gone.slice(5))) joined.delete(gone)
      }
      for (const address of present) {
        if (joined.has(`${family} ${address}`)) continue
        joined.add(`${family} ${address}`)
        isNew = true
        try {
          socket.addMembership(GROUPS[family], address)
        } catch (error) {
          log.debug({ err: error, address }, 'local discovery does not reach an interface')
        }
      }
    }
    return isNew
  }

  /** One packet of seeds at a time: ten thousand at once would be a flood that nobody hears out. */
  function saySeeds(): void {
    const due: InfoHash[] = Array.from(unsaid).slice(-MAX_HASHES)
    const before = performance.now() - ANNOUNCE_MS
    for (const [hash, saidAt] of seeds) {
      if (due.length >= MAX_HASHES || saidAt > before) break
      if (!unsaid.has(hash)) due.push(hash)
    }
    say(due)
  }

  function upkeep(): void {
    const isNew = join()
    if (isNew) for (const hash of seeds.keys()) unsaid.add(hash)
    saySeeds()
    if (!isNew && performance.now() - announcedAt < ANNOUNCE_MS) return
    announcedAt = performance.now()
    for (const entry of sought.values()) entry.known.clear()
    const hashes = [...sought.keys()]
    for (let at = 0; at < hashes.length; at += MAX_HASHES) say(hashes.slice(at, at + MAX_HASHES))
  }

  async function open(family: Family): Promise<void> {
    const socket = createSocket({ type: family, reuseAddr: true, ipv6Only: family === 'udp6' })
    socket.on('message', (packet, { address }) => heard(packet, address))
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject)
        socket.bind(PORT, () => resolve())
      })
      socket.setMulticastTTL(1)
      socket.on('error', (error) => log.debug({ err: error }, 'local discovery failed'))
      sockets.set(family, socket)
    } catch (error) {
      socket.close()
      log.info({ err: error, family }, 'local discovery is off: its port cannot be used')
    }
  }

  return {
    async start() {
      if (!config.lsd) return
      await open('udp4')
      await open('udp6')
      join()
      announcedAt = performance.now()
      timer = setInterval(upkeep, LOOK_MS).unref()
    },
    async stop() {
      clearInterval(timer)
      clearTimeout(replying)
      clearTimeout(first)
      first = undefined
      replying = undefined
      const open = [...sockets.values()]
      sockets.clear()
      joined.clear()
      await sending
      await Promise.all(
        open.map(
          (socket) =>
            new Promise<void>((resolve) => {
              socket.close(() => resolve())
            }),
        ),
      )
    },
    present(hash, isHere) {
      seeds.delete(hash)
      unsaid.delete(hash)
      replies.delete(hash)
      if (!isHere || !config.lsd) return
      seeds.set(hash, Number.NEGATIVE_INFINITY)
      unsaid.add(hash)
      first ??= setTimeout(() => {
        first = undefined
        saySeeds()
      }, FIRST_MS).unref()
    },
    async *seek(hash, signal) {
      if (sockets.size === 0) return
      const entry: Entry = sought.get(hash) ?? {
        heard: createBroadcast<PeerAddress>(100),
        users: 0,
        saidAt: Number.NEGATIVE_INFINITY,
        known: new Map(),
      }
      sought.set(hash, entry)
      entry.users++
      const reading = entry.heard.subscribe(signal)
      const again: NodeJS.Timeout[] = []
      try {
        if (performance.now() - entry.saidAt > 1000) say([hash])
        again.push(...AGAIN_MS.map((ms) => setTimeout(say, ms, [hash]).unref()))
        yield* reading
      } finally {
        for (const timer of again) clearTimeout(timer)
        entry.users--
        if (entry.users === 0) sought.delete(hash)
      }
    },
  }
}
