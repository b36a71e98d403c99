/** One announce to a UDP tracker (BEP 15). */
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { randomInt } from 'node:crypto'
import { TorrentBadReply, TorrentUnsafeUrl } from '../errors.ts'
import { guardedLookup, isAskable } from './guarded-http.ts'
import { type Announce, compactPeers, type TrackerReply } from './tracker-reply.ts'

const PROTOCOL_ID = 0x41727101980n
const CONNECT = 0
const ANNOUNCE = 1
const FAILURE = 3
// BEP 15 waits 15 s and longer; a page does not.
const REPLY_MS = [3000, 6000]
const EVENTS = { none: 0, completed: 1, started: 2, stopped: 3 }

async function resolve(url: URL, allowLocal: boolean): Promise<string> {
  const literal = url.hostname.replace(/^\[|\]$/g, '')
  return new Promise((done, reject) => {
    guardedLookup(allowLocal)(literal, { all: false }, (error, address) => {
      if (error) reject(error)
      else if (typeof address !== 'string' || !isAskable(address, allowLocal))
        reject(new TorrentUnsafeUrl(url.href, 'it lies in the own network'))
      else done(address)
    })
  })
}

function announcePacket(announce: Announce, connection: bigint, transaction: number): Buffer {
  const packet = Buffer.alloc(98)
  packet.writeBigUInt64BE(connection, 0)
  packet.writeUInt32BE(ANNOUNCE, 8)
  packet.writeUInt32BE(transaction, 12)
  packet.set(announce.infoHash, 16)
  packet.set(announce.peerId, 36)
  packet.writeBigUInt64BE(BigInt(announce.left), 64)
  packet.writeUInt32BE(EVENTS[announce.event], 80)
  packet.writeUInt32BE(announce.key, 88)
  packet.writeInt32BE(announce.wanted, 92)
  packet.writeUInt16BE(announce.port, 96)
  return packet
}

/** @throws TorrentBadReply, TorrentUnsafeUrl, or the signal's reason */
export async function announceUdp(
  url: URL,
  announce: Announce,
  allowLocal: boolean,
  signal: AbortSignal,
): Promise<TrackerReply> {
  const address = await resolve(url, allowLocal)
  signal.throwIfAborted()
  const family = isIPv6(address) ? 16 : 4
  const socket = createSocket(family === 16 ? 'udp6' : 'udp4')
  let answer: (packet: Buffer) => void = () => {}
  let broken: (error: Error) => void = () => {}
  socket.on('message', (packet) => answer(packet))
  socket.on('error', (error) => broken(error))
  const onAbort = () => broken(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })

  /** Sends until a packet of the tracker carries the transaction. */
  async function exchange(make: (transaction: number) => Buffer, action: number): Promise<Buffer> {
    const transaction = randomInt(2 ** 32)
    const packet = make(transaction)
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<Buffer>((done, reject) => {
        broken = reject
        answer = (reply) => {
          if (reply.length < 8 || reply.readUInt32BE(4) !== transaction) return
          const said = reply.readUInt32BE(0)
          if (said === action) done(reply)
          else if (said === FAILURE)
            reject(new TorrentBadReply(url.host, reply.subarray(8, 200).toString('utf8')))
        }
        const send = (attempt: number) => {
          const wait = REPLY_MS[attempt]
          if (wait === undefined) {
            reject(new TorrentBadReply(url.host, 'no answer'))
            return
          }
          socket.send(packet)
          timer = setTimeout(send, wait, attempt + 1)
        }
        send(0)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  try {
    // Connected: the kernel drops packets of anybody else.
    await new Promise<void>((done, reject) => {
      broken = reject
      socket.connect(Number(url.port === '' ? 80 : url.port), address, () => done())
    })
    const connected = await exchange((transaction) => {
      const packet = Buffer.alloc(16)
      packet.writeBigUInt64BE(PROTOCOL_ID, 0)
      packet.writeUInt32BE(transaction, 12)
      return packet
    }, CONNECT)
    if (connected.length < 16) throw new TorrentBadReply(url.host, 'a short answer')
    const connection = connected.readBigUInt64BE(8)
    const reply = await exchange((id) => announcePacket(announce, connection, id), ANNOUNCE)
    if (reply.length < 20) throw new TorrentBadReply(url.host, 'a short answer')
    return {
      intervalSeconds: reply.readUInt32BE(8),
      peers: compactPeers(reply.subarray(20), family),
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.close()
  }
}
