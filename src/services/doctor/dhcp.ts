/** What the DHCP servers of the network hand out (RFC 2131), asked without taking a lease. */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { ipText } from '../../base/ip-address.ts'

export interface DhcpOffer {
  server: string
  router: string | undefined
  dns: string[]
  /** Option 252. */
  wpad: string | undefined
}

const MAGIC = 0x63825363
const HEADER_BYTES = 240
const OPTION = { router: 3, dns: 6, type: 53, server: 54, wants: 55, end: 255, wpad: 252 } as const
const DISCOVER = 1
const OFFER = 2
const ACK = 5
const INFORM = 8
const MAX_OFFERS = 16

/** RFC 2131 §4.4.3: a machine that has an address asks for the rest with INFORM. */
export function encodeInform(
  id: number,
  address: Uint8Array,
  hardware: Uint8Array,
  isInform = true,
): Uint8Array {
  const packet = Buffer.alloc(300)
  packet.set([1, 1, 6, 0])
  packet.writeUInt32BE(id, 4)
  // Whoever has no address yet asks for the answer as a broadcast (§4.1).
  if (isInform) packet.set(address.subarray(0, 4), 12)
  else packet.writeUInt16BE(0x8000, 10)
  packet.set(hardware.subarray(0, 6), 28)
  packet.writeUInt32BE(MAGIC, 236)
  packet.set(
    [
      OPTION.type,
      1,
      isInform ? INFORM : DISCOVER,
      OPTION.wants,
      3,
      OPTION.router,
      OPTION.dns,
      OPTION.wpad,
      OPTION.end,
    ],
    HEADER_BYTES,
  )
  return packet
}

function addresses(data: Uint8Array): string[] {
  const found: string[] = []
  for (let at = 0; at + 4 <= data.length; at += 4) found.push(ipText(data.subarray(at, at + 4)))
  return found
}

/** RFC 2132; undefined for what is no answer to us. */
export function decodeOffer(packet: Uint8Array, id: number): DhcpOffer | undefined {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength)
  if (bytes.length < HEADER_BYTES || bytes[0] !== 2) return undefined
  if (bytes.readUInt32BE(4) !== id || bytes.readUInt32BE(236) !== MAGIC) return undefined
  const options = new Map<number, Uint8Array>()
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const code = bytes[at] ?? OPTION.end
    if (code === OPTION.end) break
    if (code === 0) {
      at++
      continue
    }
    const length = bytes[at + 1]
    if (length === undefined || at + 2 + length > bytes.length) return undefined
    options.set(code, bytes.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  const type = options.get(OPTION.type)?.[0]
  const server = options.get(OPTION.server)
  if ((type !== ACK && type !== OFFER) || server?.length !== 4) return undefined
  const wpad = options.get(OPTION.wpad)
  return {
    server: ipText(server),
    router: addresses(options.get(OPTION.router) ?? new Uint8Array())[0],
    dns: addresses(options.get(OPTION.dns) ?? new Uint8Array()),
    wpad:
      wpad &&
      Buffer.from(wpad)
        .toString('latin1')
        .replace(/[^\x20-\x7e]/g, ''),
  }
}

export interface DhcpAsk {
  /** Ours, on the network that is asked. */
  address: Uint8Array
  /** Six bytes. */
  hardware: Uint8Array
  /** Of that network alone: where no way leads out there is none to everybody either. */
  broadcast: string
  waitMs: number
}

/**
 * Every server that answers, once each.
 * @throws EACCES without the right to port 68, EADDRINUSE where another client has it to itself
 */
export function askDhcp(
  { address, hardware, broadcast, waitMs }: DhcpAsk,
  signal: AbortSignal,
): Promise<DhcpOffer[]> {
  const id = randomInt(2 ** 32)
  const offers = new Map<string, DhcpOffer>()
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    let timer: NodeJS.Timeout | undefined
    let isOver = false
    const close = (): boolean => {
      if (isOver) return false
      isOver = true
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      socket.close()
      return true
    }
    const end = (): void => {
      if (close()) resolve([...offers.values()])
    }
    signal.addEventListener('abort', end, { once: true })
    socket.on('error', (error) => {
      if (close()) reject(error)
    })
    socket.on('message', (packet) => {
      const offer = decodeOffer(packet, id)
      if (offer && offers.size < MAX_OFFERS) offers.set(offer.server, offer)
    })
    socket.bind(68, () => {
      socket.setBroadcast(true)
      // Some servers answer INFORM only from hosts they know, and every one a DISCOVER.
      for (const isInform of [true, false]) {
        const packet = encodeInform(id, address, hardware, isInform)
        socket.send(packet, 67, broadcast, () => undefined)
      }
      timer = setTimeout(end, waitMs)
    })
  })
}
