/** A DNS server on loopback that answers as a test tells it to, also wrongly. */
import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { FLAG } from '../../../src/base/dns/codes.ts'
import { decodeMessage } from '../../../src/base/dns/decode-message.ts'
import { ourEdns } from '../../../src/base/dns/edns.ts'
import { encodeMessage } from '../../../src/base/dns/encode-message.ts'
import type { Message } from '../../../src/base/dns/message.ts'
import { answerOfZone } from '../../support/dns-zone.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'

export interface Seen {
  message: Message
  transport: 'udp' | 'tcp'
  /** Port it came from. */
  port: number
  bytes: Uint8Array
}

export type Handler = (seen: Seen, reply: (bytes: Uint8Array) => void) => void

/** The answer of an honest authority, with changes. */
export function honest({ message }: Seen, changes: Partial<Message> = {}): Message {
  const [question] = message.questions
  const found = question && answerOfZone(question.name, question.type)
  return {
    id: message.id,
    flags: FLAG.QR | FLAG.RA,
    rcode: found?.rcode ?? 2,
    questions: message.questions,
    answers: found?.answers ?? [],
    authority: found?.authority ?? [],
    additional: [],
    edns: ourEdns(),
    ...changes,
  }
}

export const bytesOf = (message: Message): Uint8Array => encodeMessage(message).bytes

export interface RogueServer {
  port: number
  seen: Seen[]
  /** TCP connections that were made. */
  connections(): number
  /** Ends every TCP connection. */
  hangUp(): void
  /** Stops answering, and frees the port. */
  stop(): Promise<void>
}

export async function startRogue(
  t: Cleanup,
  handle: Handler,
  port = 0,
  host = '127.0.0.1',
): Promise<RogueServer> {
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const note = (transport: 'udp' | 'tcp', from: number, bytes: Uint8Array): Seen | undefined => {
    const decoded = decodeMessage(bytes)
    if (!decoded.ok) return undefined
    const one: Seen = { message: decoded.message, transport, port: from, bytes }
    seen.push(one)
    return one
  }
  const tcp = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    let held = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0)
        const one = note('tcp', socket.remotePort ?? 0, held.subarray(2, end))
        held = held.subarray(end)
        if (one === undefined) continue
        handle(one, (bytes) => {
          if (socket.destroyed) return
          socket.write(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]))
        })
      }
    })
  })
  tcp.listen(port, host)
  await once(tcp, 'listening')
  const place = tcp.address()
  const bound = typeof place === 'object' && place !== null ? place.port : 0
  let isStopped = false
  const udp = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  udp.on('message', (bytes: Buffer, from: RemoteInfo) => {
    const one = note('udp', from.port, bytes)
    if (one)
      handle(one, (answer) => {
        if (!isStopped) udp.send(answer, from.port, from.address, () => undefined)
      })
  })
  udp.bind(bound, host)
  await once(udp, 'listening')
  const stop = async () => {
    if (isStopped) return
    isStopped = true
    for (const socket of sockets) socket.destroy()
    tcp.close()
    await new Promise<void>((done) => void udp.close(done))
  }
  finallyDo(t, stop)
  return {
    port: bound,
    seen,
    connections: () => connections,
    hangUp() {
      for (const socket of sockets) socket.destroy()
    },
    stop,
  }
}
