/**
 * Finds `<uuid>.local`: browsers hide the addresses of their host candidates behind such names and
 * answer for them by Multicast DNS (RFC 6762; draft-ietf-mmusic-mdns-ice-candidates).
 */
import { createSocket, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import type { Clock } from '../../base/ports/clock.ts'
import type { Log } from '../../base/ports/log.ts'
import { askAvahi } from './avahi.ts'
import { isLocalName } from './candidate.ts'
import { decodeAddresses, encodeQuery } from './dns-message.ts'

export interface Mdns {
  /** An address literal, or undefined where nobody answers in time. Never rejects. */
  resolve(name: string): Promise<string | undefined>
  stop(): void
}

export interface MdnsOptions {
  /** Whom to ask as well; the Avahi daemon by default. */
  system?: (name: string) => Promise<string | undefined>
  limitMs?: number
  /** Where to ask; every interface by default. */
  interfaces?: () => Interface[]
}

const PORT = 5353
const GROUP4 = '224.0.0.251'
const GROUP6 = 'ff02::fb'
// Whoever has just announced a name may wait a second before saying it again (RFC 6762 6).
const LIMIT_MS = 1500
const REPEAT_MS = [250, 1000]
// A page with a handful of connections asks a handful of names; sockets stay for the next.
const LINGER_MS = 5000
const MAX_WAITING = 64
const MAX_CACHED = 128
const MAX_CACHE_MS = 60_000
// RFC 6762 10: records that hold an address live for two minutes.
const DEFAULT_TTL_SECONDS = 120
const MAX_INTERFACES = 8

interface Waiting {
  promise: Promise<string | undefined>
  found: (address: string | undefined) => void
}

interface Opened {
  socket: Socket
  group: string
  isReady: boolean
}

interface Interface {
  family: 4 | 6
  /** As multicast membership wants it: an address, or `::%eth0`. */
  local: string
}

function allInterfaces(): Interface[] {
  const found = new Map<string, Interface>()
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const { family, address } of addresses ?? []) {
      const local = family === 'IPv4' ? address : `::%${name}`
      found.set(local, { family: family === 'IPv4' ? 4 : 6, local })
    }
  }
  return [...found.values()].slice(0, MAX_INTERFACES)
}

export function createMdns(
  { log, clock }: { log: Log; clock: Clock },
  { system = askAvahi, limitMs = LIMIT_MS, interfaces = allInterfaces }: MdnsOptions = {},
): Mdns {
  const waiting = new Map<string, Waiting>()
  const cache = new Map<string, { address: string; until: number }>()
  const sockets = new Set<Opened>()
  let linger: NodeJS.Timeout | undefined
  const timers = new Set<NodeJS.Timeout>()

  function later(ms: number, work: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, ms).unref()
    timers.add(timer)
    return timer
  }

  function remember(name: string, address: string, ttlSeconds: number): void {
    const [oldest] = cache.keys()
    if (cache.size >= MAX_CACHED && oldest !== undefined) cache.delete(oldest)
    const ms = Math.min(ttlSeconds * 1000, MAX_CACHE_MS)
    cache.set(name, { address, until: clock.now() + ms })
  }

  function onPacket(packet: Uint8Array): void {
    for (const [name, question] of waiting) {
      const [record] = decodeAddresses(packet, name)
      // A time to live of 0 takes the name back (RFC 6762 10.1).
      if (!record || record.ttlSeconds === 0) continue
      remember(name, record.address, record.ttlSeconds)
      question.found(record.address)
    }
  }

  function open({ family, local }: Interface): void {
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', reuseAddr: true })
    const opened = { socket, group: family === 4 ? GROUP4 : GROUP6, isReady: false }
    // Another program may hold the port alone, an interface may be gone: others may still do.
    const give = (error: unknown): void => {
      log.debug({ local, error }, 'no multicast dns on an address')
      if (sockets.delete(opened)) socket.close()
    }
    sockets.add(opened)
    socket.on('error', give)
    socket.on('message', onPacket)
    socket.bind({ port: PORT, exclusive: true }, () => {
      try {
        socket.addMembership(opened.group, local)
        socket.setMulticastInterface(local)
        // The browser may be on this very machine.
        socket.setMulticastLoopback(true)
        // RFC 6762 11: 255 tells that it never crossed a router.
        socket.setMulticastTTL(255)
      } catch (error) {
        give(error)
        return
      }
      opened.isReady = true
      for (const name of waiting.keys()) ask(name, [opened])
    })
  }

  function ask(name: string, where: Iterable<Opened> = sockets): void {
    const query = encodeQuery(name)
    for (const { socket, group, isReady } of where) {
      if (isReady) socket.send(query, PORT, group, () => undefined)
    }
  }

  function closeSockets(): void {
    clearTimeout(linger)
    linger = undefined
    for (const { socket } of sockets) socket.close()
    sockets.clear()
  }

  function begin(name: string): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    const repeats = REPEAT_MS.map((ms) => later(ms, () => ask(name)))
    const limit = later(limitMs, () => found(undefined))
    function found(address: string | undefined): void {
      if (!waiting.delete(name)) return
      for (const timer of [...repeats, limit]) {
        clearTimeout(timer)
        timers.delete(timer)
      }
      resolve(address)
    }
    waiting.set(name, { promise, found })
    // New sockets ask by themselves once they are bound.
    if (linger === undefined) for (const one of interfaces()) open(one)
    else ask(name)
    clearTimeout(linger)
    linger = setTimeout(closeSockets, LINGER_MS).unref()
    void system(name).then((address) => {
      if (address === undefined) return
      remember(name, address, DEFAULT_TTL_SECONDS)
      found(address)
    })
    return promise
  }

  return {
    async resolve(name) {
      const lower = name.toLowerCase()
      if (!isLocalName(lower)) return undefined
      const known = cache.get(lower)
      if (known && known.until > clock.now()) return known.address
      cache.delete(lower)
      const asked = waiting.get(lower)
      if (asked) return asked.promise
      return waiting.size < MAX_WAITING ? begin(lower) : undefined
    },
    stop() {
      for (const { found } of waiting.values()) found(undefined)
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      closeSockets()
    },
  }
}
